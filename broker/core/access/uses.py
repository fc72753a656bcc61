"""When grants were used last, and how often, by the audit events of issued tokens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from broker.core.access.grant import AccessGrant, UseKey

_ISSUED: Final = frozenset({"token.exchanged", "token.issued"})


@dataclass(frozen=True, slots=True)
class Use:
    """How a grant was used."""

    last: str
    """When it was used last, as RFC 3339 in UTC."""

    tokens: int
    """For how many tokens."""


@dataclass(frozen=True, slots=True)
class LiveSecrets:
    """The client secrets of an account that may be used."""

    count: int = 0
    last_used_at: float | None = None
    """When one of them was used last, seconds since the epoch; None for never."""


class Uses:
    """Counts the uses of some grants, event by event; takes no more room than the grants."""

    def __init__(self, grants: Iterable[AccessGrant]) -> None:
        """Nothing is used so far."""
        self._tokens: dict[UseKey, int] = {}
        self._last: dict[UseKey, str] = {}
        self._service_by_audience: dict[str, str] = {}
        for each in grants:
            self._tokens[each.key] = 0
            self._service_by_audience[each.service.audience] = each.service.name

    def add(self, event: Mapping[str, Any]) -> None:
        """Count an event by its members, whatever it is."""
        if event["type"] not in _ISSUED or event["outcome"] != "success":
            return
        service = self._service_by_audience.get(event["audience"])
        if service is None:
            return
        account, time = event["service_account"], event["time"]
        for scope, policy in product(event["scopes"] or (None,), event["policies"] or (None,)):
            key = UseKey(service, scope, account, policy)
            if key in self._tokens:
                self._tokens[key] += 1
                # All to the millisecond and in UTC: their order is that of the texts.
                self._last[key] = max(self._last.get(key, time), time)

    def of(self, grant: AccessGrant) -> Use | None:
        """Tell how a grant was used; None when it was not."""
        key = grant.key
        last = self._last.get(key)
        return None if last is None else Use(last, self._tokens[key])
