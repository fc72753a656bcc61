"""`broker policies explain`: one decision with its reasons, from a file of claims."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from broker.cli.common_options import AsJson, Config
from broker.cli.endings import server_extra
from broker.cli.policies.claims_file import issuer_of, read_claims
from broker.cli.policies.loading import Paths, load_sets
from broker.cli.terminal import ascii_only, show, signed

if TYPE_CHECKING:
    from broker.core.errors import Reason
    from broker.core.policy import Issuer

_DENIED: Final = 1


def explain(
    *,
    paths: Paths = None,
    claims_file: Annotated[
        Path,
        typer.Option(
            "--claims",
            metavar="FILE",
            help="The claims of a CI token as a JSON object; - is stdin.",
        ),
    ],
    issuer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose token it is; without it the issuer of `iss`."),
    ] = None,
    audience: Annotated[
        str | None, typer.Option(help="The service asked for, by name or audience.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option(help="The scopes asked for, with spaces between them.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="The service account asked for.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every policy of the issuer, not the nearest 20.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Decide a request as the broker would, and say why: exit 0 for permit, 1 for deny."""
    with server_extra("policies explain"):
        from broker.core import explain as explanations
        from broker.core.condition_text import shown
        from broker.core.decision import DecisionRequest
        from broker.core.errors import Reason
        from broker.core.explanation_text import render
        from broker.core.indexed_policies import IndexedPolicies

        sets = load_sets(paths, config)
    claims = read_claims(claims_file)
    loaded, trusted = issuer_of(sets, issuer, claims)
    if trusted is None:
        fix = f"no issuer has the URL {shown(claims['iss'])}; add it under `issuers`"
        _refuse(Reason.ISSUER_NOT_TRUSTED, fix, as_json=as_json)
    if not trusted.enabled:
        fix = f"issuer {trusted.name} is switched off; delete its `enabled: false`"
        _refuse(Reason.ISSUER_DISABLED, fix, as_json=as_json)
    explanation = explanations.explain(
        claims,
        trusted,
        DecisionRequest(
            targets=(audience,) if audience else (),
            scopes=tuple(scope.split()) if scope is not None else None,
            client_id=client_id,
        ),
        IndexedPolicies.of(loaded.policy_set),
        time.time(),
        everything=everything,
    )
    if as_json:
        typer.echo(json.dumps(explanation.as_json()))
    else:
        _note_audience(claims, trusted)
        show(signed(render(explanation, ascii_only=ascii_only())))
    raise typer.Exit(_DENIED if explanation.decision == "deny" else 0)


def _refuse(reason: "Reason", fix: str, *, as_json: bool) -> NoReturn:
    """End with a refusal that comes before any policy is asked."""
    if as_json:
        nothing = dict.fromkeys(("service_account", "sub", "audience", "scopes", "ttl"))
        decision = {"decision": "deny", "reason": reason.value}
        typer.echo(json.dumps({**decision, **nothing, "candidates": [], "fix": fix}))
    else:
        show(signed(f"deny: {reason}\n\nfix: {fix}\n"))
    raise typer.Exit(_DENIED)


def _note_audience(claims: Mapping[str, Any], issuer: "Issuer") -> None:
    """Say so where the broker would refuse the token for its audience, before any policy."""
    audience = claims.get("aud")
    accepted = [value for each in issuer.audiences for value in (each, [each])]
    if audience is None or audience in accepted:
        return
    typer.echo(
        "broker: this token would be refused before any policy is asked (audience_mismatch): its"
        f" audience must be {' or '.join(sorted(issuer.audiences))}",
        err=True,
    )
