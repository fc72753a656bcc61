"""Asking the broker whether a token still counts (RFC 7662), where a revocation must count at once.

A token that was verified by its signature counts until it ends, whatever happened since. A service
that asks as well learns of revocations, blocks and disabled accounts.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus

from broker import __version__
from broker.core.json_text import loads_object
from broker.time_limit import TimeLimit
from broker.verify.errors import NotVerifiable, Reason, TokenRefused
from broker.verify.key_fetch import new_client, require_https

PATH: Final = "/oauth/introspect"
ASK_SECONDS: Final = 5.0
"""For one question, from beginning to end."""

MAX_BODY: Final = 64 * 1024

QUESTIONS_AT_ONCE: Final = 32
"""Of event loops: their other threads shall not all wait for a broker that hangs."""


@dataclass(frozen=True, slots=True)
class Introspection:
    """Asks with the client credentials of an account that the service lists (`introspection`)."""

    client_id: str
    client_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse to ask without credentials. Raises `ValueError`."""
        if not self.client_id or not self.client_secret:
            raise ValueError(
                "introspection needs client_id and client_secret of an account that the service"
                " lists (`introspection`)"
            )

    async def require_active_async(self, issuer: str, token: str) -> None:
        """Do the same as `require_active` in an event loop, which goes on meanwhile."""
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(_threads(), self.require_active, issuer, token)
        try:
            # One may wait for others to be answered; then it is withdrawn.
            await asyncio.wait_for(asked, 2 * ASK_SECONDS)
        except TimeoutError:
            raise NotVerifiable(
                "the broker does not say in time whether the token counts"
            ) from None

    def require_active(self, issuer: str, token: str) -> None:
        """Ask the broker at `issuer`. Raises `TokenRefused` (`revoked`) and `NotVerifiable`."""
        if self._ask(require_https(issuer) + PATH, token).get("active") is not True:
            raise TokenRefused(
                Reason.REVOKED,
                "the broker says that the token counts no more, or that"
                f" '{self.client_id}' may not know of it (`introspection` of the service)",
            )

    def _ask(self, url: str, token: str) -> dict[str, Any]:
        # Slow to import, and of no use to a service that does not ask.
        import httpx  # noqa: PLC0415

        limit = TimeLimit(ASK_SECONDS)
        # RFC 6749 §2.3.1: each half is form-encoded first.
        auth = httpx.BasicAuth(quote_plus(self.client_id), quote_plus(self.client_secret))
        headers = {
            "accept-encoding": "identity",
            "connection": "close",
            "user-agent": f"ci-token-broker/{__version__}",
        }
        try:
            with (
                limit,
                new_client(url, ASK_SECONDS) as client,
                client.stream(
                    "POST",
                    url,
                    data={"token": token, "token_type_hint": "access_token"},
                    headers=headers,
                    auth=auth,
                    extensions={"trace": limit},
                ) as answer,
            ):
                body = b""
                for chunk in answer.iter_raw():
                    body = (body + chunk)[: MAX_BODY + 1]
                if answer.status_code == httpx.codes.UNAUTHORIZED:
                    raise NotVerifiable(
                        "the broker does not say whether the token counts: it does not know"
                        f" '{self.client_id}' by this client_secret"
                    )
                if limit.is_over or answer.status_code != httpx.codes.OK or len(body) > MAX_BODY:
                    raise NotVerifiable(
                        "the broker does not say whether the token counts: it answered with"
                        f" {answer.status_code}, {len(body)} bytes"
                    )
            return loads_object(body)
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            OSError,
            RuntimeError,
            ImportError,
            ValueError,
        ) as error:
            # No more threads, or a proxy of the environment that cannot be used, whose URL may hold
            # a password: only what kind of error it is.
            raise NotVerifiable(
                f"the broker does not say whether the token counts: {type(error).__name__}"
            ) from None


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix="broker-introspection")


if hasattr(os, "register_at_fork"):
    # The threads stay in the other process.
    os.register_at_fork(after_in_child=_threads.cache_clear)
