"""Clients that authenticate with a key of their own (`private_key_jwt`), for tests."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from broker.core.vocabulary import ASSERTION_TYPE_JWT
from broker.testing.jws import PrivateKey, compact_jws, generate_key, public_jwk
from tests.running_broker import RunningBroker


@dataclass(frozen=True)
class KeyPair:
    """A key that a client has registered, or says that it has."""

    key: PrivateKey
    algorithm: str = "ES256"
    key_id: str = "key-1"

    @classmethod
    def made(cls, algorithm: str = "ES256", key_id: str = "key-1") -> "KeyPair":
        return cls(generate_key(algorithm), algorithm, key_id)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [public_jwk(self.key, self.algorithm, self.key_id)]}

    def assertion(
        self,
        broker: RunningBroker,
        client_id: str,
        *,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Sign what a usual client sends; a claim or header that is None is left out."""
        now = int(broker.clock.now())
        usual: dict[str, Any] = {
            "iss": client_id,
            "sub": client_id,
            "aud": broker.url,
            "exp": now + 60,
            "iat": now,
            "jti": str(uuid.uuid4()),
        }
        return compact_jws(
            _without_none({"alg": self.algorithm, "kid": self.key_id, **(header or {})}),
            _without_none(usual | claims),
            algorithm=self.algorithm,
            key=self.key,
        )


def asserting(broker: RunningBroker, assertion: str, /, **form: Any) -> httpx.Response:
    """Ask for a token by client credentials, with an assertion."""
    fields = {
        "grant_type": "client_credentials",
        "audience": "deploy-api",
        "client_assertion_type": ASSERTION_TYPE_JWT,
        "client_assertion": assertion,
        **form,
    }
    return broker.post(_without_none(fields))


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
