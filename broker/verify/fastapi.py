"""For routes of FastAPI: the dependency of `broker.verify.starlette`, told in its OpenAPI, too."""

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from broker.verify import starlette
from broker.verify.verifier import Verifier


class RequireToken(starlette.RequireToken, SecurityBase):
    """A dependency (`Depends`) that gives the caller of a request with all of these scopes.

    The pages of the API show that a token is needed, and take one. Raises `HTTPException` with the
    challenge of RFC 6750.
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
