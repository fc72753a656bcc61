"""README.md, run to the letter against `broker serve --dev` on free ports."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup as Group
from typer.main import get_command

from broker.cli.app import app
from tests.docs.markdown import ROOT, Page, rows
from tests.serving_process import ServingProcess, serving_process

PAGE = Page("README.md")
Exchange = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def dev_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ServingProcess]]:
    """What `make run` starts, in a folder with the policies of the checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "policies", folder / "policies")
    ports = ("--listen", "127.0.0.1:0", "--dev-listen", "127.0.0.1:0")
    with serving_process(folder, "--dev", *ports) as serving:
        yield folder, serving


@pytest.fixture(scope="module")
def be_a_job(dev_broker: tuple[Path, ServingProcess]) -> Exchange:
    """The commands of the page, with changes in their text."""
    folder, serving = dev_broker
    issuer_base = serving.facts["dev_issuers"]["dev-github"].removesuffix("/github")
    (block,) = [each.text for each in PAGE.blocks("sh") if "dev token" in each.text]
    python = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "broker"])

    def run(**changes: str) -> dict[str, Any]:
        text = block.replace(".venv/bin/broker", python)
        text = text.replace("http://127.0.0.1:8080", serving.url)
        text = text.replace("--platform github", f"--platform github --issuer-base {issuer_base}")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        done = subprocess.run(
            ["sh", "-e", "-c", text],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run


def test_the_commands_get_the_answer_that_the_page_shows(be_a_job: Exchange) -> None:
    (shown,) = [json.loads(block.text) for block in PAGE.blocks("json")]

    answer = be_a_job()

    assert list(answer) == list(shown)
    cut = {"access_token", "token_id"}
    assert {name: answer[name] for name in answer.keys() - cut} == {
        name: shown[name] for name in shown.keys() - cut
    }


def test_another_claim_gets_the_refusal_that_the_page_tells_of(be_a_job: Exchange) -> None:
    answer = be_a_job(**{"ref=refs/heads/main": "ref=refs/heads/other"})

    assert answer["reason"] == "no_policy_matched"
    assert "ref 'refs/heads/other'" in answer["error_description"]
    assert [condition["claim"] for condition in answer["conditions"]] == ["ref"]
    assert answer["decision_id"]


def test_make_run_starts_what_the_page_says() -> None:
    assert "http://127.0.0.1:8080" in PAGE.text
    assert "serve --dev\n" in (ROOT / "Makefile").read_text()


def test_the_commands_that_exist_are_called_existing() -> None:
    table = rows(PAGE.section("What exists"))
    named = {word for text, state in table if state == "exists" for word in _code_words(text)}

    assert commands() - named == set()


def commands() -> set[str]:
    """Name every command of `broker`, those of a group by their own name."""
    tree = get_command(app)
    assert isinstance(tree, Group)
    found: set[str] = set()
    for name, command in tree.commands.items():
        found |= set(command.commands) if isinstance(command, Group) else {name}
    return found


def _code_words(text: str) -> set[str]:
    """Give the last word of each piece of code: `dev token` is the command `token`."""
    return {piece.split()[-1] for piece in re.findall(r"`([^`]+)`", text)}
