"""Liveness and readiness; without a scope, the status alone (attacks row 191)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.ports import Clock, SigningKeySource, Store


class Health:
    """The endpoints that orchestrators and load balancers ask."""

    def __init__(self, store: Store, signing_keys: SigningKeySource, clock: Clock) -> None:
        """Readiness is asked of the store and the signing keys, never of an issuer."""
        self._store = store
        self._signing_keys = signing_keys
        self._clock = clock

    async def healthz(self, _request: Request) -> Response:
        """Say that the process answers."""
        return _status(200, "ok")

    async def readyz(self, _request: Request) -> Response:
        """Say whether an exchange could succeed now."""
        signs = bool(self._signing_keys.current().algorithms(self._clock.now()))
        if signs and await self._store.ready():
            return _status(200, "ready")
        return _status(503, "unready")


def _status(code: int, status: str) -> Response:
    return JSONResponse({"status": status}, status_code=code, headers={"cache-control": "no-store"})
