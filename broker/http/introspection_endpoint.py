"""`/oauth/introspect`: a service token in; whether it counts, and what it says (RFC 7662)."""

from dataclasses import dataclass

from broker.grants.introspection import Introspection
from broker.grants.request import Caller, Parameters
from broker.http.answers import NO_STORE, Answer, json_answer


@dataclass(frozen=True, slots=True)
class IntrospectionEndpoint:
    """Answers 200 for every token, `active` or not; only a bad request is refused."""

    introspection: Introspection

    async def serve(self, parameters: Parameters, caller: Caller) -> Answer:
        """Tell of what is sent. Raises `Refusal`."""
        return json_answer(200, await self.introspection.introspect(parameters, caller), NO_STORE)
