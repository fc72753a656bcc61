"""Liveness and readiness; without a scope, the status alone (attacks row 191)."""

from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from broker.core.audit import rfc3339
from broker.http.answers import Answer, Problem, json_answer
from broker.http.api.bearer import ApiCaller
from broker.http.api.body import NO_STORE
from broker.http.api.endpoint import ApiEndpoint
from broker.http.parameters import header_values
from broker.ports import (
    Clock,
    IssuerKeyStatus,
    IssuerKeyStatuses,
    PolicyStatus,
    SigningKeySource,
    Store,
)

_UNAVAILABLE: Final = 503


@dataclass(slots=True)
class _Trouble:
    """Since when a part has been found in trouble, in seconds since the epoch."""

    since: float | None = None

    def look(self, now: float, *, well: bool) -> dict[str, Any]:
        """Note how a part is found, and describe it."""
        self.since = None if well else now if self.since is None else self.since
        return _part("ok" if self.since is None else "failed", self.since)


@dataclass(frozen=True, slots=True)
class _Found:
    """The word for the whole, and what is told of each part."""

    code: int
    status: str
    parts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Health:
    """What orchestrators and load balancers ask.

    Readiness is asked of the store, the keys and the policies, never of an issuer; how it stands
    with the issuers' keys is told, but decides nothing.
    """

    store: Store
    signing_keys: SigningKeySource
    policies: PolicyStatus
    issuer_keys: IssuerKeyStatuses
    clock: Clock
    _store_trouble: _Trouble = field(default_factory=_Trouble, init=False)
    _signing_trouble: _Trouble = field(default_factory=_Trouble, init=False)

    async def healthz(self, _request: Request) -> Answer:
        """Say that the process answers."""
        return json_answer(200, {"status": "ok"}, NO_STORE)

    async def ready(self) -> Answer:
        """Say whether an exchange could succeed now, and whether by the policies in the files."""
        found = await self._look()
        return json_answer(found.code, {"status": found.status}, NO_STORE)

    async def detail(self, _request: Request, _caller: ApiCaller) -> Answer:
        """Say the same, what is wrong with each part, and since when."""
        found = await self._look()
        return json_answer(found.code, {"status": found.status, "parts": found.parts}, NO_STORE)

    async def _look(self) -> _Found:
        signs = self.signing_keys.can_sign(self.clock.now())
        writes = await self.store.ready()
        now, fault = self.clock.now(), self.policies.fault()
        parts = {
            "store": self._store_trouble.look(now, well=writes),
            "policies": _part("ok") if fault is None else _part("degraded", fault.since),
            "issuer_keys": _of_issuers(self.issuer_keys.status()),
            "signing_keys": self._signing_trouble.look(now, well=signs),
        }
        if fault is not None:
            parts["policies"]["problems"] = fault.count
        if not (signs and writes):
            return _Found(_UNAVAILABLE, "unready", parts)
        # Still 200: an orchestrator must not stop what serves by the last good set.
        return _Found(200, "ready" if fault is None else "degraded", parts)


@dataclass(frozen=True, slots=True)
class Readiness:
    """`/readyz`: the word alone, and more to who sends credentials with the scope for it."""

    health: Health
    detailed: ApiEndpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self.health.ready()
        if header_values(scope, b"authorization"):
            told = await self.detailed.answer(Request(scope, receive))
            # Without the store nobody can be known; whether it is ready is said all the same.
            known = told.status != _UNAVAILABLE or not isinstance(told, Problem)
            answer = told if known else answer
        await answer(scope, receive, send)


def _part(status: str, since: float | None = None) -> dict[str, Any]:
    return {"status": status, "since": None if since is None else rfc3339(since)}


def _of_issuers(statuses: tuple[IssuerKeyStatus, ...]) -> dict[str, Any]:
    """Describe the keys of the issuers whose last fetch failed, or whose key file is no good."""
    failing = [each for each in statuses if each.failure is not None]
    since = min((each.failing_since for each in failing if each.failing_since), default=None)
    part = _part("degraded" if failing else "ok", since)
    part["issuers"] = {
        each.issuer: {
            "since": None if each.failing_since is None else rfc3339(each.failing_since),
            "usable": each.usable,
            "failures": each.failures,
            "failure": each.failure,
        }
        for each in failing
    }
    return part
