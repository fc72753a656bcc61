"""docs/guides/python-client.md: its programs run as they stand, in a job, against a broker."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client_secrets import an_account, give
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.docs.markdown import ROOT, Page, blocks
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token

PAGE = Page("docs/guides/python-client.md")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(today_broker: RunningBroker, tmp_path: Path) -> Run:
    """Run the program of a section, with the addresses of this machine in it."""

    def started(section: str, **changes: str) -> subprocess.CompletedProcess[str]:
        (program,) = [each.text for each in blocks(PAGE.section(section), "python")]
        changes = {"https://broker.example.com": today_broker.url, **changes}
        for old, new in changes.items():
            assert old in program
            program = program.replace(old, new)
        return subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning", "-c", program],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "BROKER_ID_TOKEN": today_broker.gitlab_token(),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return started


def test_a_token_is_had(run: Run) -> None:
    done = run("A token")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "deploy-web deploy:read deploy:write 600\n"


@pytest.mark.parametrize("section", ["Requests with httpx", "With asyncio"])
def test_requests_carry_it(run: Run, today_broker: RunningBroker, section: str) -> None:
    with LoopbackServer(lambda _: Answer(b"{}", 201)).serving() as service:
        done = run(section, **{"https://deploy.example.com": service.url})

        assert (done.returncode, done.stderr) == (0, "")
        (request,) = service.requests
    assert token_of(today_broker, request) == "deploy-web"


def token_of(broker: RunningBroker, request: Request) -> object:
    token = request.headers["authorization"].removeprefix("Bearer ")
    return verified_token(broker, token)["client_id"]


def test_a_refusal_is_told(run: Run) -> None:
    done = run("When there is none")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.split()[0] == "target_unknown"
    assert done.stderr.split()[2].startswith("cli-")


def test_trouble_is_told(run: Run, today_broker: RunningBroker) -> None:
    with LoopbackServer(lambda _: Answer(b"<html>")).serving() as other:
        done = run("When there is none", **{"https://broker.example.com": other.url})

    assert (done.returncode, done.stdout) == (5, "")
    assert "no token that could be used" in done.stderr


def test_an_account_asks_with_its_secret(
    run: Run, today_broker: RunningBroker, tmp_path: Path
) -> None:
    account = an_account(created_at=0.0, updated_at=0.0)
    (tmp_path / "secret").write_text(give(today_broker, account, created_at=0.0) + "\n")
    done = run("Without an ID token", **{"deploy-web": account.client_id})

    assert (done.returncode, done.stdout, done.stderr) == (0, "Bearer\n", "")
