"""Row 124: a secret in the URL, in two places, or written so that two readers see two of them."""

import base64
from typing import Any

import pytest

from tests.attacks.refusals import LOG, assert_refused
from tests.client_secrets import an_account, ask, basic_header, give
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

FORM = {"grant_type": "client_credentials", "audience": "deploy-api"}


@pytest.fixture(scope="module")
def client(live_broker: RunningBroker) -> tuple[str, str]:
    account = an_account()
    return account.client_id, give(live_broker, account)


def test_the_url_is_not_read_and_not_logged(
    live_broker: RunningBroker, client: tuple[str, str]
) -> None:
    client_id, secret = client
    path = f"/oauth/token?client_id={client_id}&client_secret={secret}"

    answer = live_broker.request("POST", path, data=FORM)

    assert_refused(live_broker, answer, "malformed_request")
    for text in (answer.text, LOG.text(), str(live_broker.events())):
        assert secret not in text


def test_two_places_are_one_too_many(live_broker: RunningBroker, client: tuple[str, str]) -> None:
    client_id, secret = client
    form = FORM | {"client_id": client_id, "client_secret": secret}

    answer = live_broker.post(form, headers=basic_header(client_id, secret))

    assert_refused(live_broker, answer, "malformed_request")


@pytest.mark.parametrize(
    "members",
    [
        {"client_secret": ["{secret}", "{secret}"]},
        {"client_secret": ["{secret}", "x"]},
        {"client_id": ["{id}", "{id}"], "client_secret": "{secret}"},
    ],
)
def test_a_repeated_parameter_is_refused(
    live_broker: RunningBroker, client: tuple[str, str], members: dict[str, Any]
) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(each) for each in value]
        return value.format(id=client[0], secret=client[1])

    form = FORM | {"client_id": client[0]} | {name: filled(each) for name, each in members.items()}

    assert_refused(live_broker, live_broker.post(form), "malformed_request")


def test_the_first_colon_divides(live_broker: RunningBroker, client: tuple[str, str]) -> None:
    client_id, secret = client

    for pair in (f"{client_id}::{secret}", f"{client_id}:{secret}:", f":{client_id}:{secret}"):
        header = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        answer = live_broker.post(FORM, headers=header)

        assert_refused(live_broker, answer, "client_unknown_or_bad_secret", status=401)


WRITTEN = {
    "latin-1": "sécret".encode("latin-1"),
    "utf-8": "sécret".encode(),
    "nul": b"a\0b",
    "percent": b"%",
    "percent nul": b"%00",
    "half an escape": b"%4",
    "no utf-8": b"%FF",
    "long": b"x" * 30_000,
    "empty": b"",
    "surrogate": b"%ED%A0%80",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_no_secret_is_a_fault_of_the_broker(
    live_broker: RunningBroker, client: tuple[str, str], name: str
) -> None:
    pair = client[0].encode() + b":" + WRITTEN[name]
    header = {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    by_basic = live_broker.post(FORM, headers=header)
    body = b"grant_type=client_credentials&client_id=" + client[0].encode()
    in_body = live_broker.request(
        "POST",
        "/oauth/token",
        content=body + b"&client_secret=" + WRITTEN[name],
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    for answer in (by_basic, in_body):
        assert answer.status_code in (400, 401)
        assert answer.json()["error"] in ("invalid_client", "invalid_request")


@pytest.fixture(scope="module")
def nightly(live_broker: RunningBroker) -> tuple[str, str]:
    account = an_account(client_id="nightly-key")
    return account.client_id, give(live_broker, account)


@pytest.mark.parametrize(
    "near", ["Nightly-Key", "nightly-\u212aey", "nightly-key ", "nightly-key."]
)
def test_an_id_that_nearly_is_one_is_none(
    live_broker: RunningBroker, nightly: tuple[str, str], near: str
) -> None:
    """Row 126: ids are compared as they are, character by character."""
    client_id, secret = nightly

    assert_refused(live_broker, ask(live_broker, near, secret), "client_unknown_or_bad_secret")
    verified(live_broker, ask(live_broker, client_id, secret))


def test_a_scope_that_nearly_is_one_is_none(
    live_broker: RunningBroker, client: tuple[str, str]
) -> None:
    for scope in ("Deploy:read", "deploy:READ", "deploy:read,deploy:write"):
        answer = ask(live_broker, *client, scope=scope)

        assert_refused(live_broker, answer, "scope_not_allowed")
