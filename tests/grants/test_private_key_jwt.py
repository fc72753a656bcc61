"""`private_key_jwt`: a client shows by a signature that it holds a registered key (CA-20 to 24)."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.core.managed_account import ManagedAccount
from broker.testing import FakeIssuer
from broker.testing.jws import compact_jws
from tests.client_keys import KeyPair, asserting
from tests.client_secrets import an_account, change, give
from tests.running_broker import NOW, POLICIES, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ES256 = KeyPair.made()
OTHER = KeyPair.made()


@pytest.fixture(scope="module")
def client(live_broker: RunningBroker) -> ManagedAccount:
    return registered(live_broker, ES256)


def registered(broker: RunningBroker, pair: KeyPair, **members: Any) -> ManagedAccount:
    """Give the store an account with a key."""
    account = an_account(jwks=pair.jwks(), **members)
    give(broker, account)
    return account


def refused(answer: httpx.Response, reason: str = "client_unknown_or_bad_secret") -> str:
    """Assert that the client is refused without a challenge; give what it is told."""
    body = answer.json()
    assert (answer.status_code, body["error"], body["reason"]) == (400, "invalid_client", reason)
    assert "www-authenticate" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    description: str = body["error_description"]
    return description


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_a_registered_key_gets_a_token(live_broker: RunningBroker, algorithm: str) -> None:
    pair = KeyPair.made(algorithm)
    account = registered(live_broker, pair)
    answer = asserting(live_broker, pair.assertion(live_broker, account.client_id))

    claims = verified(live_broker, answer)
    assert claims["sub"] == claims["client_id"] == account.client_id
    assert claims["scope"] == "deploy:read deploy:write"
    assert "refresh_token" not in answer.json()
    [event] = [each for each in live_broker.events() if each["token_id"] == claims["jti"]]
    assert (event["type"], event["actor"]) == ("token.issued", "key key-1")


@pytest.mark.parametrize(
    "differing",
    [
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "client-authentication+jwt"}},
        {"header": {"kid": None}},
        {"iat": None},
        {"nbf": int(NOW)},
        {"exp": int(NOW) + 300},
        {"iat": int(NOW) + 59},
        {"exp": int(NOW) - 59},
    ],
)
def test_what_clients_do_differently_is_fine(
    live_broker: RunningBroker, client: ManagedAccount, differing: dict[str, Any]
) -> None:
    assertion = ES256.assertion(live_broker, client.client_id, **differing)

    verified(live_broker, asserting(live_broker, assertion))


def test_the_audience_may_be_a_list_of_one_and_the_client_id_be_sent(
    live_broker: RunningBroker, client: ManagedAccount
) -> None:
    assertion = ES256.assertion(live_broker, client.client_id, aud=[live_broker.url])

    verified(live_broker, asserting(live_broker, assertion, client_id=client.client_id))


def test_the_same_members_as_json_are_served(
    live_broker: RunningBroker, client: ManagedAccount
) -> None:
    members = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": ES256.assertion(live_broker, client.client_id),
        "audience": "deploy-api",
    }

    verified(live_broker, live_broker.request("POST", "/api/v1/auth/token", json=members))


BROKEN: dict[str, dict[str, Any]] = {
    "of another type": {"header": {"typ": "at+jwt"}},
    "a proof": {"header": {"typ": "dpop+jwt"}},
    "type is no text": {"header": {"typ": 1}},
    "no audience": {"aud": None},
    "another audience": {"aud": "https://elsewhere.example"},
    "expired": {"exp": int(NOW) - 60},
    "lives long": {"exp": int(NOW) + 301},
    "lives an hour": {"exp": int(NOW) + 3600},
    "made later": {"iat": int(NOW) + 61},
    "not yet": {"nbf": int(NOW) + 61},
    "no jti": {"jti": None},
    "jti is empty": {"jti": ""},
    "jti is no text": {"jti": 7},
    "jti is long": {"jti": "x" * 256},
    "key is unknown": {"header": {"kid": "key-2"}},
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_assertion_is_refused(
    live_broker: RunningBroker, client: ManagedAccount, name: str
) -> None:
    assertion = ES256.assertion(live_broker, client.client_id, **BROKEN[name])

    refused(asserting(live_broker, assertion))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": None}, "malformed_token"),
        ({"exp": "soon"}, "malformed_token"),
        ({"sub": "another"}, "issuer_not_trusted"),
        ({"sub": None}, "issuer_not_trusted"),
        ({"iss": None}, "issuer_not_trusted"),
        ({"iss": 7, "sub": 7}, "issuer_not_trusted"),
    ],
)
def test_what_no_client_makes_counts_as_a_token_of_somebody_else(
    live_broker: RunningBroker, client: ManagedAccount, claims: dict[str, Any], reason: str
) -> None:
    assertion = ES256.assertion(live_broker, client.client_id, **claims)

    refused(asserting(live_broker, assertion))
    refused(asserting(live_broker, assertion, client_id=client.client_id), reason)


@pytest.mark.parametrize("extra", [[], ["https://elsewhere.example"]])
def test_the_endpoint_is_no_audience_and_the_answer_says_which_is(
    live_broker: RunningBroker, client: ManagedAccount, extra: list[str]
) -> None:
    endpoint = f"{live_broker.url}/oauth/token"
    for audience in (endpoint, [endpoint, live_broker.url], [live_broker.url, *extra, endpoint]):
        assertion = ES256.assertion(live_broker, client.client_id, aud=audience)

        assert f"sole audience {live_broker.url}" in refused(asserting(live_broker, assertion))


def test_a_shared_secret_signs_nothing(live_broker: RunningBroker, client: ManagedAccount) -> None:
    secret = give(live_broker, client)
    claims = {
        "iss": client.client_id, "sub": client.client_id, "aud": live_broker.url,
        "exp": int(NOW) + 60, "iat": int(NOW), "jti": "x",
    }  # fmt: skip
    for algorithm, key in (("HS256", secret.encode()), ("none", None)):
        header = {"alg": algorithm, "kid": "key-1"}
        assertion = compact_jws(header, claims, algorithm=algorithm, key=key)

        refused(
            asserting(live_broker, assertion, client_id=client.client_id), "algorithm_not_allowed"
        )
        refused(asserting(live_broker, assertion))


def test_an_assertion_authenticates_once(
    live_broker: RunningBroker, client: ManagedAccount
) -> None:
    assertion = ES256.assertion(live_broker, client.client_id)
    refusals = [
        asserting(live_broker, assertion, scope="billing:read"),
        asserting(live_broker, assertion, audience="no-such"),
    ]
    assert [each.json()["error"] for each in refusals] == ["invalid_scope", "invalid_target"]

    verified(live_broker, asserting(live_broker, assertion))
    answer = asserting(live_broker, assertion)
    refused(answer, "token_already_used")
    [event] = [e for e in live_broker.events() if e["id"] == answer.json()["decision_id"]]
    assert (event["type"], event["service_account"]) == ("token.refused", client.client_id)


def test_two_clients_may_draw_the_same_id(
    live_broker: RunningBroker, client: ManagedAccount
) -> None:
    other = registered(live_broker, ES256)
    for account in (client, other):
        assertion = ES256.assertion(live_broker, account.client_id, jti="the-same")

        verified(live_broker, asserting(live_broker, assertion))


def test_whatever_is_wrong_with_a_client_looks_the_same(
    live_broker: RunningBroker, client: ManagedAccount
) -> None:
    def asked(client_id: str, pair: KeyPair = ES256) -> httpx.Response:
        return asserting(live_broker, pair.assertion(live_broker, client_id))

    without_key = an_account()
    give(live_broker, without_key)
    wrong = {
        "unknown": "nobody",
        "no key": without_key.client_id,
        "off": registered(live_broker, ES256, enabled=False).client_id,
        "over": registered(live_broker, ES256, expires_at=NOW).client_id,
        "deleted": registered(live_broker, ES256, deleted_at=NOW).client_id,
        "forbidden": registered(live_broker, ES256, secrets_allowed=False).client_id,
        "elsewhere": registered(
            live_broker, ES256, allowed_networks=("192.0.2.0/24",)
        ).client_id,
        "another's key": registered(live_broker, OTHER).client_id,
        "of a file": "deploy-web",
    }  # fmt: skip
    answers = [asked(client_id) for client_id in wrong.values()]
    answers.append(asked(client.client_id, OTHER))

    assert len({refused(each) for each in answers}) == 1
    assertion = ES256.assertion(live_broker, client.client_id)
    answer = asserting(live_broker, assertion, client_id="deploy-web")
    assert "another client" in refused(answer)


def test_a_key_that_is_taken_back_authenticates_no_more(live_broker: RunningBroker) -> None:
    account = registered(live_broker, ES256)
    verified(live_broker, asserting(live_broker, ES256.assertion(live_broker, account.client_id)))

    change(live_broker, account, jwks=OTHER.jwks())

    refused(asserting(live_broker, ES256.assertion(live_broker, account.client_id)))
    verified(live_broker, asserting(live_broker, OTHER.assertion(live_broker, account.client_id)))
    change(live_broker, account, jwks={"keys": []})
    refused(asserting(live_broker, OTHER.assertion(live_broker, account.client_id)))


def test_with_another_grant_an_assertion_is_judged_and_not_used_up(
    live_broker: RunningBroker, client: ManagedAccount
) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": live_broker.github_token(),
    }
    bad = OTHER.assertion(live_broker, client.client_id)
    good = ES256.assertion(live_broker, client.client_id)

    refused(asserting(live_broker, bad, **form))
    assert verified(live_broker, asserting(live_broker, good, **form))["sub"] == "deploy-web"
    verified(live_broker, asserting(live_broker, good))


def test_a_file_may_register_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    pair = KeyPair.made("RS256")
    stated = json.dumps(pair.jwks()).replace("{", "{{").replace("}", "}}")
    fields = f"    secrets: allowed\n    jwks: {stated}"
    policies = POLICIES.replace("    metadata: {{team: web}}", fields)
    with RunningBroker(tmp_path_factory.mktemp("broker"), policies).serving() as broker:
        answer = asserting(broker, pair.assertion(broker, "deploy-web"))

        assert verified(broker, answer)["client_id"] == "deploy-web"
        refused(asserting(broker, OTHER.assertion(broker, "deploy-web")))


def test_keys_may_be_published_and_are_followed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    publisher = FakeIssuer("http://127.0.0.1:0")
    with publisher.serve() as published:
        fields = f"    secrets: allowed\n    jwks_uri: {published.jwks_uri}"
        policies = POLICIES.replace("    metadata: {{team: web}}", fields)
        with RunningBroker(tmp_path_factory.mktemp("broker"), policies).serving() as broker:
            pair = KeyPair(publisher.key, "RS256", publisher.key_id)

            for _ in range(2):
                verified(broker, asserting(broker, pair.assertion(broker, "deploy-web")))
            assert len(published.requests) == 1
            unnamed = pair.assertion(broker, "deploy-web", header={"kid": None})
            refused(asserting(broker, unnamed))
            refused(asserting(broker, OTHER.assertion(broker, "deploy-web")))


def test_keys_that_cannot_be_fetched_are_the_brokers_trouble(tmp_path: Path) -> None:
    account = an_account(jwks_uri="https://127.0.0.1:1/jwks")
    with special_broker(tmp_path, jwks_hosts=("127.0.0.1",)) as broker:
        give(broker, account)
        answer = asserting(broker, ES256.assertion(broker, account.client_id))

        assert (answer.status_code, answer.json()["reason"]) == (503, "issuer_unavailable")
        assert "retry-after" in answer.headers


def test_a_host_that_is_configured_no_longer_is_not_asked(live_broker: RunningBroker) -> None:
    account = an_account(jwks_uri="https://127.0.0.1:1/jwks")
    give(live_broker, account)

    refused(asserting(live_broker, ES256.assertion(live_broker, account.client_id)))
