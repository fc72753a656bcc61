"""The JSON of `broker policies explain`, member by member (contract §2).

A file here changes only when the contract does: `python tests/contracts/test_explain_json.py`
writes them anew.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from broker.cli.app import app

FOLDER: Final = Path(__file__).parent / "explain"
CLAIMS: Final = {
    "iss": "https://token.actions.githubusercontent.com",
    "repository": "acme/web",
    "repository_id": "456789",
    "repository_visibility": "private",
    "ref": "refs/heads/main",
    "workflow_ref": "acme/web/.github/workflows/deploy.yml@refs/heads/main",
    "run_number": 7,
    "environment": "production",
    "actor": "octocat",
    "event_name": "push",
    "runner_environment": "github-hosted",
}
NOTHING_HOLDS: Final = {
    "iss": CLAIMS["iss"],
    "repository": "acme/web",
    "repository_id": "",
    "repository_visibility": "public",
    "ref": ["refs/heads/x", 1.5],
    "run_number": 12345,
    "environment": "test-1",
    "actor": None,
    "event_name": "pull_request_target",
}
CASES: Final[dict[str, tuple[dict[str, Any], Sequence[str]]]] = {
    "permit": (CLAIMS, ["--audience", "deploy-api", "--scope", "deploy:write"]),
    "no_policy_matched": (NOTHING_HOLDS, ["--audience", "deploy-api"]),
    "denied_by_policy": (CLAIMS | {"actor": "renovate[bot]"}, ["--client-id", "deploy-web"]),
    "issuer_not_trusted": (CLAIMS | {"iss": "https://ci.example"}, []),
}


def explained(case: str) -> tuple[int, Any]:
    claims, options = CASES[case]
    command = ["policies", "explain", str(FOLDER / "policies.yaml"), "--claims", "-", "--json"]
    answer = CliRunner().invoke(app, [*command, *options], input=json.dumps(claims))
    told = json.loads(answer.stdout)
    # How a fix is worded is no part of the contract.
    if "fix" in told:
        assert isinstance(told["fix"], str)
        told["fix"] = "…"
    return answer.exit_code, told


@pytest.fixture(autouse=True)
def _no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_the_explanation_is_the_one_on_record(case: str) -> None:
    code, told = explained(case)

    assert told == json.loads((FOLDER / f"{case}.json").read_text())
    assert code == (0 if case == "permit" else 1)


def test_every_operator_is_on_record() -> None:
    (candidate, _) = json.loads((FOLDER / "permit.json").read_text())["candidates"]

    operators = {condition["operator"] for condition in candidate["conditions"]}
    assert operators == {
        "equals", "any_of", "glob", "regex", "not", "present", "guard", "require",
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_members_are_those_of_the_contract_and_no_others(case: str) -> None:
    told = json.loads((FOLDER / f"{case}.json").read_text())

    assert list(told)[:8] == [
        "decision", "reason", "service_account", "sub", "audience", "scopes", "ttl", "candidates",
    ]  # fmt: skip
    assert told.keys() - {"fix"} == set(list(told)[:8])
    for candidate in told["candidates"]:
        assert list(candidate) == ["policy", "effect", "service_account", "holds", "conditions"]
        for condition in candidate["conditions"]:
            assert list(condition) == ["claim", "operator", "expected", "got", "holds"]


if __name__ == "__main__":
    for name in CASES:
        text = json.dumps(explained(name)[1], indent=2, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n")
