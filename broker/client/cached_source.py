"""A token source whose tokens outlive one command: kept beside the job, for its next command."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from broker.client.exchange import revoke
from broker.client.service_token import ServiceToken
from broker.client.token_cache import CacheKey, TokenCache
from broker.client.token_source import TokenSource


@dataclass(frozen=True, slots=True)
class CachedSource:
    """Gives tokens of a source, or those that were kept; without a cache it is the source alone.

    Of several processes that ask for the same token, one asks the broker.
    """

    source: TokenSource
    cache: TokenCache | None = None

    def token(self) -> ServiceToken:
        """Give a token that is good for a while. Raises `ClientError`."""
        if self.cache is None:
            return self.source.token()
        key = self.key()
        with self._alone(self.cache, key):
            held = self.cache.find(key)
            if held is not None:
                self.source.adopt(held)
            token = self.source.token()
            new = self.source.held()
            if new is not None and new != held:
                # A token that could not be kept is good all the same.
                with contextlib.suppress(OSError):
                    self.cache.keep(key, new)
        return token

    def key(self) -> CacheKey:
        """Say which token it is."""
        source, wanted = self.source, self.source.wanted
        return CacheKey(
            url=source.url,
            service=wanted.service,
            scope=wanted.scope,
            service_account=wanted.service_account,
            ttl=wanted.ttl,
            identity=source.fingerprint(),
        )

    def forget(self) -> None:
        """Keep the token no longer: whoever checked it did not take it."""
        if self.cache is not None:
            self.cache.drop(self.key())

    def revoke_all(self) -> int:
        """End every token that this identity has kept at the broker; tell how many there were.

        Raises `ClientError`, once all have been tried.
        """
        if self.cache is None:
            return 0
        source = self.source
        taken = self.cache.take_all(source.url, source.fingerprint())
        with contextlib.ExitStack() as trying:
            for each in taken:
                one = partial(revoke, source.client(), source.url, each.token.access_token)
                trying.callback(source.insist, one)
        return len(taken)

    @contextlib.contextmanager
    def _alone(self, cache: TokenCache, key: CacheKey) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            # Where no lock can be had, each process asks for itself.
            with contextlib.suppress(OSError):
                stack.enter_context(cache.alone(key))
            yield
