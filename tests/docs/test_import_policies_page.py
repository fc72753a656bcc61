"""docs/guides/import-policies.md: its commands run, and print what it shows."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.commands import build
from broker.policy_imports.aws import KEYS
from tests.docs.markdown import Page

PAGE = Page("docs/guides/import-policies.md")
FILES = {
    "An IAM role": ("json", "trust.json"),
    "A role of Vault or OpenBao": ("json", "deploy-web.json"),
    "A trust policy of octo-sts": ("text", "release.sts.yaml"),
}
CATALOGUE = """\
services:
  deploy-api: {audience: "https://deploy.example.com", scopes: {deploy:write: Start}}
"""


@pytest.mark.parametrize("heading", FILES)
def test_what_is_shown_is_what_is_printed(
    heading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    language, name = FILES[heading]
    section = PAGE.text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    source, command, policy = (
        section.partition(f"```{kind}\n")[2].partition("```\n")[0]
        for kind in (language, "sh", "yaml")
    )
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "catalogue.yaml").write_text(CATALOGUE)
    (tmp_path / name).write_text(source)
    monkeypatch.chdir(tmp_path)

    answer = CliRunner().invoke(build(["policies"]), shlex.split(command)[1:])

    assert answer.exit_code == 0, answer.stderr
    assert policy
    assert policy in answer.stdout


def test_each_preset_has_its_keys() -> None:
    assert set(KEYS) == {"github", "gitlab"}
