"""Row 189: two Authorization headers, of which a proxy reads one and the broker the other."""

import base64

import pytest

from tests.attacks.refusals import LOG, assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

SECRET = "sa_live_" + "x" * 56
BASIC = "Basic " + base64.b64encode(f"deploy-web:{SECRET}".encode()).decode()
EMPTY_BASIC = "Basic Og=="


@pytest.mark.parametrize(
    "headers",
    [
        [BASIC, BASIC],
        [BASIC, EMPTY_BASIC],
        [EMPTY_BASIC, EMPTY_BASIC],
        [EMPTY_BASIC, "Bearer x"],
        [f"{BASIC}, {BASIC}"],
        [f"{EMPTY_BASIC}, {BASIC}"],
        [f"{EMPTY_BASIC},"],
        ["", BASIC],
    ],
    ids=lambda headers: f"{len(headers)} of {len(headers[-1])}",
)
@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/auth/token"])
def test_neither_of_two_is_used(live_broker: RunningBroker, path: str, headers: list[str]) -> None:
    token = live_broker.github_token()

    answer = live_broker.request(
        "POST",
        path,
        data={
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": token,
            "audience": "deploy-api",
        },
        headers=[("authorization", value) for value in headers],
    )

    assert answer.json()["error"] == "invalid_request"
    assert_refused(live_broker, answer, "malformed_request")
    assert SECRET not in answer.text + LOG.text()
    verified(live_broker, live_broker.exchange(token))
