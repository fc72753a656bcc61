"""docs/guides/change-a-policy.md: its change is simulated, and its comment is what comes out."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from broker.core.audit import GENESIS, SerializedEvent
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode, PolicySet
from broker.core.policy_reports import report_text as report_of_policies
from broker.core.policy_reports.report_name import ReportName
from broker.core.policy_reports.reporting import Reporting, Wanted
from broker.core.simulation import observations_text, report_markdown, report_text
from broker.core.simulation.observations import Observations
from broker.core.simulation.tally import Report
from broker.policy_files import load_texts
from tests.core.builders import BROKER
from tests.core.simulation.recording import recorded, simulated
from tests.docs.markdown import ROOT, Page

PAGE = Page("docs/guides/change-a-policy.md")
BEGINS = 1_792_972_800.0
DAYS = 31


def loaded(text: str) -> PolicySet:
    return load_texts(
        {"page.yaml": text},
        broker_issuer=BROKER,
        token_defaults=(600, 3600),
        signing_algorithms=["RS256", "ES256"],
        loopback=False,
    ).policy_set


def before() -> str:
    return PAGE.blocks("yaml")[0].text


def after() -> str:
    """Make the change that the page shows as a diff."""
    [diff] = PAGE.blocks("diff")
    lines = diff.text.splitlines()
    [removed] = [line[1:] for line in lines if line.startswith("-")]
    added = "\n".join(line[1:] for line in lines if line.startswith("+"))
    assert before().count(f"{removed}\n") == 1
    return before().replace(removed, added)


def simulation_text() -> str:
    return PAGE.blocks("text")[0].text


def month() -> list[dict[str, object]]:
    """Record the runs of the page: deployments, those without an environment, release branches."""
    policy_set = loaded(before())
    jobs = [("refs/heads/main", "production")] * 120
    jobs += [("refs/heads/main", "")] * 14
    jobs += [("refs/heads/release/2.1", "production")] * 6
    jobs += [("refs/heads/topic", "")] * 3
    return [
        recorded(
            policy_set,
            at=BEGINS + DAYS * 86_400 * number / len(jobs),
            ref=ref,
            environment=environment,
            iat=int(BEGINS),
            exp=int(BEGINS) + 300,
        )
        for number, (ref, environment) in enumerate(jobs)
    ]


@pytest.fixture(scope="module")
def report() -> Report:
    return simulated(loaded(after()), *month())


def test_the_comment_of_the_page_is_what_comes_out(report: Report) -> None:
    [comment] = PAGE.blocks("markdown")

    assert comment.text == report_markdown.render(report)


def test_the_text_of_the_page_is_what_comes_out(report: Report) -> None:
    assert simulation_text() == report_text.render(report)


def test_the_command_of_the_page_says_so_and_fails(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/page.yaml").write_text(after())
    prev, lines = GENESIS, []
    for number, event in enumerate(month(), start=1):
        chained = SerializedEvent.of_members(event).at(number, prev)
        prev = chained.hash
        lines.append(f"{chained.line()}\n")
    (tmp_path / "audit.jsonl").write_text("".join(lines))
    command = PAGE.blocks("sh")[0].text.splitlines()[2]
    words = command.split()

    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "BROKER_ISSUER": BROKER},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == simulation_text()


def month_beside() -> tuple[PolicySet, list[dict[str, Any]]]:
    """Record the runs of the report: those of the month, and of the policies beside it."""
    more = PAGE.blocks("yaml")[3].text.removeprefix("policies:\n")
    policy_set = loaded(before() + more)
    web = {"environment": "production", "sub": "repo:acme/web:environment:production"}
    api = {"repository": "acme/api", "repository_id": "456790", "sub": "repo:acme/api:ref:x"}
    tool = {"repository": "tools/kit", "repository_id": "8", "repository_owner_id": "7654321"}
    other = {"ref": "refs/heads/topic", **web}
    jobs: list[dict[str, Any]] = [web] * 120 + [other] * 20 + [{}] * 14 + [api] * 40 + [tool] * 4
    month = DAYS * 86_400
    return policy_set, [
        recorded(policy_set, at=BEGINS + month * number / len(jobs), **job)
        for number, job in enumerate(jobs)
    ]


def reported_beside() -> str:
    policy_set, events = month_beside()
    wanted = Wanted(frozenset(ReportName), BEGINS + DAYS * 86_400, 30 * 86_400)
    reporting = Reporting(IndexedPolicies.of(policy_set), wanted)
    for event in events:
        reporting.take(event)
    return report_of_policies.render(reporting.reports())


def test_the_report_of_the_page_is_what_comes_out() -> None:
    assert PAGE.blocks("text")[1].text == reported_beside()


def test_the_policy_of_the_review_loads() -> None:
    loaded("issuers: {github: {preset: github}}\n" + PAGE.blocks("yaml")[2].text)


# --- two weeks of observation ---------------------------------------------------------------------

DECISION = "01a20b88-c550-7c2b-869f-de7a5e664017"
COMMANDS = [each.text for each in PAGE.blocks("sh") if "observed" in each.text]


def with_observed() -> str:
    """Put the observed policies to the policy of the page."""
    [added] = [each.text for each in PAGE.blocks("yaml") if "mode: observe" in each.text]
    return before() + added.removeprefix("policies:\n")


def two_weeks() -> list[dict[str, object]]:
    """Record the runs: deployments, reruns, those without an environment, release branches."""
    policy_set = loaded(with_observed())
    jobs = [("refs/heads/main", "production", "1")] * 52
    jobs += [("refs/heads/main", "production", "2")] * 3
    jobs += [("refs/heads/main", "", "1")] * 6
    jobs += [("refs/heads/release/2.1", "production", "1")] * 4
    start = BEGINS + 17 * 86_400
    return [
        recorded(
            policy_set,
            at=start + 14 * 86_400 * number / len(jobs),
            ref=ref,
            environment=environment,
            run_attempt=attempt,
            iat=int(start),
            exp=int(start) + 300,
        )
        | {"id": DECISION}
        for number, (ref, environment, attempt) in enumerate(jobs)
    ]


@pytest.mark.parametrize("alone", [False, True])
def test_what_was_observed_is_what_the_page_shows(alone: bool) -> None:
    taking = Observations(IndexedPolicies.of(loaded(with_observed())), alone=alone)
    for event in two_weeks():
        taking.take(event)

    shown = [each.text for each in PAGE.blocks("text") if "would permit" in each.text]
    assert shown[alone] == observations_text.render(taking.report())


def test_the_commands_of_the_page_differ_in_the_view() -> None:
    first, second = COMMANDS

    assert second == first.replace("--since 14d", "--since 14d --alone")


def test_both_observed_policies_count_once_they_are_enforced() -> None:
    enforced = loaded(with_observed().replace("    mode: observe\n", ""))

    assert {each.mode for each in enforced.policies.values()} == {Mode.ENFORCE}
