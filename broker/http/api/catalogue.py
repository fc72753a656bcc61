"""`/api/v1/services` and `/api/v1/organizations`: what may be granted, and whose."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from broker.core.broker_service import BROKER_SERVICE
from broker.core.policy import PolicySet, Service
from broker.core.token_shape import as_written
from broker.http.answers import Answer, json_answer
from broker.http.api.bearer import ApiCaller
from broker.http.api.body import NO_STORE
from broker.http.api.query import page_of
from broker.ports import PolicySource


@dataclass(frozen=True, slots=True)
class CatalogueApi:
    """What the endpoints of the permission catalogue answer."""

    policies: PolicySource

    async def services(self, request: Request, caller: ApiCaller) -> Answer:
        """List the services, the broker's own included.

        Whoever belongs to an organization sees the broker and the services that it may grant.
        """
        policy_set = self.policies.current().policy_set
        organization = caller.organization
        visible = {
            name: each
            for name, each in policy_set.services.items()
            if organization is None or name == BROKER_SERVICE or organization in each.organizations
        }
        members = page_of(
            "services", request, visible, lambda each: _service(each, policy_set, organization)
        )
        return json_answer(200, members, NO_STORE)

    async def organizations(self, request: Request, caller: ApiCaller) -> Answer:
        """List the organizations; whoever belongs to one sees that one alone."""
        every = self.policies.current().policy_set.organizations
        visible = {
            name: (name, description)
            for name, description in every.items()
            if caller.organization in (None, name)
        }
        members = page_of("organizations", request, visible, _organization)
        return json_answer(200, members, NO_STORE)


def _service(service: Service, policy_set: PolicySet, organization: str | None) -> dict[str, Any]:
    accounts = policy_set.service_accounts

    def is_visible(account: str) -> bool:
        return organization is None or (
            account in accounts and accounts[account].organization == organization
        )

    return {
        "name": service.name,
        "audience": service.audience,
        "scopes": dict(service.scopes),
        "ttl": service.ttl,
        "max_ttl": service.max_ttl,
        "signing_alg": service.signing_alg,
        "token_typ": service.token_typ,
        "workload": service.workload,
        "introspection": [each for each in service.introspection if is_visible(each)],
        "organizations": [each for each in service.organizations if organization in (None, each)],
        "profile": service.profile,
        "claims": {name: as_written(value) for name, value in service.claims.items()},
        "session_tags": {key: each.text for key, each in service.session_tags.items()},
        "transitive_tags": list(service.transitive_tags),
    }


def _organization(organization: tuple[str, str]) -> dict[str, Any]:
    name, description = organization
    return {"name": name, "description": description}
