"""For routes of Starlette: who calls."""

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from broker.verify.errors import TokenError
from broker.verify.guard import Guard
from broker.verify.verified_token import VerifiedToken
from broker.verify.verifier import Verifier


class RequireToken:
    """Gives the caller of a request with all of these scopes: `await` it with the request.

    Raises `HTTPException` with the challenge of RFC 6750. FastAPI has one of its own
    (`broker.verify.fastapi`), which alone knows of the scopes that its routes name.
    """

    def __init__(
        self,
        verifier: Verifier,
        *scopes: str,
        basic_allowed: bool = False,
        resource_metadata: str = "",
    ) -> None:
        self._guard = Guard(verifier, scopes, basic_allowed, resource_metadata)

    async def __call__(self, request: HTTPConnection) -> VerifiedToken:
        """Give who calls. Raises `HTTPException`."""
        return await self._admit(request)

    async def _admit(self, request: HTTPConnection, *also: str) -> VerifiedToken:
        try:
            return await self._guard.admit_async(request.headers.getlist("authorization"), *also)
        except TokenError as error:
            refused = self._guard.challenge(error)
            # One line for each name is all that this exception can hold.
            headers = {
                name: ", ".join(value for each, value in refused.headers if each == name)
                for name, _ in refused.headers
                if name != "content-type"
            }
            raise HTTPException(refused.status, str(error), headers) from None
