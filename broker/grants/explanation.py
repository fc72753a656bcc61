"""Explaining an exchange without making it: what would be decided on a CI token, and why."""

from dataclasses import dataclass
from typing import Any

from broker.core.decision import Permit
from broker.core.explain import explain, for_caller
from broker.grants import decision_record
from broker.grants.current_state import by_current_state, commit
from broker.grants.request import ExchangeRequest
from broker.grants.token_exchange import TokenExchange
from broker.ports import Entry


@dataclass(frozen=True, slots=True)
class ExchangeExplanation:
    """Decides as `exchange` would, and tells the caller what it may know (contract §5).

    No token is made; a `jti` is neither spent nor needed fresh; the question is audited.
    """

    exchange: TokenExchange

    async def explain(self, request: ExchangeRequest) -> dict[str, Any]:
        """Give the explanation as JSON members, with its `decision_id`. Raises `Refusal`."""
        return await by_current_state(
            self.exchange.state, lambda epoch: self._explain(request, epoch)
        )

    async def _explain(self, request: ExchangeRequest, epoch: int) -> dict[str, Any]:
        now = self.exchange.clock.now()
        policies = self.exchange.policies.current()
        issuer, claims, record = await self.exchange.verified(request, policies, now, epoch)
        if (
            waiting := self.exchange.limits.ask_workload(request.caller, issuer, claims, now)
        ) is not None:
            await waiting
        explanation = explain(claims, issuer, request.wanted, policies, now)
        decision = explanation.case.decision
        if isinstance(decision, Permit) and not request.issues(decision):
            raise await self.exchange.of_another_type(
                decision, claims, issuer, request, record, epoch
            )
        decision_record.compare(record, decision, claims, policies)
        duration = max(self.exchange.clock.now() - now, 0.0)
        explained = decision_record.explained(record, explanation, duration)
        await commit(self.exchange.ledger, Entry(explained, epoch=epoch))
        return {**for_caller(explanation).as_json(), "decision_id": record.id}
