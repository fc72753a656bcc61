"""Liveness and readiness; without a scope, the status alone (attacks row 191)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.ports import Clock, PolicyStatus, SigningKeySource, Store


class Health:
    """The endpoints that orchestrators and load balancers ask."""

    def __init__(
        self, store: Store, signing_keys: SigningKeySource, policies: PolicyStatus, clock: Clock
    ) -> None:
        """Readiness is asked of the store, the keys and the policies, never of an issuer."""
        self._store = store
        self._signing_keys = signing_keys
        self._policies = policies
        self._clock = clock

    async def healthz(self, _request: Request) -> Response:
        """Say that the process answers."""
        return _status(200, "ok")

    async def readyz(self, _request: Request) -> Response:
        """Say whether an exchange could succeed now, and whether by the policies in the files."""
        signs = self._signing_keys.can_sign(self._clock.now())
        if not (signs and await self._store.ready()):
            return _status(503, "unready")
        # Still 200: an orchestrator must not stop what serves by the last good set.
        return _status(200, "ready" if self._policies.fault() is None else "degraded")


def _status(code: int, status: str) -> Response:
    return JSONResponse({"status": status}, status_code=code, headers={"cache-control": "no-store"})
