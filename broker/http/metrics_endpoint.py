"""`/metrics`: the figures of the broker, for who may see them."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from broker.http.answers import Answer
from broker.http.api.bearer import ApiCaller
from broker.http.api.body import NO_STORE
from broker.http.api.endpoint import ApiEndpoint
from broker.http.parameters import header_values
from broker.ports import MetricsPage

SCOPE: Final = "broker:metrics:read"
PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Metrics:
    """Answers with the figures, in the format that the caller asks for."""

    page: MetricsPage

    async def show(self, request: Request, _caller: ApiCaller) -> Answer:
        """Answer a caller who may see them."""
        return await self.answer(request.scope)

    async def answer(self, scope: Scope) -> Answer:
        """Write the figures; OpenMetrics only to who names it."""
        accepted = ",".join(header_values(scope, b"accept")).lower()
        openmetrics = "application/openmetrics-text" in accepted
        text = await self.page.written(openmetrics=openmetrics)
        media_type = (OPENMETRICS if openmetrics else PLAIN).encode()
        return Answer(200, text.encode(), [(b"content-type", media_type), *NO_STORE])


@dataclass(frozen=True, slots=True)
class OpenMetricsEndpoint:
    """An ASGI endpoint for everyone: on loopback, or when the configuration says so."""

    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self.metrics.answer(scope)
        await answer(scope, receive, send)


MetricsEndpoint = ApiEndpoint | OpenMetricsEndpoint
