"""What the options of an account's commands say, as the members of a request."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli.endings import fail, server_extra
from broker.cli.grant_option import grants_said

Name = Annotated[str | None, typer.Option(help="What people call it.")]
Description = Annotated[str | None, typer.Option(help="What it is for.")]
Ttl = Annotated[str | None, typer.Option(help="How long its tokens live, as in 10m.")]
MaxTtl = Annotated[str | None, typer.Option(help="How long they may live at most.")]
Metadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="NAME=TEXT", help="Trusted metadata; repeatable."),
]
Expires = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="When it ends: a date (UTC), a time, or 90d from now."),
]
Network = Annotated[
    list[str] | None,
    typer.Option("--network", metavar="CIDR", help="Where it may call from; repeatable."),
]
JwksUri = Annotated[str | None, typer.Option(metavar="URL", help="Where its public keys are.")]
JwksFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Its public keys, as a JWKS document.")
]


def account_members(
    *,
    name: str | None,
    description: str | None,
    grants: Sequence[str] | None,
    ttl: str | None,
    max_ttl: str | None,
    metadata: Sequence[str] | None,
    expires: str | None,
    networks: Sequence[str] | None,
    jwks_uri: str | None,
    jwks_file: Path | None,
) -> dict[str, Any]:
    """Give the members that were named. Ends the command when an option is not understood."""
    members: dict[str, Any] = {
        "name": name,
        "description": description,
        "grants": grants_said(grants),
        "ttl": ttl,
        "max_ttl": max_ttl,
        "metadata": _pairs("--metadata", metadata),
        "expires_at": end(expires),
        "allowed_networks": None if networks is None else list(networks),
        "jwks_uri": jwks_uri,
        "jwks": None if jwks_file is None else json_object(jwks_file),
    }
    return {name: value for name, value in members.items() if value is not None}


def end(text: str | None) -> str | None:
    """Read when something ends, as RFC 3339. Ends the command when it is no time."""
    if text is None:
        return None
    with server_extra("accounts"):
        from broker.core.audit import rfc3339
        from broker.core.durations import DurationRefused, seconds_of
        from broker.core.instants import InstantRefused, parse_instant

    now = time.time()
    try:
        return rfc3339(now + seconds_of(text, minimum=1, maximum=36_500 * 86_400))
    except DurationRefused:
        pass
    try:
        return rfc3339(parse_instant(text, now))
    except InstantRefused:
        fail(f"--expires: '{text}' is no time; write 2027-06-30, 2027-06-30T12:00:00Z or 90d")


def json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, `-` for stdin. Ends the command when it is none."""
    from broker.core.json_text import JsonRefused, loads_object

    try:
        text = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return loads_object(text)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except JsonRefused as error:
        fail(f"{path}: {error}")


def print_members(members: dict[str, Any]) -> None:
    """Print members for people, one a line, without those that say nothing."""
    for name, value in members.items():
        if value not in (None, "", [], {}):
            text = value if isinstance(value, str) else json.dumps(value)
            typer.echo(f"{name}: {text}")


def _pairs(option: str, texts: Sequence[str] | None) -> dict[str, str] | None:
    if texts is None:
        return None
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            fail(f"{option}: '{text}' is not NAME=TEXT")
        pairs[name] = value
    return pairs
