"""Requests to a service with a service token, for httpx."""

import asyncio
from collections.abc import AsyncGenerator, Generator

import httpx

from broker.client.service_token import ServiceToken
from broker.client.token_source import TokenSource


class BearerAuth(httpx.Auth):
    """Puts a token of the source on each request; one that is answered with 401 is sent once more.

    The second time it goes with a new token, because the first may have been revoked. Its body is
    sent again, so that it has to be one that can be.
    """

    requires_request_body = True

    def __init__(self, source: TokenSource) -> None:
        """Tokens come from this source; its service is whom requests go to."""
        self._source = source

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Authorize a request. Raises `ClientError`."""
        request.read()
        token = self._source.token()
        response = yield _with(request, token)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            response.read()
            self._source.forget(token)
            yield _with(request, self._source.token())

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authorize a request, from an event loop. Raises `ClientError`."""
        await request.aread()
        token = await self._source.token_async()
        response = yield _with(request, token)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            await response.aread()
            # The lock that `forget` takes may be held for as long as a request takes.
            await asyncio.to_thread(self._source.forget, token)
            yield _with(request, await self._source.token_async())


def _with(request: httpx.Request, token: ServiceToken) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.access_token}"
    return request
