"""Row 134: a token that was revoked goes on being used, where nobody asks whether it counts.

Introspection tells no stranger of it, and tells nobody that it counts once it was revoked. A
service that verifies by the keys alone cannot know; there the token ends by itself, after minutes.
What a replica has revoked is revoked at all: `tests/replicas/test_taking_back.py`.
"""

from collections.abc import Iterator, Mapping

import pytest

from broker.settings import keys
from tests.docs.markdown import Page
from tests.http.test_introspection import NOTHING, credentials, of_a_job, policies, told
from tests.registry_api import RegistryClient, calling
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token
from tests.special_brokers import special_broker

AUDIENCE = "https://guarded.example"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), policies()) as running:
        yield running


@pytest.fixture(scope="module")
def admin(broker: RunningBroker) -> RegistryClient:
    return calling(broker, "admin")


@pytest.fixture(scope="module")
def seeing(admin: RegistryClient) -> Mapping[str, str]:
    """The credentials of a service that may introspect every token."""
    return credentials(admin.create(grants={"broker": ["broker:introspect"]}))


def revoke(broker: RunningBroker, token: str) -> None:
    answer = broker.request("POST", "/oauth/revoke", data={"token": token})
    assert (answer.status_code, answer.json()) == (200, {})


def test_another_client_is_told_the_same_of_a_token_before_and_after(
    broker: RunningBroker, admin: RegistryClient, seeing: Mapping[str, str]
) -> None:
    stranger, token = credentials(admin.create(grants={"guarded": []})), of_a_job(broker)
    assert told(broker, token, seeing)["active"] is True

    before = told(broker, token, stranger)
    revoke(broker, token)

    assert before == told(broker, token, stranger) == told(broker, token, seeing) == NOTHING


def test_a_revoked_token_is_not_revived_by_another_spelling(
    broker: RunningBroker, seeing: Mapping[str, str]
) -> None:
    token = of_a_job(broker)
    revoke(broker, token)

    for spelled in (token, f" {token}", f"{token} ", f"{token}=", f"Bearer {token}", token + "."):
        assert told(broker, spelled, seeing) == NOTHING
    for hint in ("access_token", "refresh_token", "id_token"):
        assert told(broker, token, {**seeing, "token_type_hint": hint}) == NOTHING


def test_to_revoke_another_spelling_leaves_no_token_that_counts_by_accident(
    broker: RunningBroker, seeing: Mapping[str, str]
) -> None:
    token = of_a_job(broker)
    head, payload, signature = token.split(".")

    revoke(broker, f"{head}.{payload}.{signature[:-4]}AAAA")

    # Nobody revokes by a token that was not signed; who has the token itself can.
    assert told(broker, token, seeing)["active"] is True
    revoke(broker, token)
    assert told(broker, token, seeing) == NOTHING


def test_who_verifies_by_the_keys_alone_accepts_it_for_minutes_and_the_page_says_so(
    broker: RunningBroker, seeing: Mapping[str, str]
) -> None:
    token = of_a_job(broker)
    revoke(broker, token)

    claims = verified_token(broker, token, audience=AUDIENCE)

    assert told(broker, token, seeing) == NOTHING
    assert claims["exp"] - claims["iat"] == keys.TTL.default == 600
    page = Page("docs/guides/emergency.md").section("Stop it")
    assert "Services that verify tokens by themselves do not hear of it" in page
    assert "until they expire, for `ttl` at most" in page
