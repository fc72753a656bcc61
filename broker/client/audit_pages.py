"""The audit events of a broker, asked of its API page by page, the newest first."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from broker.client.cached_source import CachedSource
from broker.client.errors import BrokerTrouble
from broker.client.exchange import refused_by
from broker.client.http import Answer, send

if TYPE_CHECKING:
    import httpx

SERVICE: Final = "broker"
SCOPE: Final = "broker:audit:read"
"""What the token has to be for."""

PAGE: Final = 500
MAX_PAGE_BYTES: Final = 64 << 20


def audit_pages(source: CachedSource, filters: dict[str, str]) -> Iterator[list[dict[str, Any]]]:
    """Yield pages of events, each as JSON members; the token is renewed as long as it takes.

    `filters` are those of `GET /api/v1/audit-logs`. Raises `ClientError`.
    """
    parameters = {**filters, "limit": str(PAGE)}
    while True:
        page = source.source.insist(lambda: _page(source, parameters))
        items, cursor = page.get("items"), page.get("next_cursor")
        if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
            raise BrokerTrouble("the broker answered with 200, but with no page of events")
        yield items
        if not isinstance(cursor, str):
            return
        parameters["cursor"] = cursor


def _page(source: CachedSource, parameters: dict[str, str]) -> dict[str, Any]:
    client: httpx.Client = source.source.client()
    token = source.token().access_token
    answer = send(
        client,
        "the broker",
        "GET",
        f"{source.source.url}/api/v1/audit-logs?{urlencode(parameters)}",
        headers={"accept": "application/json", "authorization": f"Bearer {token}"},
        at_most=MAX_PAGE_BYTES,
    )
    if answer.status != HTTPStatus.OK:
        raise refused_by(answer)
    return _members(answer)


def _members(answer: Answer) -> dict[str, Any]:
    try:
        members = json.loads(answer.body)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise BrokerTrouble("the broker answered with 200, but with no JSON object")
    return members
