"""Row 122: whether an id exists is read off the time that a wrong secret takes.

What takes time is what is looked up and computed. It is the same for every id, known or not.
"""

import os
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from broker.core import client_secret
from broker.core.errors import RequestRefused
from broker.core.indexed_policies import IndexedPolicies
from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount
from broker.core.refusal_counts import RefusalCounts
from broker.core.subject_token import parse
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS
from broker.grants.client_authentication import ClientAuthentication
from broker.grants.limit_sharing import LimitSharing
from broker.grants.rate_limits import RateLimits
from broker.grants.request import AssertedCredentials, Caller, Credentials
from broker.issuer_keys import ClientKeys
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from broker.testing.jws import PrivateKey, compact_jws
from tests.client_secrets import an_account
from tests.core.builders import a_policy_set
from tests.grants.ports_in_memory import HeldPolicies, InMemoryCounts

BROKER = "https://broker.example"
PEPPER = bytes(32)
NOBODYS: dict[str, PrivateKey] = {
    "ES256": ec.derive_private_key(1, ec.SECP256R1()),
    "ES384": ec.derive_private_key(1, ec.SECP384R1()),
    "ES512": ec.derive_private_key(1, ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
}
KNOWN = an_account()
SECRET = client_secret.generate("live", os.urandom)
KEPT = ClientSecret(
    "s-1", KNOWN.client_id, KNOWN.incarnation, client_secret.digest(SECRET, PEPPER), 0.0
)


@dataclass
class RecordedAccounts:
    """Accounts that tell what was looked up; implements `AccountSource`."""

    asked: list[object] = field(default_factory=list)

    async def account(self, client_id: str) -> ManagedAccount | None:
        self.asked.append(client_id)
        return KNOWN if client_id == KNOWN.client_id else None

    async def override(self, client_id: str) -> AccountOverride | None:
        self.asked.append(client_id)
        return None

    async def secret_of_digest(self, digest: bytes) -> ClientSecret | None:
        self.asked.append(digest)
        return KEPT if digest == KEPT.digest else None


@pytest.fixture
def accounts() -> RecordedAccounts:
    return RecordedAccounts()


@pytest.fixture
def authentication(accounts: RecordedAccounts) -> ClientAuthentication:
    clock = FrozenClock(0.0)
    return ClientAuthentication(
        accounts=accounts,
        policies=HeldPolicies(IndexedPolicies.of(a_policy_set())),
        client_keys=ClientKeys(clock, broker_on_loopback=True, rng=lambda: 0.0, hosts=()),
        limits=RateLimits(
            LimitSharing(InMemoryCounts(), clock), RefusalCounts(UuidV7Identifiers().new)
        ),
        clock=clock,
        issuer=BROKER,
        pepper=PEPPER,
    )


async def looked_up(
    authentication: ClientAuthentication, accounts: RecordedAccounts, client_id: str, secret: str
) -> list[object]:
    """Tell what is looked up for wrong credentials, and that they are refused alike."""
    accounts.asked.clear()
    with pytest.raises(RequestRefused, match="unknown or its credentials are wrong"):
        await authentication.require(Credentials(client_id, secret), Caller("r"))
    return list(accounts.asked)


async def test_a_wrong_secret_of_a_known_id_takes_the_steps_of_an_unknown_id(
    authentication: ClientAuthentication, accounts: RecordedAccounts
) -> None:
    wrong = client_secret.generate("live", os.urandom)
    steps = [
        await looked_up(authentication, accounts, client_id, wrong)
        for client_id in (KNOWN.client_id, "nobody", "", "x" * 10_000, "\udcff")
    ]

    assert steps == [[client_secret.digest(wrong, PEPPER)]] * 5


async def test_another_ids_secret_tells_nothing_of_an_id(
    authentication: ClientAuthentication, accounts: RecordedAccounts
) -> None:
    steps = [
        await looked_up(authentication, accounts, client_id, SECRET)
        for client_id in ("nobody", "deploy-web")
    ]

    assert steps == [[KEPT.digest]] * 2


@pytest.mark.parametrize(
    "text",
    [SECRET[:-1] + "~", SECRET[:-1], "", "\u212a" * 64, "\udcff" * 64],
    ids=["a character that is none", "cut", "empty", "look-alikes", "no text"],
)
async def test_a_mistyped_secret_is_not_looked_up_whatever_the_id(
    authentication: ClientAuthentication, accounts: RecordedAccounts, text: str
) -> None:
    for client_id in (KNOWN.client_id, "nobody"):
        assert await looked_up(authentication, accounts, client_id, text) == []


@pytest.mark.parametrize(
    "client_id",
    ["x" * 5_000, "a", "Known", "a b", "a\0", "\u0430dmin"],
    ids=["long", "short", "upper case", "two words", "null", "look-alike"],
)
async def test_what_no_account_can_be_called_is_neither_looked_up_nor_held(
    authentication: ClientAuthentication, accounts: RecordedAccounts, client_id: str
) -> None:
    """Ten thousand ids are held, found or not: none of them may be as long as a token."""
    claims = {"iss": client_id, "sub": client_id, "aud": BROKER, "exp": 60, "jti": "x"}
    text = compact_jws({"alg": "ES256"}, claims, algorithm="ES256", key=NOBODYS["ES256"])
    asserted = AssertedCredentials(text, parse(text, by_client=True), None)

    with pytest.raises(RequestRefused, match="unknown or its credentials are wrong"):
        await authentication.require(asserted, Caller("r"))
    assert accounts.asked == []


async def test_the_right_secret_is_found(
    authentication: ClientAuthentication,
) -> None:
    found = await authentication.require(Credentials(KNOWN.client_id, SECRET), Caller("r"))

    assert found.account.client_id == KNOWN.client_id


@pytest.mark.parametrize("algorithm", sorted(ASYMMETRIC_ALGORITHMS))
@pytest.mark.parametrize("client_id", [KNOWN.client_id, "nobody"], ids=["known", "unknown"])
async def test_an_assertion_is_verified_in_vain_where_there_is_no_key(
    authentication: ClientAuthentication, algorithm: str, client_id: str
) -> None:
    """By a key whose private part anybody can have; what it signed counts for nothing."""
    claims = {"iss": client_id, "sub": client_id, "aud": BROKER, "exp": 60, "jti": "x"}
    key = NOBODYS.get(algorithm)
    text = compact_jws(
        {"alg": algorithm}, claims, algorithm="none" if key is None else algorithm, key=key
    )
    if key is None:
        text += "A" * 342
    token = parse(text, by_client=True)

    with pytest.raises(RequestRefused, match="unknown or its credentials are wrong"):
        await authentication.require(AssertedCredentials(text, token, None), Caller("r"))
