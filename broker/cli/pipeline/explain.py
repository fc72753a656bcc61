"""`broker explain`: what the broker would decide for this job, and why; no token is issued."""

import json
from typing import Any, Final

import typer

from broker.cli.common_options import AsJson
from broker.cli.pipeline.asking import Asked, source_of
from broker.cli.pipeline.options import (
    Audience,
    IdTokenFile,
    IdTokenVariable,
    Scope,
    Service,
    ServiceAccount,
    Ttl,
    Url,
    told_and_ended,
)
from broker.client import exchange

DENIED: Final = 4
"""How the command ends when the job would be refused, as `broker token` would."""

_NOTHING_NEAR: Final = (
    "  no policy came near that this job may see: `broker whoami` shows what the job claims, and"
    " whoever runs the broker can look up the decision_id"
)


def explain(
    service: Service,
    *,
    url: Url = "",
    scope: Scope = "",
    ttl: Ttl = "",
    service_account: ServiceAccount = "",
    audience: Audience = "",
    id_token_file: IdTokenFile = None,
    id_token_env: IdTokenVariable = "",
    as_json: AsJson = False,
) -> None:
    """Ask what would be decided for this job, and why. The ID token is not spent.

    Ends with 0 when a token would be issued, with 4 when not.
    """
    asked = Asked(
        service=service,
        url=url,
        scope=scope,
        ttl=ttl,
        service_account=service_account,
        id_token_file=id_token_file,
        id_token_variable=id_token_env,
        audience=audience,
        no_cache=True,
    )
    with told_and_ended():
        source = source_of(asked).source
        identity = source.identity
        assert identity is not None, "no secret was given"  # noqa: S101
        decision = source.insist(
            lambda: exchange.explain(
                source.client(), source.url, source.wanted, identity, source.id_token_audience()
            )
        )
    if as_json:
        typer.echo(json.dumps(decision))
    else:
        _show(decision)
    if decision["decision"] != "permit":
        raise typer.Exit(DENIED)


def _show(decision: dict[str, Any]) -> None:
    from broker.cli.terminal import show, signed
    from broker.client.refusal import condition_text
    from broker.core.printable import printable

    lines = [f"{decision['decision']}: {_headline(decision)}"]
    for candidate in _objects(decision, "candidates"):
        sign = "✓" if candidate.get("holds") else "✗"
        lines.append(f"  {sign} {candidate.get('effect')} {candidate.get('policy')}")
        lines += [f"      {condition_text(each)}" for each in _objects(candidate, "conditions")]
    if len(lines) == 1 and decision.get("reason") == "no_policy_matched":
        lines.append(_NOTHING_NEAR)
    if decision.get("fix"):
        lines += [f"fix: {line}" for line in str(decision["fix"]).splitlines()]
    lines.append(f"decision_id: {decision.get('decision_id')}")
    show("".join(f"{signed(printable(line))}\n" for line in lines))


def _objects(members: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Give the objects in a list; a broker that answers otherwise shows less."""
    value = members.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _headline(decision: dict[str, Any]) -> str:
    if decision["decision"] != "permit":
        return str(decision.get("reason"))
    value = decision.get("scopes")
    scopes = " ".join(map(str, value)) if isinstance(value, list) and value else "no scopes"
    return (
        f"{decision.get('audience')} as {decision.get('sub')}, {scopes},"
        f" for {decision.get('ttl')} seconds"
    )
