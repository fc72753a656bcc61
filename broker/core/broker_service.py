"""The broker as a service of its own catalogue: the reserved name `broker` (contract §5)."""

from typing import Final

from broker.core.policy import Service, WorkloadDetail

BROKER_SERVICE: Final = "broker"

BROKER_SCOPES: Final = {
    "broker:accounts:read": "See service accounts and their secrets' state",
    "broker:accounts:write": "Create, change and delete service accounts and their secrets",
    "broker:audit:read": "Read the audit",
    "broker:policies:read": "See the policy set in force",
    "broker:policies:write": "Reload the policies",
    "broker:issuers:read": "See the issuers and the state of their keys",
    "broker:issuers:write": "Switch issuers off and on, and set their keys",
    "broker:keys:read": "See the broker's signing keys",
    "broker:keys:write": "Rotate the broker's signing keys",
    "broker:blocks:read": "See blocks",
    "broker:blocks:write": "Set and lift blocks",
    "broker:introspect": "Introspect every token",
    "broker:metrics:read": "Read metrics",
}


def broker_service(issuer: str, *, ttl: int, max_ttl: int, signing_alg: str) -> Service:
    """Describe the broker as a service; its audience is its issuer, `ttl` and `max_ttl` seconds."""
    return Service(
        name=BROKER_SERVICE,
        audience=issuer,
        scopes=BROKER_SCOPES,
        ttl=ttl,
        max_ttl=max_ttl,
        signing_alg=signing_alg,
        workload=WorkloadDetail.IDS,
    )
