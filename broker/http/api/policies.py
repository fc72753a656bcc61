"""`/api/v1/policies`: the policy sets that decide and decided, and the order to read the files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request

from broker.core.policy import Policy, PolicySet
from broker.http.answers import Answer, Headers, json_answer, problem_answer
from broker.http.api.bearer import ApiCaller
from broker.http.api.query import read_query
from broker.ports import PolicyHistory, PolicyReloading, PolicySource, Rejected, Reloaded

_NO_STORE: Final[Headers] = [(b"cache-control", b"no-store")]


@dataclass(frozen=True, slots=True)
class PoliciesApi:
    """What the endpoints below `/api/v1/policies` answer."""

    policies: PolicySource
    history: PolicyHistory
    reloading: PolicyReloading

    async def show(self, request: Request, _caller: ApiCaller) -> Answer:
        """Show the set in force, or the one that ran under the version asked for."""
        policy_set = await self._find(read_query(request, ("version",)).get("version"))
        if policy_set is None:
            return problem_answer(404, "NOT_FOUND", "no policy set of this version ran", _NO_STORE)
        members = {
            "version": policy_set.version,
            "items": [_described(policy) for policy in policy_set.policies.values()],
        }
        return json_answer(200, members, _NO_STORE)

    async def reload(self, _request: Request, caller: ApiCaller) -> Answer:
        """Put the policy files in force, also when they drop a deny policy: that is asked for."""
        outcome = await self.reloading.reload(forced=True, actor=caller.sub)
        match outcome:
            case Reloaded(changes):
                return _taken("reloaded", changes.new_version, asdict(changes))
            case Rejected(version, problems, count):
                members = {
                    "version": version,
                    "count": count,
                    "problems": [asdict(each) for each in problems],
                }
                detail = "the policy files are not in force: they do not load"
                return problem_answer(409, "CONFLICT", detail, _NO_STORE, members)
            case unchanged:
                return _taken("unchanged", unchanged.version, None)

    async def _find(self, version: str | None) -> PolicySet | None:
        in_force = self.policies.current().policy_set
        if version in (None, in_force.version):
            return in_force
        return await self.history.find(version)


def _taken(outcome: str, version: str, changes: Mapping[str, Any] | None) -> Answer:
    members = {"outcome": outcome, "version": version, "changes": changes}
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
