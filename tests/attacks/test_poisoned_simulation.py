"""Rows 170, 173, 174: traffic that was made to spoil a report, or to speak through it.

Whoever runs a job chooses its branch and its environment, and may run it as often as it likes; of
a token that does not verify nothing is recorded but a count.
"""

import json
import re

import pytest

from broker.core.audit import AuditEvent
from broker.core.simulation import report_markdown, report_text
from broker.core.simulation.past_decision import PassedOver
from broker.core.simulation.tally import MAX_GROUPS, Report
from tests.core.builders import NOW, a_policy
from tests.core.simulation.recording import now, recorded, simulated, then

HOSTILE = (
    "x`](https://evil.example)",
    "<img src=https://evil.example/a.png>",
    "@acme/admins",
    "a\n- acme/other gains everything",
    "a\r\n::error::b",
    "\x1b[2J\x1b[1;31m",
    "\u202egnp.exe",
    "=HYPERLINK(1)",
    "``` \n# Approved",
    # More than 80 begin no span of code, for the readers of Markdown that platforms use.
    "`" * 80 + "[x](https://evil.example) @acme/admins",
    "|x|y|",
    "%0A::add-mask::x",
    "x##[stop-commands]y",
    "##vso[task.setvariable variable=a]b",
)
COMMAND = re.compile(r"##[A-Za-z]*\[")
WIDER = now(a_policy("web", {"repository_id": "456789"}))


def hostile_report() -> Report:
    events = [recorded(then(), ref=f"refs/heads/{text}", repository=text) for text in HOSTILE]
    return simulated(WIDER, *events)


def test_no_name_leaves_its_line_or_moves_the_cursor() -> None:
    text = report_text.render(hostile_report())

    assert all(line.isprintable() for line in text.split("\n"))
    changes = [line for line in text.split("\n") if line.startswith("  ") and " gains " in line]
    assert len(changes) == len(HOSTILE)
    assert not re.search(r"^\s*(::|- |#)", text, re.MULTILINE)
    assert COMMAND.search(text) is None


def test_in_a_comment_every_name_is_a_span_of_code() -> None:
    text = report_markdown.render(hostile_report())

    assert all(line.isprintable() for line in text.split("\n"))
    # Without the spans there is nothing left that could be mark-up, a mention or a link.
    assert "`" * 81 not in text
    rest = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    for sign in ("<img", "@acme", "](", "evil", "::", "HYPERLINK", "Approved"):
        assert sign not in rest
    assert "<img" in text
    assert COMMAND.search(text) is None


def test_a_flood_of_names_takes_no_more_than_its_bound() -> None:
    events = (
        recorded(then(), ref=f"refs/heads/{number}", repository=f"acme/{number}")
        for number in range(MAX_GROUPS + 50)
    )
    members = simulated(WIDER, *events).as_json()

    assert members["newly_permitted"] == MAX_GROUPS + 50
    assert len(members["groups"]) == MAX_GROUPS
    assert members["more"]["newly_permitted"] == 50
    assert len(json.dumps(members)) < 1 << 20


def test_a_token_that_never_verified_moves_nothing() -> None:
    counted = AuditEvent(
        id="c",
        time=NOW,
        type="token.refused",
        outcome="refused",
        reason="signature_invalid",
        client_address="192.0.2.0/24",
        count=1_000_000,
    )
    report = simulated(WIDER, counted.members())

    assert report.decisions == 0
    assert report.passed_over[PassedOver.COUNTED] == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_one_line_of_ascii(text: str) -> None:
    report = simulated(WIDER, recorded(then(), repository=text))
    line = json.dumps(report.as_json())

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["groups"][0]["tenant"] == text
