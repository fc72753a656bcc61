"""The grant with its ports in memory, and real keys on both sides."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from broker.core.indexed_policies import IndexedPolicies
from broker.core.issuer_keys import read_jwks
from broker.core.platforms import GITHUB
from broker.core.refusal_counts import RefusalCounts
from broker.core.signing_keys import SigningKey, SigningKeySet, SigningSchedule
from broker.grants.limit_sharing import LimitSharing
from broker.grants.rate_limits import RateLimits
from broker.grants.token_exchange import TokenExchange
from broker.testing import FakeIssuer, FrozenClock
from tests.core.builders import BROKER, LEEWAY, NOW, a_policy, a_policy_set, a_service
from tests.grants.exchange import Exchange
from tests.grants.ports_in_memory import (
    FollowedState,
    HeldIssuerKeys,
    HeldPolicies,
    HeldSigningKeys,
    InMemoryCounts,
    InMemoryLedger,
    NumberedIdentifiers,
)


@pytest.fixture(scope="session")
def platform_key() -> Callable[[FrozenClock], FakeIssuer]:
    """One RSA key for every test; each test has its own clock."""
    key = FakeIssuer(GITHUB.issuer).key
    return lambda clock: FakeIssuer(GITHUB.issuer, key=key, clock=clock)


@pytest.fixture
def exchange(platform_key: Callable[[FrozenClock], FakeIssuer]) -> Exchange:
    """A broker that trusts GitHub and lets acme/web deploy as `deploy-web`."""
    clock = FrozenClock(NOW)
    platform = platform_key(clock)
    keys = read_jwks(json.dumps(platform.jwks()).encode(), ["RS256"])
    service = replace(a_service(), signing_alg="ES256")
    policies = HeldPolicies(IndexedPolicies.of(a_policy_set(a_policy(), services=[service])))
    schedule = SigningSchedule(publish_at=NOW - 60, sign_from=NOW - 60, sign_until=NOW + 86_400)
    own = SigningKey.of(ec.generate_private_key(ec.SECP256R1()), "ES256", schedule)
    ledger = InMemoryLedger()
    issuer_keys = HeldIssuerKeys(clock, {"github": keys})
    signing_keys = HeldSigningKeys(SigningKeySet((own,)))
    identifiers = NumberedIdentifiers()
    counts = RefusalCounts(identifiers.new)
    state = FollowedState(ledger)
    grant = TokenExchange(
        state=state,
        policies=policies,
        issuer_keys=issuer_keys,
        signing_keys=signing_keys,
        ledger=ledger,
        clock=clock,
        identifiers=identifiers,
        refusal_counts=counts,
        limits=RateLimits(LimitSharing(InMemoryCounts(), clock), counts),
        issuer=BROKER,
        leeway=LEEWAY,
    )
    return Exchange(platform, clock, ledger, issuer_keys, signing_keys, policies, counts, grant)
