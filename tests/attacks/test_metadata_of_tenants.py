"""Row 191, for the metadata: a stranger reads it, and learns of no organization's own services."""

from pathlib import Path

import pytest

from tests.special_brokers import special_broker

ANOTHER_TENANT = """
organizations: {hidden-org: {description: Another}}
services:
  hidden-service:
    audience: https://hidden.example.com
    scopes: {hidden:read: See what nobody knows of}
    organizations: [hidden-org]
"""


@pytest.mark.parametrize("document", ["openid-configuration", "oauth-authorization-server"])
def test_the_scopes_of_an_organizations_own_service_are_not_advertised(
    tmp_path: Path, document: str
) -> None:
    with special_broker(tmp_path, ANOTHER_TENANT) as broker:
        answer = broker.request("GET", f"/.well-known/{document}")

    assert "deploy:read" in answer.json()["scopes_supported"]
    assert "hidden" not in answer.text
