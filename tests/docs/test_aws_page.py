"""docs/guides/aws.md: its policy gives the token that it shows, and its role takes no other."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.cli.app import app
from broker.core.access_token import claims_for
from broker.core.decision import Decision, DecisionRequest, Permit, decide
from broker.core.indexed_policies import IndexedPolicies
from tests.core.builders import NOW, github_claims
from tests.docs.iam_conditions import AWS_TAGS, admits, asked_with
from tests.docs.markdown import Page
from tests.docs.policies_in_pages import load_block

PAGE = Page("docs/guides/aws.md")
SHOWN, TRUST, RIGHTS = (json.loads(block.text) for block in PAGE.blocks("json"))
POLICY_SET = load_block(PAGE.section("The policy")).policy_set
PROVIDER = "broker.example.com"


def decided(**claims: Any) -> Decision:
    job = {"repository_owner_id": "1234567", **claims}
    return decide(
        github_claims(**job),
        POLICY_SET.issuers["github"],
        DecisionRequest(("aws",)),
        IndexedPolicies.of(POLICY_SET),
        NOW,
    )


def token_of(**claims: Any) -> dict[str, Any]:
    permit = decided(**claims)
    assert isinstance(permit, Permit)
    return claims_for(permit, issuer=f"https://{PROVIDER}", now=NOW, token_id="t-1")


def test_the_token_says_what_the_page_shows() -> None:
    token = token_of()

    assert {name: token[name] for name in SHOWN} == SHOWN


def test_the_role_lets_each_repository_in_as_itself() -> None:
    for repository_id in ("456789", "456790"):
        token = token_of(repository_id=repository_id)

        assert token["sub"].endswith(f":{repository_id}")
        assert admits(TRUST, asked_with(token, PROVIDER))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("another audience", {"aud": "https://deploy.example.com"}),
        ("another account", {"sub": "deploy-web"}),
        ("an account whose name begins alike", {"sub": "web-artifacts-old:repository_id:456789"}),
        ("another team", {AWS_TAGS: {"principal_tags": {"team": ["api"], "repository_id": ["1"]}}}),
        ("no repository", {AWS_TAGS: {"principal_tags": {"team": ["web"]}}}),
        (
            "a tag too many",
            {
                AWS_TAGS: {
                    "principal_tags": {"team": ["web"], "repository_id": ["1"], "admin": ["yes"]}
                }
            },
        ),
        ("no tags", {AWS_TAGS: {}}),
    ],
)
def test_the_role_takes_no_token_with(what: str, changes: dict[str, Any]) -> None:
    assert not admits(TRUST, asked_with({**token_of(), **changes}, PROVIDER)), what


def test_rights_and_trust_speak_of_the_tags_that_the_service_signs() -> None:
    tags = set(POLICY_SET.services["aws"].session_tags)
    trusted = json.dumps(TRUST)

    assert set(re.findall(r"aws:RequestTag/(\w+)", trusted)) == tags
    assert set(TRUST["Statement"][0]["Condition"]["ForAllValues:StringEquals"]["aws:TagKeys"]) == (
        tags
    )
    assert set(re.findall(r"aws:PrincipalTag/(\w+)", json.dumps(RIGHTS))) <= tags


def test_the_command_prints_the_role_for_an_identity_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROKER_ISSUER", f"https://{PROVIDER}")
    monkeypatch.setenv("BROKER_MASTER_KEY_FILE", "master.key")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/all.yaml").write_text(
        "issuers: {github: {preset: github}}\n" + PAGE.blocks("yaml")[0].text
    )
    [command] = [each.text for each in PAGE.blocks("sh") if "services snippet" in each.text]

    answer = CliRunner().invoke(app, shlex.split(command)[1:])

    assert answer.exit_code == 0, answer.output
    assert f'"{token_of()["sub"]}"' in answer.stdout


def test_what_the_page_says_of_refusals_is_so() -> None:
    assert decided(ref="refs/heads/feature").reason == "no_policy_matched"  # type: ignore[union-attr]
    assert decided(repository_id=None).reason == "no_policy_matched"  # type: ignore[union-attr]
