"""The base install alone, without any package of the server: what works there, and what it says."""

import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.cli.pipeline.conftest import job  # noqa: F401 - a fixture
from tests.consumers.conftest import Job
from tests.docs.markdown import ROOT
from tests.service_tokens import DEPLOY_API

BASE = ROOT / "requirements/base.txt"
SERVER = ("starlette", "uvicorn", "yaml", "re2", "watchfiles", "apsw")


def beyond_the_base() -> list[str]:
    """Name all modules here that come of no package which the base install has."""
    names = re.findall(r"^([A-Za-z0-9_.-]+)==", BASE.read_text(), re.MULTILINE)
    base = {canonical(name) for name in names} | {"ci-token-broker"}
    return sorted(
        module
        for module, packages in packages_distributions().items()
        if base.isdisjoint(map(canonical, packages))
    )


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


BLOCKING = f"""
import sys

class Missing:
    names = frozenset({beyond_the_base()!r})

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
PROGRAM = """
import asyncio
from broker.client import BearerAuth, ClientError, TokenSource
import httpx

with TokenSource(service="deploy-api", scope="deploy:read") as source:
    token = source.token()
    assert asyncio.run(source.token_async()) is token
    with httpx.Client(auth=BearerAuth(source), trust_env=False) as client:
        assert client.get(f"{source.url}/healthz").status_code == 200
    print(token.access_token)
    source.revoke()
"""

SERVICE = """
import sys
from broker.client import TokenSource
import broker.verify.asgi, broker.verify.wsgi
from broker.verify import Verifier

with TokenSource(service="deploy-api", scope="deploy:read") as source:
    verifier = Verifier(source.url, audience=sys.argv[1])
    print(verifier.verify(source.token().access_token, "deploy:read").client_id)
"""


@pytest.fixture
def bare(job: Job, tmp_path: Path) -> Job:  # noqa: F811 - the fixture
    """The job on a machine where `pip install .` was all there was."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(BLOCKING)
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
    return Job(job.folder, job.broker, job.variables | {"PYTHONPATH": path})


def python(bare: Job, *words: str) -> subprocess.CompletedProcess[str]:
    return bare.run(sys.executable, *words)


def test_the_server_is_missing_there(bare: Job) -> None:
    assert set(SERVER) <= set(beyond_the_base())
    assert "httpx" not in beyond_the_base()

    done = python(bare, "-c", "import broker.bootstrap")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_a_program_gets_a_token(bare: Job) -> None:
    done = python(bare, "-c", PROGRAM)

    assert (done.returncode, done.stderr) == (0, "")
    assert bare.claims(done.stdout.strip())["scope"] == "deploy:read"


def test_a_service_verifies_a_token(bare: Job) -> None:
    done = python(bare, "-c", SERVICE, DEPLOY_API)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "deploy-web\n"


def test_the_commands_of_a_pipeline_work(bare: Job) -> None:
    broker = (sys.executable, "-m", "broker")
    assert bare.claims(bare.quiet(*broker, "token", "deploy-api").strip())
    assert bare.quiet(*broker, "token", "deploy-api", "--format", "json").startswith("{")
    assert bare.quiet(*broker, "exec", "deploy-api", "--", "echo", "ran") == "ran\n"
    assert bare.quiet(*broker, "whoami").startswith("source: GitLab CI")
    assert bare.quiet(*broker, "explain", "deploy-api").startswith("permit: ")
    assert bare.quiet(*broker, "revoke", "--quiet") == ""
    assert "Usage: broker" in bare.quiet(*broker, "--help")


def test_the_server_says_what_to_install(bare: Job) -> None:
    done = python(bare, "-m", "broker", "serve")

    assert (done.returncode, done.stdout) == (2, "")
    assert "needs the extra 'server'" in done.stderr
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
