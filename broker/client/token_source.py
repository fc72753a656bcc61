"""Service tokens for as long as a program runs: one request at a time, renewed before their end."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from broker.client.ambient.detection import detect
from broker.client.broker_url import broker_url
from broker.client.errors import ClientError, Misuse
from broker.client.exchange import ClientSecret, Wanted, by_id_token, by_secret, default_audience
from broker.client.exchange import revoke as revoke_token
from broker.client.held_token import HeldToken
from broker.client.http import new_client
from broker.client.identity import Identity
from broker.client.patience import BUDGET, Patience
from broker.client.service_token import ServiceToken
from broker.client.token_files import digest
from broker.core.durations import DurationRefused, seconds_of

if TYPE_CHECKING:
    import asyncio

    import httpx

PAUSE_AFTER_FAILURE: Final = 10.0
"""Seconds for which a token that could not be renewed is given without another try."""

_LONGEST_TTL: Final = 86_400

Result = TypeVar("Result")

logger = logging.getLogger("broker.client")


class TokenSource:
    """Gives a service token and renews it before its end, for any number of threads and tasks.

    All that ask at once wait for one request. Renewal goes by a monotonic clock and by what the
    broker says of the token's life, so that a wrong clock does not matter. When a token cannot be
    renewed, it is given for as long as it is good for half a minute, with a warning in the log.
    """

    def __init__(  # noqa: PLR0913 - as many facts as a request has
        self,
        url: str = "",
        *,
        service: str,
        scope: str = "",
        ttl: int | str | None = None,
        service_account: str = "",
        audience: str = "",
        identity: Identity | None = None,
        id_token_file: Path | None = None,
        id_token_variable: str = "",
        client_secret: str | Callable[[], str] | None = None,
        environment: Mapping[str, str] | None = None,
        budget: float = BUDGET,
        connect: "Callable[[], httpx.Client]" = new_client,
        monotonic: Callable[[], float] = time.monotonic,
        patience: Callable[[float], Patience] = Patience,
    ) -> None:
        """Nothing is asked of anybody before the first token is.

        `url` is the broker's, BROKER_URL if left out; `ttl` seconds or a text such as `10m`;
        `audience` that of ID tokens, by default what the broker names. Without a `client_secret`
        (with which `service_account` is required) the job's surroundings say who it is, or
        `identity`, or the ID token in a file or variable. `budget` is in seconds, for all tries
        together. Raises `Misuse` and, where nothing says who the job is, `NoIdentity`.
        """
        environment = os.environ if environment is None else environment
        self.url = broker_url(url or environment.get("BROKER_URL", ""))
        self.wanted = Wanted(service, scope, _seconds(ttl), service_account)
        self.audience = audience
        self._connect = connect
        self._http: httpx.Client | None = None
        self._monotonic = monotonic
        self._patience = patience
        self._budget = budget
        self._secret = _secret(client_secret, service_account)
        self.identity: Identity | None = identity
        if self._secret is None and identity is None:
            self.identity = detect(
                environment,
                self.client,
                audience=audience or self.url,
                id_token_file=id_token_file,
                id_token_variable=id_token_variable,
            )
        self._held: HeldToken | None = None
        self._not_before = float("-inf")
        self._lock = threading.Lock()
        self._failures = 0
        self._failure: ClientError | None = None
        self._renewals: dict[asyncio.AbstractEventLoop, asyncio.Task[ServiceToken]] = {}

    def token(self) -> ServiceToken:
        """Give a token that is good for a while. Raises `ClientError`."""
        held = self._held
        if held is not None and self._serves(held):
            return held.token
        failures = self._failures
        with self._lock:
            held = self._held
            if held is not None and self._serves(held):
                return held.token
            if self._failure is not None and self._failures > failures:
                # What others tried while this one waited is its failure, too.
                raise self._failure
            return self._renewed(held)

    async def token_async(self) -> ServiceToken:
        """Give a token that is good for a while, from an event loop. Raises `ClientError`."""
        held = self._held
        if held is not None and self._serves(held):
            return held.token
        import asyncio

        loop = asyncio.get_running_loop()
        renewal = self._renewals.get(loop)
        if renewal is None or renewal.done():
            renewal = loop.create_task(asyncio.to_thread(self.token))
            renewal.add_done_callback(self._over)
            self._renewals[loop] = renewal
        # Whoever is cancelled takes nothing from those that wait for the same.
        return await asyncio.shield(renewal)

    def renews_in(self) -> float:
        """Tell in how many seconds the token will be renewed; 0 when there is none, or at once."""
        held = self._held
        if held is None:
            return 0.0
        now = self._monotonic()
        # After a failure there is a pause, but none beyond what the token is good for.
        pause = min(self._not_before - now, held.usable_for(now))
        return max(held.renews_in(now), pause, 0.0)

    def forget(self, token: ServiceToken) -> None:
        """Give this token to nobody any more: whoever checked it did not take it."""
        with self._lock:
            if self._held is not None and self._held.token.access_token == token.access_token:
                self._held = None

    def adopt(self, held: HeldToken) -> None:
        """Hold a token that came from elsewhere, such as a cache."""
        with self._lock:
            self._held = held

    def held(self) -> HeldToken | None:
        """Give the token that is held, fresh or not."""
        return self._held

    def revoke(self) -> None:
        """End the token that is held, if there is one. Raises `ClientError`."""
        with self._lock:
            held, self._held = self._held, None
        if held is not None and held.remaining(self._monotonic()) > 0:
            token = held.token.access_token
            self.insist(lambda: revoke_token(self.client(), self.url, token))

    def fingerprint(self) -> str:
        """Tell who asks from anybody else, without asking anybody. Raises `ClientError`."""
        if self._secret is not None:
            return digest("secret", self._secret.client_id, self._secret.read())
        return "" if self.identity is None else self.identity.fingerprint()

    def client(self) -> "httpx.Client":
        """Give the HTTP client, made when it is first needed."""
        if self._http is None:
            self._http = self._connect()
        return self._http

    def close(self) -> None:
        """Close the connections; the token stays what it is."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def __enter__(self) -> Self:
        """Use the source in a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def __repr__(self) -> str:
        """Name the broker and the service, and no secret."""
        return f"TokenSource({self.url!r}, service={self.wanted.service!r})"

    def _serves(self, held: HeldToken) -> bool:
        now = self._monotonic()
        return held.is_fresh(now) or (now < self._not_before and held.is_usable(now))

    def _renewed(self, held: HeldToken | None) -> ServiceToken:
        since = self._monotonic()
        try:
            token = self.insist(self._ask)
        except ClientError as error:
            now = self._monotonic()
            if held is None or not held.is_usable(now):
                self._failures, self._failure = self._failures + 1, error
                raise
            logger.warning("the token could not be renewed, the one of before is used: %s", error)
            self._not_before = now + PAUSE_AFTER_FAILURE
            return held.token
        # Counted from before it was asked for: it lives at least so long.
        self._held = HeldToken(token, since)
        return token

    def _over(self, renewal: "asyncio.Task[ServiceToken]") -> None:
        if self._renewals.get(renewal.get_loop()) is renewal:
            del self._renewals[renewal.get_loop()]
        if not renewal.cancelled():
            # Those who waited may all be gone: then nobody else looks at its failure.
            renewal.exception()

    def _ask(self) -> ServiceToken:
        client = self.client()
        if self._secret is not None:
            return by_secret(client, self.url, self.wanted, self._secret)
        identity = self.identity
        assert identity is not None, "without a secret there is an identity"  # noqa: S101
        return by_id_token(client, self.url, self.wanted, identity, self.id_token_audience())

    def id_token_audience(self) -> str:
        """Give the audience that ID tokens are asked for. Raises `ClientError`."""
        if not self.audience and self.identity is not None and self.identity.wants_audience():
            self.audience = default_audience(self.client(), self.url)
        return self.audience

    def insist(self, attempt: Callable[[], Result]) -> Result:
        """Try for as long as the budget lasts. Raises what the attempt raises."""
        return self._patience(self._budget).insist(attempt)


def _secret(given: str | Callable[[], str] | None, service_account: str) -> ClientSecret | None:
    if given is None:
        return None
    if not service_account:
        raise Misuse("a client secret needs the `service_account` that it is of")
    if callable(given):
        return ClientSecret(service_account, given)
    return ClientSecret(service_account, lambda: given)


def _seconds(ttl: int | str | None) -> int | None:
    if ttl is None or ttl == "":
        return None
    text = f"{ttl}s" if isinstance(ttl, int) else ttl
    try:
        return seconds_of(text, minimum=1, maximum=_LONGEST_TTL)
    except DurationRefused as refused:
        raise Misuse(f"ttl: {refused}") from None
