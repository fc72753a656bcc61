"""`/readyz`: the word for everyone, and what is wrong since when for who may know."""

from typing import Any

import httpx
import pytest

from tests.client_secrets import an_account, give
from tests.running_broker import RunningBroker


def readiness(broker: RunningBroker, *scopes: str) -> httpx.Response:
    key = give(broker, an_account(grants={"broker": scopes}))
    return broker.request("GET", "/readyz", headers={"Authorization": f"Bearer {key}"})


def parts_of(broker: RunningBroker) -> dict[str, Any]:
    parts: dict[str, Any] = readiness(broker, "broker:metrics:read").json()["parts"]
    return parts


def test_when_all_is_well_every_part_is(live_broker: RunningBroker) -> None:
    answer = readiness(live_broker, "broker:metrics:read")

    assert answer.status_code == 200
    well = {"status": "ok", "since": None}
    assert answer.json() == {
        "status": "ready",
        "parts": {
            "store": well,
            "policies": well,
            "issuer_keys": {**well, "issuers": {}},
            "signing_keys": well,
        },
    }


def test_who_sends_no_credentials_hears_the_word_alone(own_broker: RunningBroker) -> None:
    break_policies(own_broker)

    assert own_broker.request("GET", "/readyz").json() == {"status": "degraded"}


def test_other_credentials_are_told_that_they_are_no_good(live_broker: RunningBroker) -> None:
    nobody = {"Authorization": "Bearer sa_live_" + "x" * 56}

    assert live_broker.request("GET", "/readyz", headers=nobody).status_code == 401
    answer = readiness(live_broker, "broker:audit:read")
    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")


def test_rejected_files_are_told_with_when_that_began(own_broker: RunningBroker) -> None:
    own_broker.clock.advance(60)
    break_policies(own_broker)
    own_broker.clock.advance(60)
    own_broker.reload(forced=False)

    answer = readiness(own_broker, "broker:metrics:read").json()
    assert answer["status"] == "degraded"
    policies = answer["parts"]["policies"]
    assert (policies["status"], policies["problems"]) == ("degraded", 1)
    assert policies["since"] == "2026-11-21T22:27:40.000Z"
    assert "nobody" not in str(answer)


def test_an_issuer_that_is_away_is_told_and_decides_nothing(own_broker: RunningBroker) -> None:
    own_broker.issuer_servers["github"].status = 500
    for _ in range(2):
        assert own_broker.exchange(own_broker.github_token()).status_code == 503
        own_broker.clock.advance(30)

    answer = readiness(own_broker, "broker:metrics:read").json()
    assert answer["status"] == "ready"
    keys = answer["parts"]["issuer_keys"]
    assert (keys["status"], keys["since"]) == ("degraded", "2026-11-21T22:26:40.000Z")
    assert keys["issuers"] == {
        "github": {
            "since": keys["since"],
            "usable": False,
            "failures": 2,
            "failure": "the key set was answered with 500",
        }
    }
    own_broker.issuer_servers["github"].status = None
    own_broker.clock.advance(60)
    assert own_broker.exchange(own_broker.github_token()).status_code == 200
    assert parts_of(own_broker)["issuer_keys"]["status"] == "ok"


def test_a_store_that_cannot_be_written_is_told_since_it_was_found(
    own_broker: RunningBroker,
) -> None:
    key = give(own_broker, an_account(grants={"broker": ("broker:metrics:read",)}))
    caller = {"Authorization": f"Bearer {key}"}
    assert own_broker.request("GET", "/readyz", headers=caller).json()["status"] == "ready"
    database = own_broker.folder / "broker.db"
    away = database.rename(database.with_suffix(".away"))
    own_broker.clock.advance(2)
    answers = []
    for _ in range(2):
        answers.append(own_broker.request("GET", "/readyz", headers=caller))
        own_broker.clock.advance(2)
    away.rename(database)

    assert [each.status_code for each in answers] == [503, 503]
    for answer in answers:
        assert answer.json()["status"] == "unready"
        store = answer.json()["parts"]["store"]
        assert store == {"status": "failed", "since": "2026-11-21T22:26:42.000Z"}
    assert own_broker.request("GET", "/readyz", headers=caller).json()["status"] == "ready"


def break_policies(broker: RunningBroker) -> None:
    broken = broker.folder / "policies" / "broken.yaml"
    broken.write_text("policies: {main: {issuer: nobody}}\n")
    broker.reload(forced=False)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_it_takes_no_other_method(live_broker: RunningBroker, method: str) -> None:
    assert live_broker.request(method, "/readyz").status_code == 405
