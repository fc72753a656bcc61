"""docs/guides/migrate-from-secrets.md, followed to the letter on a broker of its own."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.core import client_secret
from broker.testing.loopback import free_port
from tests.docs.markdown import ROOT, Page
from tests.serving_process import serving_process

PAGE = Page("docs/guides/migrate-from-secrets.md")
FILES = ("policies/services.yaml", "policies/dev/nightly.yaml")


@dataclass(frozen=True)
class Follower:
    """Somebody who does what the page says, in an empty folder."""

    folder: Path
    port: int
    dev_port: int

    def write(self, number: int) -> None:
        """Write a file of the page."""
        path = self.folder / FILES[number]
        path.write_text(PAGE.blocks("yaml")[number].text)

    def run(self, number: int) -> str:
        """Run commands of the page; give what they print."""
        text = PAGE.blocks("sh")[number].text
        command = shlex.join([sys.executable, "-m", "broker"])
        dev = f"--audience {self.url} --issuer-base http://127.0.0.1:{self.dev_port}"
        text = text.replace("broker dev token", f"broker dev token {dev}")
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f'broker() {{ {command} "$@"; }}\n{text}'],
            cwd=self.folder,
            env=kept | {"PYTHONPATH": str(ROOT), "BROKER_LISTEN": f"127.0.0.1:{self.port}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def objects(text: str) -> list[dict[str, Any]]:
    """Read JSON objects that stand one behind the other."""
    decoder, found = json.JSONDecoder(), []
    while text.strip():
        value, end = decoder.raw_decode(text := text.strip())
        found.append(value)
        text = text[end:]
    return found


def test_the_page_leads_from_a_secret_to_none(tmp_path: Path) -> None:
    follower = Follower(tmp_path, free_port(), free_port())
    follower.run(0)
    follower.write(0)
    follower.run(1)
    admin = (tmp_path / "admin.key").read_text()
    assert client_secret.is_well_formed(admin)
    ports = ("--listen", f"127.0.0.1:{follower.port}")
    dev = ("--dev", "--dev-listen", f"127.0.0.1:{follower.dev_port}")
    assert PAGE.blocks("sh")[2].text == "broker serve --dev\n"

    with serving_process(tmp_path, *dev, *ports) as serving:
        follower.run(3)
        first = (tmp_path / "nightly.secret").read_text()
        [token] = objects(follower.run(4))
        assert (token["service_account"], token["scope"]) == ("nightly", "deploy:write")
        both = objects(follower.run(5))
        assert [each["service_account"] for each in both] == ["nightly", "nightly"]
        assert "replaces" in follower.run(6)
        second = (tmp_path / "nightly.secret").read_text()
        assert first != second
        follower.write(1)
        assert json.loads(follower.run(7))["outcome"] == "reloaded"
        [exchanged] = objects(follower.run(8))
        assert (exchanged["service_account"], exchanged["scope"]) == ("nightly", "deploy:write")
        assert "is not needed: CI jobs act as the account by policy" in follower.run(9)
        follower.run(10)
        with pytest.raises(AssertionError):
            # The secret file is gone, and so is the secret.
            follower.run(4)
        events = follower.run(11)
        lines = serving.stop()

    kinds = [
        "account.created", "secret.created", "nightly at https://", "secret.rotated",
        "secret.completed", "by nightly-main", "secret.revoked", "account.updated",
    ]  # fmt: skip
    places = [events.index(kind) for kind in kinds]
    assert places == sorted(places)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("broker.db*"))
    for secret in (admin, first, second):
        assert secret.encode() not in kept
        assert secret not in lines + events
