"""`/oauth/explain`: the form of a token exchange in, the decision and its reasons out."""

from dataclasses import dataclass

from broker.grants import token_exchange
from broker.grants.explanation import ExchangeExplanation
from broker.grants.request import Caller, Parameters
from broker.http.answers import NO_STORE, Answer, json_answer


@dataclass(frozen=True, slots=True)
class ExplainEndpoint:
    """Answers 200 for permit and deny alike."""

    explanation: ExchangeExplanation

    async def serve(self, parameters: Parameters, caller: Caller) -> Answer:
        """Explain what would be decided. Raises `Refusal` for a token that does not verify."""
        request = token_exchange.read_request(parameters, caller)
        return json_answer(200, await self.explanation.explain(request), NO_STORE)
