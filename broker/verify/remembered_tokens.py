"""Tokens that were verified a moment ago, by their digests: the same one comes with every call."""

from typing import Final

from broker.verify.verified_token import VerifiedToken

REMEMBERED_SECONDS: Final = 300
MAX_REMEMBERED: Final = 10_000


class RememberedTokens:
    """A bounded number of tokens, each until it ends, five minutes at most, or other keys come."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        self._generation = 0
        self._tokens: dict[bytes, tuple[float, VerifiedToken]] = {}

    def find(self, digest: bytes, generation: int, now: float) -> VerifiedToken | None:
        """Give what was read of a token by the same keys. `now` is in seconds since the epoch."""
        if generation != self._generation:
            return None
        found = self._tokens.get(digest)
        if found is None or not found[0] - REMEMBERED_SECONDS <= now < found[0]:
            return None
        return found[1]

    def keep(self, digest: bytes, verified: VerifiedToken, generation: int, now: float) -> None:
        """Remember a token that was verified by the keys of a generation; the oldest goes."""
        if generation != self._generation:
            self._tokens, self._generation = {}, generation
        tokens = self._tokens
        until = min(verified.expires_at, now + REMEMBERED_SECONDS)
        tokens[digest] = (until, verified)
        if len(tokens) > self._most:
            # Another thread may take the same one away.
            tokens.pop(next(iter(tokens)), None)
