"""Client credentials at the token endpoint: present ones are always judged (CA-04 to CA-10)."""

import base64
from typing import Any

import httpx
import pytest

from tests.running_broker import RunningBroker
from tests.service_tokens import verified

SECRET = "sa_live_" + "x" * 56
ASSERTION = {
    "client_assertion": "a.b.c",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}
POST_SECRET = {"client_id": "deploy-web", "client_secret": SECRET}


def basic(client_id: str = "deploy-web", secret: str = SECRET) -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def ask(broker: RunningBroker, form: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    """A jwt-bearer request that would be permitted without the credentials."""
    grant = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": broker.github_token(),
        "audience": "deploy-api",
    }
    return broker.post(
        grant | form, headers={name: value.encode() for name, value in headers.items()}
    )


BAD_BASIC = {
    "wrong secret": basic(),
    "unknown client": basic("no-such-account"),
    "no client": basic("", SECRET),
    "no secret": basic("deploy-web", ""),
    "upper case": {"authorization": basic()["authorization"].replace("Basic", "BASIC")},
    "nothing": {"authorization": "Basic"},
    "no colon": {"authorization": "Basic b2s="},
}


@pytest.mark.parametrize("name", BAD_BASIC)
def test_bad_basic_credentials_are_challenged(broker: RunningBroker, name: str) -> None:
    answer = ask(broker, {}, BAD_BASIC[name])

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert answer.json()["error"] == "invalid_client"
    assert answer.json()["reason"] == "client_unknown_or_bad_secret"
    assert answer.headers["cache-control"] == "no-store"
    assert SECRET not in answer.text


def test_unknown_client_and_wrong_secret_look_the_same(broker: RunningBroker) -> None:
    bodies = {
        ask(broker, {}, header).text for header in (basic(), basic("nobody"), basic(secret="y"))
    }

    assert len(bodies) == 1


@pytest.mark.parametrize(
    "form",
    [POST_SECRET, {"client_secret": SECRET}, ASSERTION, POST_SECRET | ASSERTION,
     {"client_assertion": "a.b.c"}, {"client_assertion_type": "x"}],
    ids=["post", "post without id", "assertion", "both", "assertion alone", "type alone"],
)  # fmt: skip
def test_bad_credentials_in_the_body_are_not_challenged(
    broker: RunningBroker, form: dict[str, str]
) -> None:
    answer = ask(broker, form, {})

    assert answer.status_code == 400
    assert "www-authenticate" not in answer.headers
    assert answer.json()["error"] == "invalid_client"
    assert answer.json()["reason"] == "client_unknown_or_bad_secret"


def test_two_ways_at_once_are_a_malformed_request(broker: RunningBroker) -> None:
    answer = ask(broker, POST_SECRET, basic())

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("form", [ASSERTION, POST_SECRET | ASSERTION], ids=["two", "three"])
def test_any_mix_with_an_assertion_is_an_invalid_client(
    broker: RunningBroker, form: dict[str, str]
) -> None:
    answer = ask(broker, form, basic())

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_an_empty_basic_pair_is_no_credentials(broker: RunningBroker) -> None:
    answer = ask(broker, {}, {"authorization": "Basic Og=="})

    verified(broker, answer)


def test_empty_credentials_in_the_body_are_none_either(broker: RunningBroker) -> None:
    verified(broker, ask(broker, {"client_secret": "", "client_assertion": ""}, {}))


@pytest.mark.parametrize(
    "header",
    ["Basic *", "Basic Og", "Basic b2s=\u00e9", "Bearer x", "Digest x", "", "x"],
)
def test_a_header_that_proves_no_client_is_challenged(broker: RunningBroker, header: str) -> None:
    answer = ask(broker, {}, {"authorization": header})

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.json()["reason"] == "client_unknown_or_bad_secret"
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


def test_credentials_are_judged_before_the_grant(broker: RunningBroker) -> None:
    answer = broker.post({"grant_type": "no-such-grant"}, headers=basic())

    assert answer.json()["reason"] == "client_unknown_or_bad_secret"


def test_a_failed_attempt_spends_no_token(broker: RunningBroker) -> None:
    token = broker.github_token()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": token,
        "audience": "deploy-api",
    }

    assert broker.post(form, headers=basic()).status_code == 401
    assert broker.post(form | POST_SECRET).status_code == 400
    verified(broker, broker.post(form))


@pytest.mark.parametrize(
    "values", [["Basic Og==", "Basic Og=="], ["Basic Og==, Basic Og=="]], ids=["two", "a list"]
)
def test_one_header_at_most_is_read(broker: RunningBroker, values: list[str]) -> None:
    answer = broker.request(
        "POST",
        "/oauth/token",
        data={"grant_type": "x"},
        headers=[("authorization", value) for value in values],
    )

    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed_request")
