"""Rows 170, 174: traffic that was made to spoil a report on policies, or to speak through it.

Whoever runs a job chooses its branch and its environment; whoever has a repository anywhere may ask
the broker as often as it likes, and is refused.
"""

import json
import re
from typing import Any

import pytest
import yaml

from broker.core.audit import AuditEvent
from broker.core.conditions import Glob
from broker.core.policy_reports import report_markdown, report_text
from broker.core.policy_reports.seen_values import MAX_VALUES
from broker.core.policy_reports.sub_form import MAX_REPOSITORIES
from tests.core.builders import NOW, a_policy
from tests.core.policy_reports.reporting_of import condition_of, lines, members, reported
from tests.core.simulation.recording import now, recorded, then

HOSTILE = (
    "x`](https://evil.example)",
    "<img src=https://evil.example/a.png>",
    "@acme/admins",
    "a\n- acme/other gains everything",
    "a\r\n::error::b",
    "::error::x",
    "\x1b[2J\x1b[1;31m",
    "\u202egnp.exe",
    "=HYPERLINK(1)",
    "``` \n# Approved",
    "`" * 80 + "[x](https://evil.example) @acme/admins",
    "|x|y|",
    "%0A::add-mask::x",
    "x: y",
    "[a, b]",
    "{glob: '**'}",
    "*",
    "no",
    "0x1f",
    'a"\\b',
)
OPEN = a_policy("web", {"repository": "acme/web"})


def hostile_report(text: str) -> Any:
    """A report on a policy that leaves the ref open, and on one that names a `sub`."""
    by_sub = a_policy("by-sub", {"repository": "acme/web", "sub": Glob("repo:acme/web:**")})
    files = then(OPEN, by_sub)
    return reported(files, recorded(files, ref=text, environment=text, sub=f"repo:acme/web:{text}"))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_leaves_its_line_or_moves_the_cursor(text: str) -> None:
    found = report_text.render(hostile_report(text))

    assert all(line.isprintable() for line in found.split("\n"))
    assert not re.search(r"^\s*(::|- |#)", found, re.MULTILINE)


@pytest.mark.parametrize("text", HOSTILE)
def test_in_a_comment_every_name_is_a_span_of_code(text: str) -> None:
    found = report_markdown.render(hostile_report(text))

    assert all(line.isprintable() for line in found.split("\n"))
    assert "`" * 81 not in found
    rest = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", found)
    for sign in ("<img", "@acme", "](", "evil", "::", "HYPERLINK", "Approved"):
        assert sign not in rest


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_to_paste_says_what_was_seen_and_nothing_else(text: str) -> None:
    files = then(OPEN)
    found = lines(files, recorded(files, ref=text, environment=text))

    for line, claim in zip(found, ("ref", "environment"), strict=False):
        assert yaml.safe_load(line).keys() == {claim}
        condition = condition_of(line, folded=False)
        assert condition.holds({claim: text})
        assert not condition.holds({claim: text + "x"})


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_one_line_of_ascii(text: str) -> None:
    line = json.dumps(hostile_report(text).as_json())

    assert line.isascii()
    assert line.isprintable()


def test_a_refused_job_makes_no_value_seen_and_no_policy_used() -> None:
    files = then(a_policy("web", {"repository": "acme/web", "ref": Glob("refs/heads/**")}))
    good = recorded(files)
    refused = [
        recorded(files, ref="refs/tags/v1"),
        recorded(files, repository="evil/web", ref="refs/heads/x"),
        {**recorded(files, ref="refs/heads/y"), "type": "token.refused", "reason": "blocked"},
    ]

    assert "ref: refs/heads/main" in lines(files, good, *refused)
    found = members(files, *refused)
    assert [each["policy"] for each in found["unused"]["policies"]] == ["web"]
    assert found["over_broad"]["found"] == []


def test_another_issuer_makes_no_value_seen_and_no_policy_used() -> None:
    elsewhere = then(a_policy("web", {"project_path": "acme/platform/web"}, issuer="gitlab"))
    files = now(a_policy("web", {"repository": "acme/web", "ref": Glob("refs/heads/**")}))
    other = recorded(elsewhere, issuer="gitlab")
    # The name of the issuer may be the same: what counts is whose token it was.
    disguised = {**other, "issuer": "github", "platform": "github"}
    found = members(files, other, disguised, recorded(then(), repository="acme/x"))

    assert [each["policy"] for each in found["unused"]["policies"]] == ["web"]
    assert found["over_broad"]["found"] == []


def test_a_token_that_never_verified_moves_nothing() -> None:
    counted = AuditEvent(
        id="c", time=NOW, type="token.refused", outcome="refused", reason="signature_invalid",
        client_address="192.0.2.0/24", count=1_000_000,
    )  # fmt: skip
    read = members(now(OPEN), counted.members())["read"]

    assert (read["decisions"], read["passed_over"]["counted"]) == (0, 1)


def test_one_branch_of_a_stranger_hides_no_other_policy() -> None:
    other = a_policy("other", {"repository": "acme/api"})
    files = then(OPEN, other)
    flood = (recorded(files, ref=f"refs/heads/{each}") for each in range(MAX_VALUES + 50))
    api = recorded(files, repository="acme/api")
    found = members(files, *flood, api)["over_broad"]["found"]

    assert ("other", "ref: refs/heads/main") in {(e["policy"], e["line"]) for e in found}
    assert not any(each["policy"] == "web" and each["claim"] == "ref" for each in found)


def test_a_flood_of_repositories_takes_no_more_than_its_bound() -> None:
    files = then(a_policy("web", {"repository_owner": "acme", "sub": Glob("repo:acme/*:**")}))
    flood = (
        recorded(
            files, repository=f"acme/{each}", repository_id=str(each), sub=f"repo:acme/{each}:x"
        )
        for each in range(MAX_REPOSITORIES + 50)
    )
    found = members(files, *flood)

    assert found["sub_form"]["more"] == 50
    assert len(json.dumps(found)) < 1 << 20
