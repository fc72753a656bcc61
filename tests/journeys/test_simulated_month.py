"""A month of traffic, policies changed in five ways: the report says exactly what would be."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from broker.cli.app import app
from broker.core.decision import Decision, Permit
from broker.core.indexed_policies import IndexedPolicies
from tests.month_of_traffic import BROKER, Month, Run, loaded, texts_of_the_month

RUNS = 100_000
UNRECORDED = "deployment_approver"
"""A claim that no policy of the month names, so that no record has it."""

NARROWER = """\
    issuer: github
    grants: {deploy-api: [deploy:read]}
    ttl: 4m
    match:
      repository: acme/repo-9
"""
CHANGES = {
    # 1 a policy is gone
    "repo-3.yaml": ("repo-3-main", "repo-3-other"),
    # 2 one more condition
    "repo-5.yaml": (
        "      ref: refs/heads/main\n",
        "      ref: refs/heads/main\n      environment: production\n",
    ),
    # 3 a wider ref
    "repo-7.yaml": ("      ref: refs/heads/main\n", '      ref: {glob: "refs/heads/**"}\n'),
    # 4 a narrower grant
    "repo-9.yaml": (
        "    issuer: github\n    match:\n      repository: acme/repo-9\n",
        NARROWER,
    ),
    # 5 a condition on a claim that is not on record
    "project-4.yaml": ("ref_protected: true", f"ref_protected: true, {UNRECORDED}: release-team"),
}


def exported(month: Month, folder: Path) -> Path:
    file = folder / "audit.jsonl"
    with file.open("w") as lines:
        lines.writelines(month.lines())
    return file


def changed_texts() -> dict[str, str]:
    texts = texts_of_the_month()
    for file, (before, after) in CHANGES.items():
        assert before in texts[file]
        texts[file] = texts[file].replace(before, after, 1)
    # Who takes the place of the policy that is gone has nothing to do with this repository.
    texts["repo-3.yaml"] = texts["repo-3.yaml"].replace(
        "      repository: acme/repo-3\n      repository_id: 9000003\n",
        "      repository: acme/elsewhere\n      repository_id: 1\n",
        1,
    )
    return texts


def simulated(
    export: Path, folder: Path, texts: dict[str, str], *options: str
) -> tuple[int, dict[str, Any]]:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    line = ["policies", "simulate", "--against", str(export), "--json", *options, str(folder)]
    done = CliRunner().invoke(app, line, env={"BROKER_ISSUER": BROKER}, catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)


def grant(decision: Decision) -> tuple[object, ...] | None:
    if not isinstance(decision, Permit):
        return None
    account, audience = decision.service_account.client_id, decision.service.audience
    return account, decision.sub, audience, decision.scopes, decision.ttl


def brute_force(run: Run, policies: IndexedPolicies) -> str:
    """Compare one run with what it would be, by nothing but the decision itself."""
    now = run.once_more(policies)
    # Only policies of this issuer name the claim that no record has.
    claims = {UNRECORDED: "release-team"} if run.issuer == "gitlab" else {}
    if claims and grant(now) != grant(run.once_more(policies, **claims)):
        return "undecidable"
    was, is_ = grant(run.decision), grant(now)
    if (was is None) != (is_ is None):
        return "newly_permitted" if was is None else "newly_denied"
    return "unchanged" if was == is_ or run.explained else "changed"


def test_the_report_names_exactly_what_deciding_every_event_again_finds(tmp_path: Path) -> None:
    month, texts = Month(RUNS), changed_texts()
    code, report = simulated(exported(month, tmp_path), tmp_path / "policies", texts)

    policies = IndexedPolicies.of(loaded(texts))
    expected: Counter[tuple[str, str]] = Counter()
    for run in month.runs:
        expected[run.tenant, brute_force(run, policies)] += 1
    kinds = ("newly_denied", "newly_permitted", "changed", "undecidable", "unchanged")
    totals = {kind: sum(n for (_, each), n in expected.items() if each == kind) for kind in kinds}
    found = {
        (each["tenant"], kind): each[kind]
        for each in report["tenants"]
        for kind in kinds[:-1]
        if each[kind]
    }
    grouped: Counter[tuple[str, str]] = Counter()
    for group in report["groups"]:
        grouped[group["tenant"], group["kind"]] += group["runs"]

    assert code == 1
    assert {kind: report[kind] for kind in kinds} == totals
    assert found == grouped == {key: n for key, n in expected.items() if key[1] != "unchanged"}
    assert {tenant for tenant, _ in found} == {
        "acme/repo-3", "acme/repo-5", "acme/repo-7", "acme/repo-9", "acme/project-4",
    }  # fmt: skip
    assert min(totals.values()) > 50
    assert report["decisions"] == RUNS
    assert report["passed_over"] == {
        "other": RUNS // 5000, "counted": RUNS // 5000,
        "before_policies": 0, "already_used": 0, "blocked": 0,
    }  # fmt: skip
    assert {each["policy"]: each["what"] for each in report["conditions"]} == {
        "repo-3-main": "is not there",
        "repo-5-main": "environment: production",
    }
    assert {claim for each in report["groups"] for claim in each["claims"]} == {UNRECORDED}


def test_an_unchanged_set_changes_nothing(tmp_path: Path) -> None:
    month = Month(RUNS // 10)
    texts = texts_of_the_month()
    # A description is part of the version, and of no decision.
    said = "  repo-1-main:\n    description: said otherwise\n"
    texts["repo-1.yaml"] = texts["repo-1.yaml"].replace("  repo-1-main:\n", said)
    code, report = simulated(exported(month, tmp_path), tmp_path / "policies", texts)

    assert code == 0
    assert report["unchanged"] == report["decisions"] == RUNS // 10
    assert report["groups"] == report["policies"] == report["tenants"] == []
