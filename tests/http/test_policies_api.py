"""`GET /api/v1/policies`: for the broker's own tokens, on record, of live accounts (BR-01)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

OPERATORS = """\
service_accounts:
  policy-reader: {grants: {broker: [broker:policies:read], deploy-api: [deploy:read]}}
  key-reader: {grants: {broker: [broker:keys:read]}}
  org-reader: {organization: octo-org, grants: {broker: ["broker:policies:*"]}}
policies:
  reads-policies:
    service_account: policy-reader
    issuer: github
    match: {repository_id: 456789, environment: reads-policies}
    expires: 2030-01-01
  reads-keys:
    service_account: key-reader
    issuer: github
    match: {repository_id: 456789, environment: reads-keys}
  reads-in-its-organization:
    service_account: org-reader
    issuer: github
    match: {repository_id: 456789, environment: org}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        yield running


def own_token(broker: RunningBroker, environment: str, service: str = "broker") -> str:
    ci_token = broker.github_token(environment=environment, ref="refs/heads/ops")
    token: str = broker.exchange(ci_token, audience=service).json()["access_token"]
    return token


def ask(broker: RunningBroker, *authorizations: str, query: str = "") -> httpx.Response:
    headers = [("Authorization", each) for each in authorizations]
    return broker.request("GET", f"/api/v1/policies{query}", headers=headers)


def test_a_reader_sees_what_is_in_force(broker: RunningBroker) -> None:
    answer = ask(broker, "Bearer " + own_token(broker, "reads-policies"))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    listed: dict[str, Any] = {each["name"]: each for each in answer.json()["items"]}
    assert {"octo-main", "reads-policies", "reads-keys"} <= listed.keys()
    assert listed["reads-policies"]["service_account"] == "policy-reader"
    assert listed["reads-policies"]["expires_at"] == "2030-01-01T00:00:00Z"
    assert listed["octo-main"]["expires_at"] is None
    assert len(answer.json()["version"]) == 64


def test_another_version_is_not_in_force(broker: RunningBroker) -> None:
    bearer = "Bearer " + own_token(broker, "reads-policies")
    version = ask(broker, bearer).json()["version"]

    assert ask(broker, bearer, query=f"?version={version}").status_code == 200
    answer = ask(broker, bearer, query="?version=" + "0" * 64)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_without_credentials_there_is_a_bare_challenge(broker: RunningBroker) -> None:
    answer = ask(broker)

    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="broker"'


def test_a_token_for_another_service_is_no_key(broker: RunningBroker) -> None:
    answer = ask(broker, "Bearer " + own_token(broker, "reads-policies", "deploy-api"))

    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("authorization", ["Bearer x", "Bearer", "Basic eDp5", "Bearer a.b.c"])
def test_what_is_no_own_token_is_no_key(broker: RunningBroker, authorization: str) -> None:
    assert ask(broker, authorization).status_code == 401


def test_a_ci_token_is_no_key(broker: RunningBroker) -> None:
    assert ask(broker, "Bearer " + broker.github_token()).status_code == 401


def test_two_authorization_headers_are_no_request(broker: RunningBroker) -> None:
    bearer = "Bearer " + own_token(broker, "reads-policies")

    assert ask(broker, bearer, bearer).json()["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("environment", ["reads-keys", "org"])
def test_who_lacks_the_scope_or_belongs_to_an_organization_is_kept_out(
    broker: RunningBroker, environment: str
) -> None:
    answer = ask(broker, "Bearer " + own_token(broker, environment))

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert (
        'error="insufficient_scope", scope="broker:policies:read"'
        in (answer.headers["www-authenticate"])
    )


def test_a_token_is_over_when_it_expires(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as own:
        bearer = "Bearer " + own_token(own, "reads-policies")
        own.clock.advance(600)

        assert ask(own, bearer).status_code == 401


def test_a_well_signed_token_that_is_not_on_record_is_no_key(tmp_path: Path) -> None:
    """A stolen signing key, or a restored backup (attacks row 153)."""
    with special_broker(tmp_path, OPERATORS) as own:
        bearer = "Bearer " + own_token(own, "reads-policies")
        assert ask(own, bearer).status_code == 200
        with apsw.Connection(str(own.folder / "broker.db")) as store:
            store.execute("DELETE FROM events")

        assert ask(own, bearer).status_code == 401


def test_a_store_that_is_gone_is_said(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as own:
        bearer = "Bearer " + own_token(own, "reads-policies")
        for file in own.folder.glob("broker.db*"):
            file.unlink()

        answer = ask(own, bearer)
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
