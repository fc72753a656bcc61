"""A month of traffic beside a set that is observed: both views say exactly what would have been."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.cli.app import app
from broker.core.indexed_policies import IndexedPolicies
from broker.core.observation import WOULD
from broker.core.simulation.observations import observed_alone, observed_counted
from broker.core.simulation.outcome import Outcome, differences, kind_of
from tests.month_of_traffic import BROKER, Month, Run, observed_texts, texts_of_the_month

RUNS = 6_000


@pytest.fixture(scope="module")
def month() -> Month:
    return Month(RUNS, observed=True)


@pytest.fixture(scope="module")
def folder(month: Month, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("month")
    with (folder / "audit.jsonl").open("w") as lines:
        lines.writelines(month.lines())
    (folder / "policies").mkdir()
    for name, text in (texts_of_the_month() | observed_texts()).items():
        (folder / "policies" / name).write_text(text)
    return folder


def report(folder: Path, *options: str) -> dict[str, Any]:
    words = ["policies", "observed", "--against", str(folder / "audit.jsonl"), "--json", *options]
    done = CliRunner().invoke(
        app,
        [*words, str(folder / "policies")],
        env={"BROKER_ISSUER": BROKER},
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def would(run: Run, policies: IndexedPolicies) -> tuple[str, Outcome]:
    """Decide a run by other policies, by all that its token claimed."""
    was, now = Outcome.of(run.decision), Outcome.of(run.once_more(policies))
    granted = not run.explained
    return WOULD[kind_of(was, now, differences(was, now, granted=granted, ttl_slack=1))], now


@pytest.mark.parametrize("alone", [False, True])
def test_the_report_is_what_deciding_every_run_comes_to(
    month: Month, folder: Path, alone: bool
) -> None:
    found = report(folder, *(["--alone"] if alone else []))
    turn = observed_alone if alone else observed_counted
    policies = IndexedPolicies.of(turn(month.policies.policy_set))

    true: Counter[str] = Counter()
    deciding: Counter[tuple[str, str]] = Counter()
    for run in month.runs:
        kind, now = would(run, policies)
        true[kind] += 1
        if kind != "same":
            deciding.update((name, kind) for name in now.policies if name.startswith("next-"))

    assert len(month.runs) == RUNS
    assert {each.value: found[each] for each in WOULD.values()} == {
        each.value: true[each] for each in WOULD.values()
    }
    assert found["undecidable"] == 0
    assert all(true[each] for each in WOULD.values())
    told = {
        (policy["policy"], each.value): policy[each]
        for policy in found["policies"]
        for each in WOULD.values()
        if each != "same" and policy[each]
    }
    assert told == dict(deciding)
