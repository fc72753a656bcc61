"""`/api/v1/issuers`: whose CI tokens are trusted, and how it stands with their keys."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from broker.core.issuer_keys import MAX_DOCUMENT_BYTES
from broker.core.policy import Issuer, KeySource
from broker.core.registry.refused import not_found
from broker.http.answers import Answer, json_answer
from broker.http.api.bearer import ApiCaller
from broker.http.api.body import NO_STORE, read_document, read_members
from broker.http.api.callers import registry_caller
from broker.http.api.query import page_of
from broker.http.caller import Networks
from broker.ports import IssuerKeyStatus, IssuerKeyStatuses, IssuerOperations, PolicySource

JWKS: Final = "application/jwk-set+json"
_JWKS_TYPES: Final = (JWKS, "application/json")


@dataclass(frozen=True, slots=True)
class IssuersApi:
    """What the endpoints below `/api/v1/issuers` answer."""

    policies: PolicySource
    keys: IssuerKeyStatuses
    registry: IssuerOperations
    trusted_proxies: Networks

    async def show(self, request: Request, _caller: ApiCaller) -> Answer:
        """List the issuers, without what their keys are fetched through: a proxy has a password."""
        issuers = self.policies.current().policy_set.issuers
        statuses = {each.issuer: each for each in self.keys.status()}
        members = page_of(
            "issuers", request, issuers, lambda each: _issuer(each, statuses.get(each.name))
        )
        return json_answer(200, members, NO_STORE)

    async def patch(self, request: Request, caller: ApiCaller) -> Answer:
        """Switch an issuer off, or on again, and show it."""
        name, members = str(request.path_params["name"]), await read_members(request)
        who = registry_caller(request, caller, self.trusted_proxies)
        await self.registry.patch(who, name, members)
        issuer = self.policies.current().policy_set.issuers.get(name)
        if issuer is None:
            # The files have dropped it since.
            raise not_found("there is no such issuer")
        statuses = {each.issuer: each for each in self.keys.status()}
        return json_answer(200, _issuer(issuer, statuses.get(name)), NO_STORE)

    async def upload(self, request: Request, caller: ApiCaller) -> Answer:
        """Let the keys of the JWKS in the body count as those of an issuer."""
        name = str(request.path_params["name"])
        document = await read_document(request, _JWKS_TYPES, MAX_DOCUMENT_BYTES)
        who = registry_caller(request, caller, self.trusted_proxies)
        return json_answer(200, await self.registry.upload_keys(who, name, document), NO_STORE)


def _issuer(issuer: Issuer, status: IssuerKeyStatus | None) -> dict[str, Any]:
    return {
        "name": issuer.name,
        "issuer": issuer.url,
        "preset": None if issuer.platform is None else issuer.platform.name,
        "audiences": sorted(issuer.audiences),
        "algorithms": sorted(issuer.algorithms),
        "max_token_lifetime": issuer.max_token_lifetime,
        "replay": issuer.replay,
        "tenant": list(issuer.tenant_claims),
        "single_tenant": issuer.single_tenant,
        "enabled": issuer.enabled,
        "contact": issuer.contact,
        "keys": {"source": _source(issuer.keys), **_status(status)},
    }


def _source(keys: KeySource) -> str:
    if keys.document is not None:
        return "jwks_file"
    return "discovery" if keys.jwks_uri is None else keys.jwks_uri


def _status(status: IssuerKeyStatus | None) -> dict[str, Any]:
    """Describe the keys; of an issuer that nobody has asked for yet there are none."""
    if status is None:
        return {
            "in_use": False,
            "usable": False,
            "uploaded": False,
            "kids": [],
            "age": None,
            "failure": None,
            "failures": 0,
            "skipped": [],
        }
    return {
        "in_use": True,
        "usable": status.usable,
        "uploaded": status.uploaded,
        "kids": list(status.key_ids),
        "age": None if status.age is None else round(status.age, 3),
        "failure": status.failure,
        "failures": status.failures,
        "skipped": list(status.skipped),
    }
