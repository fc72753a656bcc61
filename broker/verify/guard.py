"""Who comes in at one place of a service, and what all others are told, whatever its framework."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from broker.verify import bearer
from broker.verify.errors import TokenError
from broker.verify.verified_token import VerifiedToken
from broker.verify.verifier import Verifier

# RFC 6749 §3.3.
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


@dataclass(frozen=True, slots=True)
class Guard:
    """Admits requests with a good token and all of these scopes.

    With `basic_allowed` a token may come as a Basic password, too; `resource_metadata` is the URL
    at which the service says where its tokens come from (RFC 9728).
    """

    verifier: Verifier
    scopes: tuple[str, ...]
    basic_allowed: bool
    resource_metadata: str

    def __post_init__(self) -> None:
        """Refuse scopes that no token could have. Raises `ValueError`."""
        scopes: tuple[object, ...] = self.scopes
        for scope in scopes:
            # A list, or several in one text, would turn everybody away, and tell callers alone.
            if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
                raise ValueError(
                    f"{scope!r} is no scope; write each by itself: 'deploy:read', 'deploy:write'"
                )

    def admit(self, authorization: Sequence[str]) -> VerifiedToken:
        """Give who calls, by the values of the Authorization header. Raises `TokenError`."""
        token = bearer.token_of(authorization, basic_allowed=self.basic_allowed)
        return self.verifier.verify(token, *self.scopes)

    async def admit_async(self, authorization: Sequence[str], *also: str) -> VerifiedToken:
        """Do the same in an event loop; `also` are scopes that are needed beside its own."""
        token = bearer.token_of(authorization, basic_allowed=self.basic_allowed)
        return await self.verifier.verify_async(token, *self.scopes, *also)

    def challenge(self, error: TokenError) -> bearer.Challenge:
        """Answer whoever is not admitted."""
        return bearer.challenge(
            error,
            self.verifier.audience,
            basic_allowed=self.basic_allowed,
            resource_metadata=self.resource_metadata,
        )
