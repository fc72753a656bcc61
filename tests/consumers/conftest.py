"""A job with an ID token, a broker that knows it, and the helpers on its PATH."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from broker.client.service_token import ServiceToken
from tests.consumers.guide import in_guide
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token

BROKER = Path(sys.executable).with_name("broker")


@dataclass
class Job:
    """Runs commands as a job does; nothing of the machine's own configuration reaches them."""

    folder: Path
    broker: RunningBroker
    variables: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        *command: str,
        stdin: str = "",
        cwd: Path | None = None,
        more: Mapping[str, str] | None = None,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.variables, **(more or {}), **variables},
            cwd=cwd or self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def quiet(self, *command: str, **options: Any) -> str:
        """Run a command that must end well, with nothing on stderr; give its stdout."""
        done = self.run(*command, **options)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def token(self) -> ServiceToken:
        """Exchange the ID token for a service token."""
        answer = self.broker.exchange(self.variables["BROKER_ID_TOKEN"]).json()
        return ServiceToken(
            answer["access_token"],
            answer["token_type"],
            answer["expires_in"],
            int(time.time()) + int(answer["expires_in"]),
        )

    def exchanges(self) -> int:
        """Count the service tokens that the broker has issued."""
        return self.broker.minted()

    def claims(self, token: str) -> Mapping[str, Any]:
        """Verify a token as the service does. Raises `jwt.PyJWTError`."""
        return verified_token(self.broker, token)

    def claims_of_basic(self, header: str) -> Mapping[str, Any]:
        """Verify the password of a Basic authentication for `oauth2` as the service does."""
        kind, _, credentials = header.partition(" ")
        name, _, password = base64.b64decode(credentials).decode().partition(":")
        assert (kind, name) == ("Basic", "oauth2")
        return self.claims(password)


@pytest.fixture
def job(today_broker: RunningBroker, tmp_path: Path) -> Job:
    """A job of GitLab: one ID token for as long as it runs, and the helpers by all their names."""
    for name in ("bin", "home", "run"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "bin" / "broker").symlink_to(BROKER)
    variables = {
        "PATH": f"{tmp_path}/home/.local/bin:{tmp_path}/bin:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "BROKER_URL": today_broker.url,
        "BROKER_ID_TOKEN": today_broker.gitlab_token(),
    }
    job = Job(tmp_path, today_broker, variables)
    job.quiet("sh", "-eu", stdin=in_guide("Before the first", "sh", number=1))
    return job
