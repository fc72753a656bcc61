"""Row 120: a time to live that is too long, or no number at all."""

import pytest

from tests.attacks.refusals import assert_refused
from tests.running_broker import NOW, RunningBroker
from tests.service_tokens import verified


@pytest.mark.parametrize("expires_in", ["3601", "999999", "999999999", "9999999999"])
def test_a_long_one_is_cut_without_an_error(live_broker: RunningBroker, expires_in: str) -> None:
    answer = live_broker.exchange(live_broker.github_token(), expires_in=expires_in)

    assert verified(live_broker, answer)["exp"] == NOW + 3600


@pytest.mark.parametrize(("expires_in", "granted"), [("1", 1), ("60", 60), ("3600", 3600)])
def test_a_short_one_is_granted(live_broker: RunningBroker, expires_in: str, granted: int) -> None:
    answer = live_broker.exchange(live_broker.github_token(), expires_in=expires_in)

    assert verified(live_broker, answer)["exp"] == NOW + granted


@pytest.mark.parametrize(
    "expires_in",
    [
        "0",
        "-1",
        "-999999",
        "1.5",
        "60.0",
        "1e3",
        "0x10",
        "NaN",
        "Infinity",
        "10m",
        "ten",
        " 60",
        "+60",
        "٦٠",
        "²",
    ],
)
def test_anything_but_whole_seconds_is_refused(live_broker: RunningBroker, expires_in: str) -> None:
    answer = live_broker.exchange(live_broker.github_token(), expires_in=expires_in)

    assert_refused(live_broker, answer, "malformed_request")


@pytest.mark.parametrize("expires_in", [0, -1, 1.5, True, None, [60]], ids=repr)
def test_so_it_is_in_json(live_broker: RunningBroker, expires_in: object) -> None:
    answer = live_broker.request(
        "POST", "/api/v1/auth/token", json={"grant_type": "x", "expires_in": expires_in}
    )

    assert answer.status_code == 400
    assert answer.json()["reason"] in ("malformed_request", "grant_type_unsupported")


def test_json_may_hold_the_number_itself(live_broker: RunningBroker) -> None:
    answer = live_broker.request(
        "POST",
        "/api/v1/auth/token",
        json={
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": live_broker.github_token(),
            "audience": "deploy-api",
            "expires_in": 90,
        },
    )

    assert verified(live_broker, answer)["exp"] == NOW + 90
