"""A token exchange with its ports in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from broker.core.decision import DecisionRequest
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.core.refusal_counts import RefusalCounts
from broker.core.vocabulary import TOKEN_TYPE_ACCESS_TOKEN
from broker.grants.request import Caller, ExchangeRequest, IssuedToken
from broker.grants.token_exchange import TokenExchange
from broker.testing import FakeIssuer, FrozenClock, github_claims
from tests.core.builders import BROKER
from tests.grants.ports_in_memory import (
    HeldIssuerKeys,
    HeldPolicies,
    HeldSigningKeys,
    InMemoryLedger,
)
from tests.profiles.checked import check_profile

CALLER = Caller("request-1", "192.0.2.7")


@dataclass
class Exchange:
    """A token exchange, and what stands around it."""

    platform: FakeIssuer
    clock: FrozenClock
    ledger: InMemoryLedger
    issuer_keys: HeldIssuerKeys
    signing_keys: HeldSigningKeys
    policies: HeldPolicies
    counts: RefusalCounts
    grant: TokenExchange

    def token(self, **claims: Any) -> str:
        return self.platform.token(github_claims(**claims), audience=BROKER)

    async def of(
        self, token: str, *, token_type: str = TOKEN_TYPE_ACCESS_TOKEN, **wanted: Any
    ) -> IssuedToken:
        """Exchange a token, for deploy-api unless told otherwise. Raises `Refusal`."""
        asked = DecisionRequest(**{"targets": ("deploy-api",), **wanted})
        issued = await self.grant.exchange(ExchangeRequest(token, asked, CALLER, token_type))
        check_profile(issued.access_token, self.policies.held.policy_set)
        return issued

    def under(self, policy_set: PolicySet) -> None:
        """Let another policy set decide from now on."""
        self.policies.held = IndexedPolicies.of(policy_set)

    def read(self, issued: IssuedToken) -> Mapping[str, Any]:
        """Verify a service token as any service would, and give its claims."""
        (key,) = self.signing_keys.held.keys
        claims: Mapping[str, Any] = jwt.decode(
            issued.access_token,
            jwt.PyJWK(key.public).key,
            algorithms=["ES256"],
            audience="https://deploy-api.example",
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        return claims
