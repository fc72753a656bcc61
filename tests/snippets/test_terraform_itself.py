"""Terraform itself reads what python-hcl2 reads elsewhere; this file is for where it is."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from broker.core.claim_templates import parse_template
from broker.snippets.quoting import hcl_quoted
from tests.snippets.test_quoting import MANY, ran
from tests.snippets.trusts import HOSTILE, text, trust

BOTH = ["deploy-web", "repo-ci:repository_id:456789"]


@pytest.mark.parametrize("keys", [[], ["team"], ["cost center", "team"]])
def test_terraform_itself_reads_the_modules_as_they_should_be_written(
    keys: list[str], tmp_path: Path
) -> None:
    tags = {key: parse_template("{sub}") for key in keys}
    module = text("terraform-aws", trust(session_tags=tags))
    (tmp_path / "aws.tf").write_text(module)
    (tmp_path / "gcp.tf").write_text(text("gcp", trust()))
    assert terraform(tmp_path, "fmt", "-check", "-diff", ".") == ""

    policy = module.partition("assume_role_policy = ")[2].removesuffix("}\n")
    policy = policy.replace("aws_iam_openid_connect_provider.broker.arn", '"ARN"')
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone/policy.tf").write_text(f"locals {{\n  policy = {policy}}}\n")
    told = json.loads(json.loads(terraform(tmp_path / "alone", "console", stdin="local.policy")))

    [statement] = told["Statement"]
    assert statement["Condition"].pop("StringEquals") == {
        "broker.example.com:aud": HOSTILE.replace("${", "${$}{"),
        "broker.example.com:sub": BOTH,
    }
    assert statement["Condition"].keys() <= {"ForAllValues:StringEquals", "Null"}


def terraform(folder: Path, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["terraform", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@settings(max_examples=5)
@given(MANY)
@example([HOSTILE])
def test_terraform_itself_reads_what_was_written(texts: list[str]) -> None:
    program = f"jsonencode([{', '.join(map(hcl_quoted, texts))}])"

    assert json.loads(json.loads(ran("terraform", "console", stdin=program))) == texts
