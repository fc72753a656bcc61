"""`broker access who-can`."""

from pathlib import Path
from typing import Annotated

import typer

from broker.cli.access.options import SINCE, FormOption, Offline, PolicyFiles, Since, form_of, write
from broker.cli.access.reviewing import fail_unknown, reviewed, service_of
from broker.cli.common_options import AsJson, Config, Data


def who_can(
    *,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="By name or audience.")],
    scope: Annotated[
        str | None, typer.Argument(metavar="[SCOPE]", help="Without it, any.", show_default=False)
    ] = None,
    policies: PolicyFiles = None,
    since: Since = SINCE,
    offline: Offline = False,
    form: FormOption = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Tell which accounts may use a service, by which policies and from where, or by secrets."""
    chosen = form_of(form, as_json=as_json)
    found, policy_set = reviewed("who-can", policies, config, data, since=since, offline=offline)
    named = service_of(service, policy_set, "there is no service")
    if scope is not None and scope not in named.scopes:
        fail_unknown(f"service `{named.name}` has no scope", scope, named.scopes)
    write(
        found.of(lambda each: each.service.name == named.name and scope in (None, each.scope)),
        chosen,
    )
