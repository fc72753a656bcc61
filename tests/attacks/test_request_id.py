"""Row 190: a request id of the caller's choice that is taken for more than an echo."""

import pytest

from tests.attacks.refusals import LOG, assert_refused
from tests.raw_http import send_raw
from tests.running_broker import RunningBroker
from tests.service_tokens import verified


@pytest.mark.parametrize("request_id", ["a", "job-42_1.2", "A" * 64])
def test_a_harmless_one_is_kept(live_broker: RunningBroker, request_id: str) -> None:
    answer = live_broker.post({}, headers={"x-request-id": request_id})

    assert answer.headers["x-request-id"] == request_id


@pytest.mark.parametrize(
    "request_id",
    [
        "",
        "A" * 65,
        "A" * 60_000,
        "a b",
        "a,b",
        "a/b",
        "a:b",
        "a\tb",
        '"},{"outcome":"success"',
        "caf\xe9",
        "\u202egnp",
        "$(id)",
        "%0d%0aset-cookie: a=b",
    ],
    ids=lambda value: repr(value[:16]),
)
def test_any_other_is_replaced(live_broker: RunningBroker, request_id: str) -> None:
    answer = live_broker.request(
        "POST", "/oauth/token", headers=[(b"x-request-id", request_id.encode())], data={"a": "b"}
    )

    drawn = answer.headers["x-request-id"]
    assert len(drawn) == 36
    assert request_id.strip() not in drawn or not request_id.strip()
    assert len(request_id) < 3 or request_id not in LOG.text()


@pytest.mark.parametrize("request_id", [b"\x1b[31mred", b"a\x00red", b"a\x7fred", b"a\rred"])
def test_control_characters_do_not_get_past_the_http_parser(
    live_broker: RunningBroker, request_id: bytes
) -> None:
    answer = send_raw(
        live_broker,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"X-Request-Id: " + request_id + b"\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"red" not in answer
    assert "red" not in LOG.text().replace("registered", "")


def test_two_are_replaced_by_one(live_broker: RunningBroker) -> None:
    answer = live_broker.post({}, headers=[("x-request-id", "first"), ("x-request-id", "second")])

    assert answer.headers.get_list("x-request-id") == [answer.headers["x-request-id"]]
    assert answer.headers["x-request-id"] not in ("first", "second")


def test_it_is_no_key_to_anything(live_broker: RunningBroker) -> None:
    headers = {"x-request-id": "the-same"}
    tokens = [live_broker.github_token(event_name="pull_request") for _ in range(2)]

    events = [
        assert_refused(
            live_broker,
            live_broker.post(
                {
                    "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                    "assertion": token,
                    "audience": "deploy-api",
                },
                headers=headers,
            ),
            "no_policy_matched",
        )
        for token in tokens
    ]

    assert {event["request_id"] for event in events} == {"the-same"}
    assert len({event["id"] for event in events}) == 2


def test_the_id_of_a_decision_is_the_brokers_even_if_the_caller_sends_one(
    live_broker: RunningBroker,
) -> None:
    first = live_broker.exchange(live_broker.github_token(event_name="pull_request"))
    decision_id = first.json()["decision_id"]

    again = live_broker.post({}, headers={"x-request-id": decision_id})

    assert again.headers["x-request-id"] == decision_id
    assert again.json()["decision_id"] != decision_id


def test_it_is_on_record_with_the_grant(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(live_broker.github_token())

    verified(live_broker, answer)
    (event,) = (e for e in live_broker.events() if e["token_id"] == answer.json()["token_id"])
    assert event["request_id"] == answer.headers["x-request-id"]
