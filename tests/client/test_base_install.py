"""The base install alone, without any package of the server: what works there, and what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.pipeline.conftest import job  # noqa: F401 - a fixture
from tests.consumers.conftest import Job
from tests.docs.markdown import ROOT

# Every package of the extra `server`, by the names under which it is imported.
SERVER = (
    "starlette", "uvicorn", "uvloop", "httptools", "websockets", "yaml", "pydantic",
    "pydantic_core", "pydantic_settings", "re2", "watchfiles", "apsw",
)  # fmt: skip
BLOCKING = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {SERVER!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
PROGRAM = """
import asyncio, sys
from broker.client import BearerAuth, ClientError, TokenSource
import httpx

with TokenSource(service="deploy-api", scope="deploy:read") as source:
    token = source.token()
    assert asyncio.run(source.token_async()) is token
    with httpx.Client(auth=BearerAuth(source), trust_env=False) as client:
        assert client.get(f"{source.url}/readyz").status_code == 200
    print(token.access_token)
    source.revoke()
missing = set(sys.modules) & set(sys.argv[1].split())
assert not missing, missing
"""


@pytest.fixture
def bare(job: Job, tmp_path: Path) -> Job:  # noqa: F811 - the fixture
    """The job on a machine where `pip install .` was all there was."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(BLOCKING)
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
    return Job(job.folder, job.broker, job.variables | {"PYTHONPATH": path})


def python(bare: Job, *words: str) -> "subprocess.CompletedProcess[str]":
    return bare.run(sys.executable, *words)


def test_the_server_is_missing_there(bare: Job) -> None:
    for name in SERVER:
        done = python(bare, "-c", f"import {name}")
        assert (done.returncode, "ModuleNotFoundError" in done.stderr) == (1, True)
        break
    done = python(bare, "-c", "import broker.bootstrap")
    assert done.returncode == 1


def test_a_program_gets_a_token(bare: Job) -> None:
    done = python(bare, "-c", PROGRAM, " ".join(SERVER))

    assert (done.returncode, done.stderr) == (0, "")
    assert bare.claims(done.stdout.strip())["scope"] == "deploy:read"


def test_the_commands_of_a_pipeline_work(bare: Job) -> None:
    broker = (sys.executable, "-m", "broker")
    assert bare.claims(bare.quiet(*broker, "token", "deploy-api").strip())
    assert bare.quiet(*broker, "token", "deploy-api", "--format", "json").startswith("{")
    assert bare.quiet(*broker, "exec", "deploy-api", "--", "echo", "ran") == "ran\n"
    assert bare.quiet(*broker, "whoami").startswith("source: GitLab CI")
    assert bare.quiet(*broker, "explain", "deploy-api").startswith("permit: ")
    assert bare.quiet(*broker, "revoke", "--quiet") == ""
    for words in ([], ["token"], ["exec"], ["serve"]):
        assert "Usage: broker" in bare.quiet(*broker, *words, "--help")


def test_the_server_says_what_to_install(bare: Job) -> None:
    done = python(bare, "-m", "broker", "serve")

    assert (done.returncode, done.stdout) == (2, "")
    assert "needs the extra 'server'" in done.stderr
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
