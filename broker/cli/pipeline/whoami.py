"""`broker whoami`: who this job is, as its ID token says, before any broker is asked."""

import json

import typer

from broker.cli.common_options import AsJson
from broker.cli.pipeline.options import (
    Audience,
    IdTokenFile,
    IdTokenVariable,
    Url,
    told_and_ended,
)
from broker.client.token_source import TokenSource

_SECONDS_SHOWN = ("exp", "iat", "nbf")


def whoami(
    url: Url = "",
    audience: Audience = "",
    id_token_file: IdTokenFile = None,
    id_token_env: IdTokenVariable = "",
    as_json: AsJson = False,
) -> None:
    """Show where this job's ID token comes from, and what it claims.

    The claims are shown as they are, not verified; the token itself is not shown.
    """
    from broker.client.identity import unverified_claims
    from broker.core.printable import printable

    with told_and_ended():
        source = TokenSource(
            url,
            service="",
            audience=audience,
            id_token_file=id_token_file,
            id_token_variable=id_token_env,
        )
        identity = source.identity
        assert identity is not None, "no secret was given"  # noqa: S101
        wanted = source.insist(source.id_token_audience)
        claims = unverified_claims(source.insist(lambda: identity.fetch(wanted)))
    if as_json:
        typer.echo(json.dumps({"source": identity.name, "verified": False, "claims": claims}))
        return
    typer.echo(f"source: {identity.name}")
    typer.echo("not verified: what the ID token says; only the broker can tell whether it is true")
    width = max(map(len, claims), default=0)
    for name, value in claims.items():
        text = value if isinstance(value, str) else json.dumps(value)
        typer.echo(f"{printable(name):{width}}  {printable(text)}{_when(name, value)}")


def _when(name: str, value: object) -> str:
    """Write the times of a token for people, too."""
    from datetime import UTC, datetime

    if name not in _SECONDS_SHOWN or not isinstance(value, int | float):
        return ""
    try:
        return f"  ({datetime.fromtimestamp(value, UTC).isoformat(timespec='seconds')})"
    except (ValueError, OverflowError, OSError):
        return ""
