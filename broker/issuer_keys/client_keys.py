"""The keys that service accounts have registered: stated as they are, or published at a URL."""

from collections.abc import Callable, Collection, Sequence
from typing import Final
from urllib.parse import urlsplit

from broker.core.client import LiveAccount
from broker.core.client_assertion import registered_keys
from broker.core.errors import SubjectTokenRefused
from broker.core.issuer_keys import VerificationKey
from broker.core.policy import Issuer, KeySource
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS
from broker.issuer_keys.source import HttpIssuerKeys
from broker.ports import Clock

MAX_FOLLOWED: Final = 500
"""Accounts whose published keys are followed; beyond, all but the last half are forgotten."""


class ClientKeys:
    """Finds the keys of accounts; implements the port `ClientKeySource`.

    What is published is fetched and held like the keys of an issuer, apart from those. `hosts` are
    those that an account which was made through the API may name; a policy file may name any.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        broker_on_loopback: bool,
        rng: Callable[[], float],
        hosts: Collection[str],
        at_most: int = MAX_FOLLOWED,
    ) -> None:
        self._published = HttpIssuerKeys(clock, broker_on_loopback=broker_on_loopback, rng=rng)
        self._hosts = hosts
        self._at_most = at_most
        self._followed: dict[str, Issuer] = {}

    async def find(self, live: LiveAccount, key_id: str) -> Sequence[VerificationKey]:
        """Give the keys of an account that have this `kid`; all that are stated for none.

        Raises `Unavailable` (`issuer_unavailable`) when they cannot be fetched.
        """
        account = live.account
        if account.jwks is not None:
            return registered_keys(account.jwks, key_id)
        if account.jwks_uri is None or not key_id:
            return ()
        if not live.of_file and urlsplit(account.jwks_uri).hostname not in self._hosts:
            # It was allowed when it was set; the configuration has the last word.
            return ()
        publisher = await self._follow(account.client_id, account.jwks_uri)
        try:
            return (await self._published.find(publisher, key_id),)
        except SubjectTokenRefused:
            return ()

    async def run(self) -> None:
        """Fetch anew what is followed, for as long as the broker serves."""
        await self._published.run()

    async def close(self) -> None:
        """Abandon the fetches under way and close every connection."""
        await self._published.close()

    async def _follow(self, client_id: str, jwks_uri: str) -> Issuer:
        """Describe an account as one who publishes keys; the one asked for last stands last."""
        publisher = Issuer(
            name=f"account {client_id}",
            url=jwks_uri,
            audiences=frozenset(),
            algorithms=ASYMMETRIC_ALGORITHMS,
            keys=KeySource(jwks_uri=jwks_uri),
        )
        before = self._followed.pop(client_id, publisher)
        self._followed[client_id] = publisher
        if len(self._followed) > self._at_most:
            self._followed = dict(list(self._followed.items())[-(self._at_most // 2) :])
        elif before == publisher:
            return publisher
        # Where the keys were published before, nobody asks any more.
        await self._published.retain(self._followed.values())
        return publisher
