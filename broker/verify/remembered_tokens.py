"""Tokens that were verified a moment ago, by their digests: the same one comes with every call."""

from contextlib import suppress
from typing import Final

from broker.verify.verified_token import VerifiedToken

REMEMBERED_SECONDS: Final = 300
MAX_REMEMBERED: Final = 10_000
"""Of a CI job each takes some 4 KB."""


class RememberedTokens:
    """A bounded number of tokens, each until it ends, five minutes at most, or other keys come."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        # NOTE: one pair, read and replaced at once: a slow thread must not put what older keys
        # verified among the tokens of later ones.
        self._held: tuple[int, dict[bytes, tuple[float, float, VerifiedToken]]] = (0, {})

    def find(self, digest: bytes, generation: int, now: float) -> VerifiedToken | None:
        """Give what was read of a token by the same keys. `now` is in seconds since the epoch."""
        of, tokens = self._held
        if of != generation:
            return None
        found = tokens.get(digest)
        # Not before it was verified either: the clock may be set back.
        if found is None or not found[0] <= now < found[1]:
            return None
        return found[2]

    def keep(
        self, digest: bytes, verified: VerifiedToken, generation: int, now: float, due: float
    ) -> None:
        """Remember a token that was verified by the keys of a generation; the oldest goes.

        When the keys are `due` to be fetched anew, it is read again, which has them fetched.
        """
        held = self._held
        if held[0] != generation:
            self._held = held = (generation, {})
        tokens = held[1]
        until = min(verified.expires_at, now + REMEMBERED_SECONDS)
        tokens[digest] = (now, due if now < due < until else until, verified)
        while len(tokens) > self._most:
            # Another thread may add or take away at the same time.
            with suppress(RuntimeError):
                tokens.pop(next(iter(tokens), digest), None)
