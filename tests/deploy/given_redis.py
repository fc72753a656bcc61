"""What a deployment gives Redis and its brokers, started without the deployment's engine.

Places and ports are those of the test; everything else is as it stands in the files.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from tests.redis_server import RedisServer
from tests.replicas.several_brokers import MASTER_KEY, Replica, a_token, platform, replicas

PASSWORD: Final = "pass-word_of-the-test"
ISSUER: Final = "https://broker.example.com"


class GivenRedis(RedisServer):
    """A server with the arguments that a deployment gives it."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        super().__init__(folder)
        self._arguments = arguments

    def _all_options(self) -> list[str]:
        return [*self._arguments, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", "."]


def a_home(folder: Path, settings: str, policies: Mapping[str, str]) -> Path:
    """Make the folder of a broker; its issuer's keys are in a file, so that nobody is asked."""
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "github.json").write_text(json.dumps(platform("github").jwks()))
    for name, text in policies.items():
        offline = text.replace("{preset: github}", "{preset: github, jwks_file: github.json}")
        assert offline != text
        (folder / "policies" / name).write_text(offline)
    (folder / "master.key").touch(mode=0o600)
    (folder / "master.key").write_text(MASTER_KEY)
    (folder / "broker.yaml").write_text(settings)
    return folder


def assert_two_are_one(
    homes: list[Path], variables: Mapping[str, str], server: RedisServer
) -> None:
    """Start two brokers; what is spent at one is spent at the other, also when Redis was killed."""
    claims = {"repository": "acme/web", "repository_owner_id": "1234567"}
    token = a_token(audience=ISSUER, **claims)
    with replicas(homes, [1, 1], variables) as (one, other):
        assert [each.ready() for each in (one, other)] == [(200, "ready")] * 2
        assert one.key_ids() == other.key_ids()
        warnings = [each for each in logged(one) + logged(other) if each["level"] != "info"]
        assert warnings == []
        assert one.exchange(token).status_code == 200
        assert other.exchange(token).json()["reason"] == "token_already_used"
        server.kill()
        assert other.exchange(token).status_code == 503
        server.start()
        again = exchanged_in_time(one, token)
        assert again.json().get("reason") == "token_already_used", (again.text, logged(one)[-3:])
        fresh = exchanged_in_time(other, a_token(audience=ISSUER, **claims))
        assert fresh.status_code == 200, (fresh.text, logged(other)[-3:])


def exchanged_in_time(replica: Replica, token: str) -> httpx.Response:
    """Exchange as a job does, which comes again while the store is out of reach."""
    until = time.monotonic() + 60
    while (answer := replica.exchange(token)).status_code == 503 and time.monotonic() < until:
        time.sleep(0.2)
    return answer


def logged(replica: Replica) -> list[dict[str, object]]:
    return [each for each in replica.running.log if "level" in each]
