"""The verifier of one service: a token in, who calls out."""

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from broker.core.vocabulary import MAX_LEEWAY
from broker.verify import key_fetch, reading
from broker.verify.errors import InsufficientScope
from broker.verify.introspection import Introspection
from broker.verify.issuer_keys import IssuerKeys
from broker.verify.remembered_tokens import RememberedTokens
from broker.verify.verified_token import VerifiedToken

LEEWAY: Final = 30.0
"""Seconds by which clocks may differ, unless told otherwise."""

TOKEN_TYPES: Final = ("at+jwt", "JWT")


class Verifier:
    """Verifies service tokens for one audience; shared by all threads and event loops.

    `issuer` is the broker's URL and `audience` the service's, as the policy files name it.
    `token_type` is the service's `token_typ`. The keys come from the broker, or from a file that
    `broker keys publish` wrote (`jwks_file`). With `introspection` the broker is asked about every
    token, too. `leeway` is in seconds.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str,
        token_type: str = "at+jwt",
        leeway: float = LEEWAY,
        jwks_file: Path | str | None = None,
        introspection: Introspection | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is fetched yet. Raises `ValueError` for what could not be verified by safely."""
        if not audience:
            raise ValueError("a service has an audience: without it any service's token would do")
        if token_type not in TOKEN_TYPES:
            raise ValueError(f"token_type is one of {', '.join(TOKEN_TYPES)}")
        key_fetch.require_https(issuer)
        if issuer.endswith("/"):
            raise ValueError(f"write the issuer {issuer!r} without the slash at its end")
        # Without a bound, or with NaN, no token would ever end.
        if not 0 <= leeway <= MAX_LEEWAY:
            raise ValueError(f"leeway is from 0 to {MAX_LEEWAY} seconds")
        if jwks_file is None:
            fetch = key_fetch.over_http(issuer + key_fetch.JWKS_PATH)
        else:
            fetch = key_fetch.from_file(Path(jwks_file))
        self._expected = reading.Expected(issuer, audience, token_type, leeway)
        self._introspection = introspection
        self._clock = clock
        self._keys = IssuerKeys(fetch, clock=clock)
        self._remembered = RememberedTokens()

    @property
    def audience(self) -> str:
        """The service that tokens have to be for."""
        return self._expected.audience

    def verify(self, token: str, *scopes: str) -> VerifiedToken:
        """Give what a token says, if it counts and has all of these scopes.

        Raises `TokenRefused`, `InsufficientScope` and `NotVerifiable`.
        """
        now = self._clock()
        text = reading.ascii_of(token)
        digest = sha256(text).digest()
        verified = self._remembered.find(digest, self._keys.generation, now)
        if verified is None:
            # Before the keys: what they verify is not remembered as done by those that come since.
            generation = self._keys.generation
            verified = reading.read(text, self._keys.find, self._expected, now)
            self._remember(digest, verified, generation, now)
        if self._introspection is not None:
            self._introspection.require_active(self._expected.issuer, token)
        if scopes:
            _require(verified, scopes)
        return verified

    async def verify_async(self, token: str, *scopes: str) -> VerifiedToken:
        """Do the same in an event loop, which never waits for the network."""
        now = self._clock()
        text = reading.ascii_of(token)
        digest = sha256(text).digest()
        verified = self._remembered.find(digest, self._keys.generation, now)
        if verified is None:
            generation = self._keys.generation
            # NOTE: looked for once: it may be gone a moment later, and then another look waits.
            key = await self._keys.find_async(reading.key_id_of(text, self._expected))
            verified = reading.read(text, lambda _: key, self._expected, now)
            self._remember(digest, verified, generation, now)
        if self._introspection is not None:
            await self._introspection.require_active_async(self._expected.issuer, token)
        if scopes:
            _require(verified, scopes)
        return verified

    def _remember(
        self, digest: bytes, verified: VerifiedToken, generation: int, now: float
    ) -> None:
        if generation == self._keys.generation:
            self._remembered.keep(digest, verified, generation, now, self._keys.due)


def _require(verified: VerifiedToken, scopes: tuple[str, ...]) -> None:
    if not verified.scopes.issuperset(scopes):
        required = " ".join(scopes)
        raise InsufficientScope(required, f"the token lacks a scope of: {required}")
