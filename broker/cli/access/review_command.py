"""`broker access review`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.access.options import SINCE, FormOption, Offline, Since, form_of, write
from broker.cli.access.reviewing import fail_unknown, reviewed, service_of
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.policies.loading import Paths

if TYPE_CHECKING:
    from broker.core.access.grant import AccessGrant


def review(
    *,
    paths: Paths = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this service, by name or audience.")
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(metavar="OWNER", help="Only what a policy or account of this owner grants."),
    ] = None,
    organization: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only accounts of this organization.")
    ] = None,
    since: Since = SINCE,
    offline: Offline = False,
    form: FormOption = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Tell every grant: service, scope, account, by which policy or credentials, and its uses."""
    chosen = form_of(form, as_json=as_json)
    found, policy_set = reviewed("review", paths, config, data, since=since, offline=offline)
    if service is not None:
        name = service_of(service, policy_set, "--service: there is no service").name
        found = found.of(lambda each: each.service.name == name)
    if owner is not None:
        _require("--owner: nothing has the owner", owner, _owners(found.grants))
        found = found.of(lambda each: owner in each.owners)
    if organization is not None:
        known = {*policy_set.organizations, *_organizations(found.grants)}
        _require("--organization: there is no organization", organization, known)
        found = found.of(lambda each: each.organization == organization)
    write(found, chosen)


def _require(what: str, name: str, known: Iterable[str]) -> None:
    """End the command for a name that nothing has: an empty review would say that all is well."""
    if name not in known:
        fail_unknown(what, name, known)


def _owners(grants: "Iterable[AccessGrant]") -> set[str]:
    return {owner for each in grants for owner in each.owners if owner is not None}


def _organizations(grants: "Iterable[AccessGrant]") -> set[str]:
    return {each.organization for each in grants if each.organization is not None}
