"""`broker access what-can`."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.access.options import SINCE, FormOption, Offline, PolicyFiles, Since, form_of, write
from broker.cli.access.reviewing import fail_unknown, reviewed, stored_state
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.policies.claims_file import issuer_of, read_claims
from broker.cli.policies.loading import load_sets

if TYPE_CHECKING:
    from broker.core.access.of_job import JobAccess


def what_can(
    *,
    account: Annotated[
        str | None,
        typer.Argument(metavar="[ACCOUNT]", help="A service account.", show_default=False),
    ] = None,
    claims: Annotated[
        Path | None,
        typer.Option(
            "--claims",
            metavar="FILE",
            help="Instead of an account: the claims of a CI token as a JSON object; - is stdin.",
        ),
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose token it is; without it the issuer of `iss`."),
    ] = None,
    policies: PolicyFiles = None,
    since: Since = SINCE,
    offline: Offline = False,
    form: FormOption = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Tell what a service account may do, or what a job with these claims can get."""
    chosen = form_of(form, as_json=as_json)
    if (account is None) == (claims is None):
        fail("name a service account, or the claims of a job (--claims FILE)")
    if account is not None:
        found, in_force = reviewed("what-can", policies, config, data, since=since, offline=offline)
        of_account = found.of(lambda each: each.service_account == account)
        if not of_account.grants and account not in in_force.service_accounts:
            known = {each.service_account for each in found.grants} | {*in_force.service_accounts}
            fail_unknown("nothing is granted to an account", account, known)
        write(of_account, chosen)
        return
    if chosen == "csv":
        fail("--format csv is for grants; of a job there is text or json")
    with server_extra("access what-can"), told_plainly():
        accesses = _of_job(claims or Path("-"), issuer, policies, config, data, offline=offline)
        _write(accesses, as_json=chosen == "json")


def _of_job(
    file: Path,
    issuer: str | None,
    policies: list[Path] | None,
    config: Path | None,
    data: Path,
    *,
    offline: bool,
) -> "tuple[JobAccess, ...]":
    from broker.core.access.of_job import access_of_job
    from broker.core.accounts_in_force import accounts_named
    from broker.core.blocks import NO_BLOCKS
    from broker.core.condition_text import shown
    from broker.core.indexed_policies import IndexedPolicies

    sets = load_sets(policies, config)
    claims = read_claims(file)
    loaded, trusted = issuer_of(sets, issuer, claims)
    if trusted is None:
        fail(f"--claims: no issuer has the URL {shown(claims['iss'])}")
    now = time.time()
    policy_set = loaded.policy_set
    stored = stored_state(config, data, offline=offline)
    if stored is not None:
        policy_set = stored.applied(policy_set, now)
    elif unknown := accounts_named(policy_set):
        names = ", ".join(sorted(unknown))
        typer.echo(f"broker: accounts that were not looked up count as missing: {names}", err=True)
    if not policy_set.issuers[trusted.name].enabled:
        fail(f"--claims: issuer {trusted.name} is switched off, and its jobs get nothing")
    blocks = NO_BLOCKS if stored is None else stored.blocks
    index = replace(IndexedPolicies.of(policy_set), blocks=blocks)
    return access_of_job(claims, trusted, index, now)


def _write(accesses: "tuple[JobAccess, ...]", *, as_json: bool) -> None:
    from broker.core.access.of_job import render_job

    if as_json:
        typer.echo(json.dumps({"items": [each.as_json() for each in accesses]}))
        return
    for line in render_job(accesses):
        typer.echo(line)
