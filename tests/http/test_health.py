"""Liveness and readiness, with the status alone."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.core.errors import Problem
from broker.core.signing_keys import SigningKey, SigningKeySet, SigningSchedule
from broker.http.health import Health
from broker.ports import IssuerKeyStatus, PolicyFault
from broker.signing.key_pairs import generate
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.grants.ports_in_memory import HeldSigningKeys
from tests.running_broker import RunningBroker


@pytest.mark.parametrize(("path", "status"), [("/healthz", "ok"), ("/readyz", "ready")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_broker_that_serves_says_so(
    broker: RunningBroker, path: str, status: str, method: str
) -> None:
    answer = broker.request(method, path)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    if method == "GET":
        assert answer.json() == {"status": status}


async def test_a_broker_without_a_key_to_sign_with_is_not_ready(tmp_path: Path) -> None:
    answer = await readiness(tmp_path, SigningKeySet(()), None)

    assert answer == (503, b'{"status":"unready"}')


async def test_a_broker_whose_policy_files_are_no_good_serves_on_and_says_degraded(
    tmp_path: Path,
) -> None:
    answer = await readiness(tmp_path, a_key_set(), A_FAULT)

    assert answer == (200, b'{"status":"degraded"}')


async def test_a_broker_that_cannot_sign_is_not_ready_whatever_its_policies(
    tmp_path: Path,
) -> None:
    answer = await readiness(tmp_path, SigningKeySet(()), A_FAULT)

    assert answer == (503, b'{"status":"unready"}')


A_FAULT = PolicyFault(0, (Problem("web.yaml", 3, 5, "`issuer` is missing"),), 1)


@dataclass(frozen=True)
class Policies:
    """Policies of which is said what the test wants."""

    said: PolicyFault | None

    def fault(self) -> PolicyFault | None:
        return self.said


class NoIssuerKeys:
    """No issuer was asked yet."""

    def status(self) -> tuple[IssuerKeyStatus, ...]:
        return ()


async def readiness(
    folder: Path, keys: SigningKeySet, fault: PolicyFault | None
) -> tuple[int, bytes]:
    clock = FrozenClock()
    store = await SqliteStore.open(folder / "broker.db", clock)
    health = Health(store, HeldSigningKeys(keys), Policies(fault), NoIssuerKeys(), clock)
    answer = await health.ready()
    await store.close()
    return answer.status, answer.body


def a_key_set() -> SigningKeySet:
    since_always = SigningSchedule(publish_at=0, sign_from=0)
    return SigningKeySet((SigningKey.of(generate("ES256"), "ES256", since_always),))
