"""`GET /api/v1/policies`: the policy set in force, to see what decides now."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from broker.core.errors import Unavailable
from broker.core.policy import Policy
from broker.http.answers import Answer, Headers, json_answer, problem_answer
from broker.http.api.bearer import ApiRefused, Bearer
from broker.ports import PolicySource

_NO_STORE: Headers = [(b"cache-control", b"no-store")]


class PoliciesEndpoint:
    """An ASGI endpoint for callers with the scope `broker:policies:read`."""

    def __init__(self, bearer: Bearer, policies: PolicySource) -> None:
        """`bearer` judges the callers."""
        self._bearer = bearer
        self._policies = policies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await (await self._answer(Request(scope)))(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        try:
            await self._bearer.require(request.scope, "broker:policies:read")
        except ApiRefused as refused:
            return refused.answer
        except Unavailable as refusal:
            retry_after = (b"retry-after", str(refusal.retry_after).encode())
            return problem_answer(503, "UNAVAILABLE", refusal.description, [retry_after])
        policy_set = self._policies.current().policy_set
        if request.query_params.get("version", policy_set.version) != policy_set.version:
            return problem_answer(404, "NOT_FOUND", "no such policy set is in force", _NO_STORE)
        members = {
            "version": policy_set.version,
            "items": [_described(policy) for policy in policy_set.policies.values()],
        }
        return json_answer(200, members, _NO_STORE)


def _described(policy: Policy) -> dict[str, Any]:
    expires_at = policy.expires_at
    return {
        "name": policy.name,
        "effect": policy.effect,
        "issuer": policy.issuer,
        "service_account": policy.service_account,
        "mode": policy.mode,
        "expires_at": None
        if expires_at is None
        else datetime.fromtimestamp(expires_at, UTC).isoformat().replace("+00:00", "Z"),
        "description": policy.description,
        "owner": policy.owner,
        "ticket": policy.ticket,
        "place": policy.place,
    }
