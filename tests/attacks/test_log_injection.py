"""Row 58: text of the attacker's choice that breaks out of its line, or paints over it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.core.vocabulary import GRANT_JWT_BEARER
from tests.attacks.hand_made_tokens import payload_of
from tests.attacks.refusals import LOG, assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import SpecialBroker

HOSTILE = {
    "line feeds": 'x\r\n{"outcome":"success","service_account":"admin"}\r\n',
    "terminal": "\u001b[2K\u001b[1A\u001b]0;owned\u0007",
    "next line": "a\u0085b\u2028c\u2029d",
    "right to left": "\u202egnp.exe\u2066",
    "NUL": "a\u0000b",
    "quotes": '"},"outcome":"success",{"a":"',
    "shell": "$(id);`id`|id",
    "astral": "\U0001f4a9\U000e0041",
}


class PrintingBroker(SpecialBroker):
    """A broker that prints its audit as it does in production."""

    def settings(self) -> Any:
        settings = super().settings()
        return replace(settings, audit=replace(settings.audit, stdout=True))


def assert_one_line_each(events: list[dict[str, Any]], printed: str) -> list[dict[str, Any]]:
    """Assert that each event is one line of printable ASCII, and give what the lines say."""
    lines = printed.split("\n")
    assert lines.pop() == ""
    assert all(" " <= character <= "~" for line in lines for character in line)
    told = [json.loads(line) for line in lines]
    told = [line for line in told if line["type"] != "audit.head"]
    assert told == events
    return told


def test_every_event_is_one_line_of_printable_ascii(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with PrintingBroker(tmp_path).serving() as broker:
        for text in HOSTILE.values():
            token = broker.github_token(workflow=text, head_ref=text, actor=text)
            verified(broker, broker.exchange(token))
            broker.exchange(broker.github_token(ref=f"refs/heads/{text}"))
            broker.exchange(broker.github_token(sub=text))
            broker.exchange(broker.github_token(), scope=text)
            broker.exchange(broker.github_token(), audience=text)
            broker.exchange(broker.github_token(), client_id=text)
        events = broker.events()

    told = assert_one_line_each(events, capfd.readouterr().out)

    granted = [event for event in told if event["type"] == "token.exchanged"]
    assert {event["service_account"] for event in granted} == {"deploy-web"}
    workflows = [event["claims"]["workflow"] for event in granted]
    assert [each for each in workflows if each != "Deploy"] == list(HOSTILE.values())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_claim_is_answered_in_the_characters_of_the_rfc(
    live_broker: RunningBroker, name: str
) -> None:
    token = live_broker.github_token(
        ref=f"refs/heads/{HOSTILE[name]}", sub="repo:octo-org/octo-repo:ref:x", environment='a"b\\'
    )

    answer = live_broker.exchange(token)

    assert_refused(live_broker, answer, "no_policy_matched")
    description = answer.json()["error_description"]
    assert all(" " <= each <= "~" and each not in '"\\' for each in description)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_key_id_does_not_get_far(live_broker: RunningBroker, name: str) -> None:
    token = live_broker.github.token(
        payload_of(live_broker), audience=AUDIENCE, header={"kid": HOSTILE[name]}
    )

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


@pytest.mark.parametrize("parameter", ["audience", "client_id", "grant_type", "resource"])
def test_a_parameter_has_no_control_characters(live_broker: RunningBroker, parameter: str) -> None:
    for text in ("a\r\nb", "a\u0000b", "\u001b[31m", "a\u007fb"):
        answer = live_broker.exchange(live_broker.github_token(), **{parameter: text})
        assert_refused(live_broker, answer, "malformed_request")


def test_a_claim_of_many_kilobytes_is_left_out_of_the_record(live_broker: RunningBroker) -> None:
    token = live_broker.github_token(workflow="w" * 8000, head_ref="\u202e" * 300)

    answer = live_broker.exchange(token)

    verified(live_broker, answer)
    (event,) = (
        each for each in live_broker.events() if each["token_id"] == answer.json()["token_id"]
    )
    assert "workflow" not in event["claims"]
    assert "head_ref" not in event["claims"]
    assert len(json.dumps(event)) < 16_384


def test_headers_do_not_reach_the_record_or_the_log(live_broker: RunningBroker) -> None:
    marks = {"user-agent": "agent\u001b[31m-mark", "referer": "https://mark.example/?code=s3cret"}

    answer = live_broker.exchange(live_broker.github_token())
    verified(live_broker, answer)
    live_broker.post({"grant_type": "x"}, headers={k: v.encode() for k, v in marks.items()})

    everything = json.dumps(live_broker.events()) + LOG.text()
    assert "mark" not in everything


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"audience": "a" * 60_000}, "target_unknown"),
        ({"audience": [f"service-{number}" for number in range(2_000)]}, "target_unknown"),
        ({"resource": "https://evil.example/" + "r" * 60_000}, "target_unknown"),
        ({"scope": "s" * 60_000}, "scope_not_allowed"),
        ({"scope": " ".join(f"{number:0500}" for number in range(99))}, "scope_not_allowed"),
        ({"client_id": "c" * 60_000}, "malformed_request"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_asked_for_does_not_fill_the_record(
    live_broker: RunningBroker, asked: dict[str, Any], reason: str
) -> None:
    request = {
        "grant_type": GRANT_JWT_BEARER,
        "assertion": live_broker.github_token(),
        "audience": "deploy-api",
    }

    answer = live_broker.request("POST", "/api/v1/auth/token", json=request | asked)

    event = assert_refused(live_broker, answer, reason)
    assert len(json.dumps(event)) < 16_384
    assert len(answer.content) < 8_192


def test_nor_does_a_subject_that_is_too_long(live_broker: RunningBroker) -> None:
    token = live_broker.github_token(sub="repo:octo-org/octo-repo:" + "\u202e" * 1500)

    event = assert_refused(live_broker, live_broker.exchange(token), "claim_invalid")

    assert len(event["subject"]) == 1024
    assert len(json.dumps(event)) < 16_384
