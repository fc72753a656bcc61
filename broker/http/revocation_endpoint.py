"""`/oauth/revoke`: a service token in; it is active no more (RFC 7009)."""

from dataclasses import dataclass

from broker.grants.request import Caller, Parameters
from broker.grants.revocation import Revocation
from broker.http.answers import NO_STORE, Answer, json_answer


@dataclass(frozen=True, slots=True)
class RevocationEndpoint:
    """Answers 200 whether there was anything to revoke or not (RFC 7009 §2.2)."""

    revocation: Revocation

    async def serve(self, parameters: Parameters, caller: Caller) -> Answer:
        """Revoke what is sent. Raises `Refusal`."""
        await self.revocation.revoke(parameters, caller)
        return json_answer(200, {}, NO_STORE)
