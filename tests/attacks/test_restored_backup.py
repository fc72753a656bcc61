"""Rows 153 and 185: a store is put back to what it was, and what was used since stays used."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.core.redis_address import read_redis_address
from broker.settings import Settings
from tests.attacks.refusals import assert_refused
from tests.registry_api import OPERATORS, calling
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import SpecialBroker

ROOT = Path(__file__).parents[2]
LEEWAY = 60


class Lasting(SpecialBroker):
    """A broker that keeps its issuer URL over restarts, at whichever port it listens then."""

    def __init__(
        self, folder: Path, issuer: str | None = None, *, later: float = 0, **settings: Any
    ) -> None:
        super().__init__(folder, now=time.time() + 2 + later, **settings)
        self.issuer = issuer

    def settings(self) -> Settings:
        settings = super().settings()
        return replace(settings, issuer=self.issuer or settings.issuer)


@pytest.fixture(params=["sqlite", "redis"])
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Lasting]:
    """Give a broker that is about to start, on the same store as the one before."""
    (tmp_path / "policies").mkdir()
    admin = 'admin: {grants: {broker: ["broker:*"]}'
    operators = OPERATORS.replace(f"  {admin}}}", f"  {admin}, secrets: allowed}}")
    (tmp_path / "policies" / "more.yaml").write_text(operators)
    if request.param == "sqlite":
        return lambda issuer=None, **changes: Lasting(tmp_path, issuer, **changes)
    store = read_redis_address(request.getfixturevalue("redis").url)
    return lambda issuer=None, **changes: Lasting(tmp_path, issuer, store=store, **changes)


def store(broker: RunningBroker, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The command has the machine's clock, which must not be behind the one that the broker holds:
    # what the broker took would be of a time to come.
    time.sleep(max(0.0, broker.clock.now() - time.time()))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    place = broker.settings().store
    shown = place.shown if place.shown.startswith("redis") else f"sqlite:{place.shown}"
    return subprocess.run(
        [sys.executable, "-m", "broker", "store", *arguments],
        cwd=broker.folder,
        env=kept
        | {
            "BROKER_ISSUER": broker.url,
            "BROKER_STORE": shown,
            "BROKER_MASTER_KEY_FILE": str(broker.folder / "master.key"),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_was_used_or_issued_since_a_backup_counts_for_nothing(
    begin: Callable[..., Lasting],
) -> None:
    with begin().serving() as broker:
        issuer = broker.url
        made = calling(broker, "admin")("POST", "/admin/secrets")
        asking = {"client_id": "admin", "client_secret": made.json()["client_secret"]}
        early = broker.github_token()
        verified(broker, broker.exchange(early))
        backed_up = store(broker, "backup", "backup.db", "--json")
        assert backed_up.returncode == 0, backed_up
        head = json.loads(backed_up.stdout)["head"]

        # What the backup does not know: a token that was used, and those that it brought.
        late = broker.github_token()
        verified(broker, broker.exchange(late))
        # Of an issuer whose clock is ahead by what brokers bear.
        ahead = broker.github_token(iat=int(broker.clock.now()) + LEEWAY)
        verified(broker, broker.exchange(ahead))
        admin = calling(broker, "admin")
        bearer = admin.headers["Authorization"].removeprefix("Bearer ")
        assert broker.request("GET", "/api/v1/keys", headers=admin.headers).status_code == 200
        reader = calling(broker, "reader")
        revoked = broker.request("POST", "/oauth/revoke", data={"token": bearer})
        assert revoked.status_code == 200
        while_serving = store(broker, "restore", "backup.db", "--replace")
        # The broker of this test counts nothing, so that one on Redis is not seen.
        if broker.settings().store.shown.startswith("/"):
            assert while_serving.returncode == 2
            assert "is in use: stop every broker of it first" in while_serving.stderr
        else:
            assert while_serving.returncode == 0, while_serving

    restored = store(broker, "restore", "backup.db", "--replace", "--json")
    assert restored.returncode == 0, restored
    facts = json.loads(restored.stdout)
    assert facts["head"]["seq"] == head["seq"] + 1
    if broker.settings().store.shown.startswith("/"):
        assert "to be done again where that still holds:" in restored.stderr
        assert "token.revoked" in restored.stderr
        assert [each["type"] for each in facts["undone"]] == ["token.revoked"]

    with begin(issuer).serving() as broker:
        for used in (early, late, ahead):
            assert_refused(broker, broker.exchange(used), "token_already_used")
        for caller in (admin, reader):
            answer = broker.request("GET", "/api/v1/service-accounts", headers=caller.headers)
            assert answer.status_code == 401, answer.text
    with begin(issuer, later=LEEWAY).serving() as broker:
        fresh = broker.github_token()
        granted = broker.exchange(fresh)
        assert granted.status_code == 200
        assert_refused(broker, broker.exchange(fresh), "token_already_used")
        for token, active in ((bearer, False), (granted.json()["access_token"], True)):
            form = {"token": token, **asking}
            answer = broker.request("POST", "/oauth/introspect", data=form)
            assert (answer.status_code, answer.json()["active"]) == (200, active)
