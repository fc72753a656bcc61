"""`broker services list`."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from broker.cli.common_options import AsJson, Config
from broker.cli.endings import server_extra
from broker.cli.policies.loading import Paths, load_sets
from broker.cli.services.catalogue import services_in
from broker.cli.services.subjects import granted

if TYPE_CHECKING:
    from broker.core.policy import PolicySet, Service


def list_services(*, paths: Paths = None, config: Config = None, as_json: AsJson = False) -> None:
    """List the services of the policy files: audience, token, and who is granted them."""
    with server_extra("services list"):
        sets = load_sets(paths, config)
    listed = [_members(service, loaded.policy_set) for service, loaded in services_in(sets)]
    if as_json:
        typer.echo(json.dumps({"items": listed}))
        return
    for each in listed:
        typer.echo(f"{each['name']}  {each['audience']}")
        typer.echo(
            f"  tokens: {each['signing_alg']}, typ {each['token_typ']}, {each['ttl']} seconds"
        )
        typer.echo(f"  scopes: {_text(list(each['scopes']))}")
        typer.echo(f"  service accounts: {_text(each['service_accounts'])}")
    if not listed:
        typer.echo("broker: there are no services in these files", err=True)


def _members(service: "Service", policy_set: "PolicySet") -> dict[str, Any]:
    return {
        "name": service.name,
        "audience": service.audience,
        "scopes": dict(service.scopes),
        "ttl": service.ttl,
        "max_ttl": service.max_ttl,
        "signing_alg": service.signing_alg,
        "token_typ": service.token_typ,
        "profile": service.profile,
        "service_accounts": [each.client_id for each in granted(policy_set, service)],
    }


def _text(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"
