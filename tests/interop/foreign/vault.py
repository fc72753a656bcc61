"""Vault and OpenBao in their dev mode, which are asked alike."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from broker.testing.loopback import free_port
from tests.interop.foreign.programs import built, serving

ROOT_TOKEN: Final = "root-of-a-test"


@dataclass(frozen=True)
class Vault:
    """Where it answers, and the program that it is: `vault` or `bao`."""

    url: str
    program: str

    def command(self, *arguments: str) -> str:
        """Run the program's command as its root; gives what it printed."""
        done = subprocess.run(
            [built(self.program), *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environment(self) -> dict[str, str]:
        """Give the variables of who is root."""
        kept = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir()}
        return kept | {"VAULT_ADDR": self.url, "VAULT_TOKEN": ROOT_TOKEN}

    def write(self, path: str, content: dict[str, Any]) -> None:
        """Write as its root."""
        answer = self._request("POST", path, ROOT_TOKEN, content)
        assert answer.is_success, answer.text

    def login(self, role: str, jwt: str, mount: str = "jwt") -> str | None:
        """Log in as a job does; gives the Vault token, or None when it is refused."""
        answer = self._request("POST", f"auth/{mount}/login", "", {"role": role, "jwt": jwt})
        if answer.status_code == 200:
            token: str = answer.json()["auth"]["client_token"]
            return token
        assert answer.status_code in {400, 403}, answer.text
        return None

    def read(self, path: str, token: str) -> dict[str, Any] | None:
        """Read a secret; None when that is not permitted."""
        answer = self._request("GET", path, token)
        if answer.status_code == 200:
            found: dict[str, Any] = answer.json()["data"]
            return found
        assert answer.status_code == 403, answer.text
        return None

    def _request(
        self, method: str, path: str, token: str, content: dict[str, Any] | None = None
    ) -> httpx.Response:
        headers = {"x-vault-token": token} if token else {}
        return httpx.request(
            method,
            f"{self.url}/v1/{path}",
            headers=headers,
            json=content,
            trust_env=False,
            timeout=60,
        )


@contextmanager
def running_vault(program: str) -> Iterator[Vault]:
    """Run one until the block ends, with all that it knows in memory."""
    address = f"127.0.0.1:{free_port()}"
    command = [built(program), "server", "-dev", "-dev-no-store-token"]
    command += [f"-dev-listen-address={address}", f"-dev-root-token-id={ROOT_TOKEN}"]
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(
            command,
            Path(folder, "log"),
            f"http://{address}/v1/sys/health",
            env={"PATH": os.environ["PATH"], "HOME": folder},
        ),
    ):
        yield Vault(f"http://{address}", program)
