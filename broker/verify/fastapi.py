"""For routes of FastAPI: the dependency of `broker.verify.starlette`, told in its OpenAPI, too."""

from typing import Final

from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from broker.verify import starlette
from broker.verify.verified_token import VerifiedToken
from broker.verify.verifier import Verifier

_NONE_BESIDE: Final = SecurityScopes()


class RequireToken(starlette.RequireToken, SecurityBase):
    """A dependency (`Depends`) that gives the caller of a request with all of these scopes.

    By `Security` a route names scopes of its own, which are needed as well. The pages of the API
    show that a token is needed, and take one. Raises `HTTPException` with the challenge of RFC
    6750.
    """

    def __init__(
        self,
        verifier: Verifier,
        *scopes: str,
        basic_allowed: bool = False,
        resource_metadata: str = "",
    ) -> None:
        super().__init__(
            verifier, *scopes, basic_allowed=basic_allowed, resource_metadata=resource_metadata
        )
        self.model = HTTPBearer(
            bearerFormat="JWT", description=f"A service token for {verifier.audience}."
        )
        self.scheme_name = "ServiceToken"

    async def __call__(
        self, request: HTTPConnection, security_scopes: SecurityScopes = _NONE_BESIDE
    ) -> VerifiedToken:
        """Give who calls. Raises `HTTPException`."""
        # The pages of the API show these as needed: a token without them must not come in.
        return await self._admit(request, *security_scopes.scopes)
