"""Without the extra `server`, every command of the server says which extra it needs."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from broker.cli.app import app
from tests.client.test_base_install import BLOCKING
from tests.docs.markdown import ROOT

Endings = dict[str, tuple[int, str, str]]
WITHOUT_EXTRA = {
    "token", "exec", "whoami", "explain", "revoke", "credential-helper", "dev token",
}  # fmt: skip
VALUES = {
    "--platform": "github",
    "--claims": "claims.json",
    "form": "aws",
    "decision": "01a20b88-c550-7c2b-869f-de7a5e664017",
}
MORE = {
    "accounts create": ["--expires", "90d"],
    "accounts update": ["--expires", "90d"],
    "accounts secret create": ["--expires", "90d"],
    "accounts secret rotate": ["--expires", "90d"],
    "store copy": ["sqlite:target.db"],
    "access what-can": ["deploy-web"],
}
"""Options that are read before the command opens anything."""

PROGRAM = """
import json, sys
from typer.testing import CliRunner
from broker.cli.commands import build

def ending(words):
    done = CliRunner().invoke(build(words), words)
    return done.exit_code, done.stdout, done.stderr

print(json.dumps({name: ending(words) for name, words in json.load(sys.stdin).items()}))
"""


def leaves(command: object, *words: str) -> Iterator[tuple[str, list[str]]]:
    """Give every command, with words that it asks for."""
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from leaves(below, *words, name)
        return
    assert isinstance(command, TyperCommand)
    name = " ".join(words)
    line = [*words, *MORE.get(name, [])]
    for each in command.params:
        option = each.opts[0]
        if each.required:
            value = VALUES.get(option, "x")
            line += [option, value] if option.startswith("--") else [value]
    yield name, line


LINES = {name: line for name, line in leaves(get_command(app)) if name not in WITHOUT_EXTRA}


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> Endings:
    """How each command ends; all in one process, so that it starts once."""
    done = subprocess.run(
        [sys.executable, "-c", f"{BLOCKING}\nsys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}"],
        cwd=tmp_path_factory.mktemp("empty"),
        input=json.dumps(LINES),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: Endings = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("name", sorted(LINES))
def test_a_command_of_the_server_says_which_extra_it_needs(endings: Endings, name: str) -> None:
    code, stdout, stderr = endings[name]

    assert (code, stdout) == (2, "")
    assert f"'{name.split(maxsplit=1)[0]}" in stderr
    assert "pip install '.[server]'" in stderr
