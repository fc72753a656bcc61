"""`broker policies explain`: decisions on the shipped policies, from files of claims."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from broker.cli.app import app

ROOT = Path(__file__).parents[2]
Broker = Callable[..., subprocess.CompletedProcess[str]]

MAIN = {
    "iss": "https://token.actions.githubusercontent.com",
    "repository": "acme/web",
    "repository_id": "456789",
    "repository_owner_id": "1234567",
    "ref": "refs/heads/main",
    "environment": "production",
    "event_name": "push",
}
BRANCH = MAIN | {"ref": "refs/heads/login"}


@pytest.fixture
def explain(broker: Broker, shipped: Path) -> Broker:
    """Explain claims, given on stdin, on the shipped policies."""

    def run(claims: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
        text = claims if isinstance(claims, str) else json.dumps(claims)
        return broker("policies", "explain", "--claims", "-", *arguments, stdin=text)

    return run


def test_a_permit_is_told_with_what_was_granted_and_ends_with_0(explain: Broker) -> None:
    answer = explain(MAIN, "--audience", "production-deploy", "--scope", "deploy:write")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith(
        "permit: web-production at https://deploy.acme.example\n"
        "  sub: web-production\n"
        "  scopes: deploy:write\n"
        "  ttl: 600 seconds\n"
        "\n"
        "✓ policy web-production (allow, service account web-production,"
        " policies/production-deploy.yaml:"
    )


def test_a_deny_shows_the_condition_that_failed_and_the_fix_and_ends_with_1(
    explain: Broker,
) -> None:
    answer = explain(BRANCH, "--audience", "production-deploy")

    assert (answer.returncode, answer.stderr) == (1, "")
    lines = answer.stdout.splitlines()
    assert lines[0] == "deny: no_policy_matched"
    assert lines[2].startswith("✗ policy web-production")
    assert (
        '    ✗ ref: expected any of [refs/heads/main, {glob: "refs/heads/release/*"}],'
        " got refs/heads/login"
    ) in lines
    assert lines[-1].startswith("fix: add refs/heads/login to `ref` of policy web-production")


def test_claims_come_from_a_file_and_policies_from_paths(
    broker: Broker, shipped: Path, tmp_path: Path
) -> None:
    (tmp_path / "claims.json").write_text(json.dumps(MAIN))
    shipped.rename(tmp_path / "rules")

    answer = broker("policies", "explain", "--claims", "claims.json", "rules")

    assert answer.returncode == 0
    assert "rules/production-deploy.yaml" in answer.stdout


def test_an_issuer_can_be_named_instead_of_iss(explain: Broker) -> None:
    claims = {name: value for name, value in MAIN.items() if name != "iss"}

    assert explain(claims, "--issuer", "github").returncode == 0
    assert explain(claims, "--issuer", "gitlab").returncode == 1


def test_the_dev_issuers_are_known_by_name_and_by_their_usual_url(explain: Broker) -> None:
    by_name = explain(MAIN, "--issuer", "dev-github", "--audience", "deploy-api")
    by_url = explain(MAIN | {"iss": "http://127.0.0.1:8081/github"}, "--audience", "deploy-api")

    assert by_name.returncode == by_url.returncode == 0
    assert by_name.stdout == by_url.stdout
    assert by_name.stdout.startswith("permit: deploy-web at ")


def test_a_token_of_a_real_platform_is_decided_without_the_dev_policies(explain: Broker) -> None:
    answer = explain(MAIN, "--audience", "deploy-api")

    assert answer.stdout.startswith("deny: target_unknown")


def test_the_account_asked_for_counts(explain: Broker) -> None:
    answer = explain(MAIN, "--client-id", "release-workflow")

    assert answer.returncode == 1
    assert "another service account was asked for" in answer.stdout


def test_an_empty_scope_asks_for_no_scope(explain: Broker) -> None:
    assert "  scopes: none\n" in explain(MAIN, "--scope", "").stdout


def test_all_shows_what_is_far_away_too(explain: Broker, shipped: Path) -> None:
    (shipped / "many.yaml").write_text(
        "policies:\n"
        + "".join(
            f"  p{n:02}: {{service_account: web-production, issuer: github,"
            f" match: {{repository: far/r{n}}}}}\n"
            for n in range(40)
        )
    )

    nearest = json.loads(explain(BRANCH, "--json").stdout)["candidates"]
    everything = json.loads(explain(BRANCH, "--json", "--all").stdout)["candidates"]

    assert (len(nearest), len(everything)) == (20, 46)


def test_json_holds_what_the_text_holds(explain: Broker) -> None:
    answer = explain(MAIN, "--json")

    told = json.loads(answer.stdout)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert told["decision"] == "permit"
    assert told["candidates"][0]["policy"] == "web-production"


# --- before any policy ----------------------------------------------------------------------------


def test_an_issuer_that_nobody_trusts_is_a_deny(explain: Broker) -> None:
    answer = explain(MAIN | {"iss": "https://ci.example\u202e\n"})
    told = json.loads(explain(MAIN | {"iss": "https://ci.example"}, "--json").stdout)

    assert answer.returncode == 1
    assert answer.stdout == (
        "deny: issuer_not_trusted\n\n"
        "fix: no issuer has the URL https://ci.example\\u202e\\n; add it under `issuers`\n"
    )
    assert (told["decision"], told["reason"]) == ("deny", "issuer_not_trusted")
    assert told["candidates"] == []


def test_an_issuer_that_is_switched_off_is_a_deny(explain: Broker, shipped: Path) -> None:
    file = shipped / "issuers.yaml"
    file.write_text(
        file.read_text().replace("preset: github", "preset: github\n    enabled: false")
    )

    answer = explain(MAIN)

    assert answer.returncode == 1
    assert answer.stdout.startswith("deny: issuer_disabled\n\nfix: issuer github is switched off")


@pytest.mark.parametrize("audience", ["sts.example", ["http://127.0.0.1:8080", "x"], 7])
def test_an_audience_that_the_broker_refuses_is_noted(explain: Broker, audience: Any) -> None:
    answer = explain(MAIN | {"aud": audience})

    assert answer.returncode == 0
    assert "audience_mismatch" in answer.stderr
    assert "its audience must be http://127.0.0.1:8080" in answer.stderr


@pytest.mark.parametrize("audience", ["http://127.0.0.1:8080", ["http://127.0.0.1:8080"]])
def test_the_right_audience_is_not_noted(explain: Broker, audience: Any) -> None:
    assert explain(MAIN | {"aud": audience}).stderr == ""


# --- usage ----------------------------------------------------------------------------------------


def in_this_process(claims: bytes, *arguments: str) -> Result:
    """The same command without a process of its own, for many inputs."""
    command = ["policies", "explain", str(ROOT / "policies"), "--claims", "-", *arguments]
    return CliRunner().invoke(app, command, input=claims)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ("", "--claims: not JSON"),
        ("[]", "--claims: not a JSON object"),
        ('{"iss": "a", "iss": "b"}', "--claims: a member name appears twice"),
        ('{"a": NaN}', "--claims: NaN and Infinity are not JSON"),
        ("\ufeff{}", "--claims: not JSON"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzZWNyZXQ.x", "--claims: not JSON; give the payload of the token"),
        ("{}", "--claims: no 'iss' in the claims"),
        ('{"iss": 7}', "--claims: no 'iss' in the claims"),
        ('{"iss": "a", "exp": 1e300}', "--claims: 'exp' is no time"),
        ('{"iss": "a", "exp": -1}', "--claims: 'exp' is no time"),
        ('{"iss": "a", "exp": 9999999999999999999}', "--claims: 'exp' is no time"),
        (" " * 1_100_000, "--claims: more than 1048576 bytes"),
    ],
)
def test_what_are_no_claims_is_a_usage_error_and_is_not_repeated(claims: str, message: str) -> None:
    answer = in_this_process(claims.encode())

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert message in answer.stderr
    assert "eyJ" not in answer.stderr


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None)
@given(
    claims=st.dictionaries(st.sampled_from([*MAIN, "exp", "aud", "sub"]) | st.text(), JSON),
    audience=st.sampled_from(["production-deploy", "shop-deploy", ""]) | st.text(),
    scope=st.text(),
)
def test_whatever_the_claims_are_the_command_decides_or_refuses_them(
    claims: dict[str, Any], audience: str, scope: str
) -> None:
    for options in (("--json",), ()):
        answer = in_this_process(
            json.dumps({**MAIN, **claims}).encode(),
            f"--audience={audience}",
            f"--scope={scope}",
            *options,
        )

        assert isinstance(answer.exception, SystemExit | None), answer.exception
        assert answer.exit_code in (0, 1, 2)
        assert (answer.exit_code == 2) == (answer.stdout == "")


def test_claims_that_cannot_be_read_are_a_usage_error(broker: Broker, shipped: Path) -> None:
    missing = broker("policies", "explain", "--claims", "nowhere.json")
    folder = broker("policies", "explain", "--claims", "policies")

    assert missing.returncode == folder.returncode == 2
    assert "--claims: nowhere.json cannot be read: No such file" in missing.stderr
    assert "--claims: policies cannot be read: Is a directory" in folder.stderr


def test_an_issuer_that_no_file_defines_is_a_usage_error(explain: Broker) -> None:
    answer = explain(MAIN, "--issuer", "githup")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "broker: --issuer: there is no issuer 'githup';"
        " known: dev-github, dev-gitlab, github, gitlab\n"
    )


def test_claims_must_be_given(broker: Broker, shipped: Path) -> None:
    assert broker("policies", "explain").returncode == 2


def test_policies_that_do_not_load_decide_nothing(explain: Broker, shipped: Path) -> None:
    (shipped / "broken.yaml").write_text("policies: {p: {issuer: github}}\n")

    answer = explain(MAIN)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "policies/broken.yaml:1:12: `match` is missing" in answer.stderr


def test_a_test_that_fails_does_not_keep_a_decision_from_being_explained(
    explain: Broker, shipped: Path
) -> None:
    (shipped / "wrong.yaml").write_text("tests: [{name: t, issuer: github, expect: permit}]\n")

    assert explain(MAIN).returncode == 0
