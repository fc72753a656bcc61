"""A trusted issuer of the tests that publishes whatever a test wants, beside those of the broker.

It takes the place of `buildkite` among the issuers of a running broker, on a store of either kind.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from broker.core.policy import Issuer
from broker.core.redis_address import read_redis_address
from broker.issuer_keys import HttpIssuerKeys
from broker.ports import Store
from broker.settings.model import SqliteStoreLocation
from broker.stores.opening import StoreLocation
from broker.testing import FakeIssuer
from broker.testing.jws import PrivateKey, generate_key, public_jwk
from tests.attacks.key_publisher import Answer, KeyPublisher, document, publishing
from tests.redis_server import RedisServer
from tests.registry_api import OPERATORS, calling
from tests.running_broker import AUDIENCE, BUILDKITE, POLICIES, RunningBroker
from tests.special_brokers import SpecialBroker

NAME = "buildkite"
KEYS = "/keys"
_CLAIMS = {"sub": "organization:acme", "organization_id": "7b9a3c52-0000-4000-8000-000000000001"}


@cache
def key_of(name: str) -> PrivateKey:
    """A key for the whole session."""
    return generate_key("ES256")


def jwk(name: str) -> dict[str, Any]:
    """The public part of a key; its `kid` is its name."""
    return public_jwk(key_of(name), "ES256", name)


def jwks(*names: str) -> dict[str, Any]:
    """A JWKS of some keys."""
    return {"keys": [jwk(name) for name in names]}


@dataclass(frozen=True)
class CorpIssuer:
    """The issuer, and the broker that trusts it."""

    broker: RunningBroker
    publisher: KeyPublisher

    def publish(self, *names: str) -> None:
        """Publish these keys."""
        self.answer(document(*jwks(*names)["keys"]))

    def answer(self, answer: Answer) -> None:
        """Answer with this instead."""
        self.publisher.answers[KEYS] = answer

    def away(self) -> None:
        """Have no keys any more."""
        self.answer(Answer(b"{}", status=503))

    def token(self, name: str, **claims: Any) -> str:
        """Mint a token that the policies permit."""
        issuer = FakeIssuer(BUILDKITE, key=key_of(name), algorithm="ES256", clock=self.broker.clock)
        return issuer.token(_CLAIMS | claims, audience=AUDIENCE, header={"kid": name})

    def present(self, name: str) -> httpx.Response:
        """Exchange a token signed with a key of this name."""
        return self.broker.exchange(self.token(name))

    def outcome(self, name: str) -> str:
        """Give the reason that such a token is refused for, `ok` when it is not."""
        answer = self.present(name)
        return "ok" if answer.status_code == 200 else str(answer.json()["reason"])

    def fetches(self) -> int:
        """How often the keys were asked for."""
        return len(self.publisher.requests)

    def settle(self) -> None:
        """Wait for the fetch that may have begun behind a request."""
        assert self.broker._broker is not None
        self.broker._run(_settled(self.broker._broker.issuer_keys))

    def fetch_if_due(self) -> None:
        """Have the broker do now what it does every few seconds."""
        assert self.broker._broker is not None
        self.broker._run(self.broker._broker.issuer_keys.refresh_due())

    def operator(self) -> dict[str, str]:
        """Give the header of an operator by API key."""
        made = calling(self.broker, "admin").create(grants={"broker": ["broker:*"]})
        return {"Authorization": f"Bearer {made['client_secret']}"}

    def shown(self, headers: dict[str, str]) -> dict[str, Any]:
        """Show what is told of its keys."""
        answer = self.broker.request("GET", "/api/v1/issuers", headers=headers)
        [keys] = [each["keys"] for each in answer.json()["items"] if each["name"] == NAME]
        return dict(keys)

    def configured(self) -> Issuer:
        """Give it as it is configured."""
        return self.broker.in_force().issuers[NAME]

    def store(self) -> Store:
        """Give the store of the broker."""
        assert self.broker._broker is not None
        return self.broker._broker.store

    def kept_row(self) -> bytes | None:
        """Give what the store keeps of its keys, sealed as it is."""
        row: bytes | None = self.broker._run(self.store().sealed_row(f"issuer-keys/{NAME}"))
        return row


async def _settled(keys: HttpIssuerKeys) -> None:
    while flights := [each for cache in keys._caches.values() if (each := cache._under_way())]:
        await asyncio.wait(flights)


def location_of(folder: Path, redis: RedisServer | None) -> StoreLocation:
    """Name a store in Redis, or in a file of the folder."""
    if redis is not None:
        return read_redis_address(redis.url)
    return SqliteStoreLocation(folder / "broker.db")


@contextmanager
def corp_issuer(folder: Path, redis: RedisServer | None) -> Iterator[CorpIssuer]:
    """Serve a broker on a store of either kind, and the issuer, which publishes `first`."""
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "more.yaml").write_text(OPERATORS)
    with publishing() as publisher:
        policies = POLICIES.replace('"{buildkite}"', f'"{publisher.url}{KEYS}"')
        broker = SpecialBroker(folder, policies, store=location_of(folder, redis))
        issuer = CorpIssuer(broker, publisher)
        issuer.publish("first")
        with broker.serving():
            yield issuer


@contextmanager
def another_broker(issuer: CorpIssuer, folder: Path) -> Iterator[CorpIssuer]:
    """Serve a second broker on the same store, with the same policies."""
    first = issuer.broker
    settings = first.settings()
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "more.yaml").write_text(OPERATORS)
    broker = SpecialBroker(
        folder, first.policies, store=settings.store, master_key_file=settings.master_key_file
    )
    with broker.serving():
        yield CorpIssuer(broker, issuer.publisher)


def text_of(*names: str) -> bytes:
    """A JWKS of some keys as text."""
    return json.dumps(jwks(*names)).encode()


def moved(issuer: Issuer, name: str) -> Issuer:
    """The same issuer under another name."""
    return replace(issuer, name=name)
