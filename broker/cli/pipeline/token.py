"""`broker token`: the job's ID token in, a service token out, in the form that is needed."""

import contextlib
import os
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from broker.cli.endings import fail
from broker.cli.pipeline.asking import Asked, Auth, source_of
from broker.cli.pipeline.cancelled import ended_by_signals
from broker.cli.pipeline.format_output import FORMAT_NAMES, put_out, rendered
from broker.cli.pipeline.options import (
    Audience,
    AuthOption,
    ClientSecretFile,
    IdTokenFile,
    IdTokenVariable,
    NoCache,
    Scope,
    Service,
    ServiceAccount,
    Ttl,
    Url,
    told_and_ended,
)
from broker.cli.pipeline.warnings_shown import show_warnings
from broker.client.cached_source import CachedSource
from broker.client.errors import BrokerTrouble
from broker.client.refusal import told

QUIET: Final = frozenset({
    "exec-credential", "gcp-executable", "docker", "git", "terraform-helper", "terraform-external",
    "aws-credential-process",
})  # fmt: skip
"""Formats of programs that read both streams, or show what stands on stderr as an error."""

_DEPRECATED: Final = (
    "broker: this token is bought with a stored secret; a job with an ID token needs none"
    " (docs/guides/migrate-from-secrets.md)"
)
_SHORTEST_WAIT: Final = 1.0


def token(
    service: Service,
    *,
    url: Url = "",
    scope: Scope = "",
    ttl: Ttl = "",
    service_account: ServiceAccount = "",
    format_: Annotated[
        str, typer.Option("--format", help=f"One of: {', '.join(FORMAT_NAMES)}.")
    ] = "raw",
    auth: AuthOption = Auth.OIDC,
    client_secret_file: ClientSecretFile = None,
    id_token_file: IdTokenFile = None,
    id_token_env: IdTokenVariable = "",
    audience: Audience = "",
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write there, for its owner alone, not to stdout."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and keep the file of --output fresh.")
    ] = False,
    no_cache: NoCache = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Get a service token for this job."""
    if as_json:
        if format_ not in {"raw", "json"}:
            fail(f"--json is --format json, and {format_!a} is asked for as well; leave one out")
        format_ = "json"
    if format_ not in FORMAT_NAMES:
        fail(f"there is no format {format_!a}; there are: {', '.join(FORMAT_NAMES)}")
    if watch and output is None:
        fail("--watch keeps a file fresh: name it with --output")
    quiet = format_ in QUIET
    show_warnings(wanted=not quiet)
    asked = Asked(
        service, url, scope, ttl, service_account, auth, client_secret_file, id_token_file,
        id_token_env, audience, no_cache,
    )  # fmt: skip
    with told_and_ended(), ended_by_signals():
        source = source_of(asked)
        if auth is Auth.CLIENT_SECRET and not quiet:
            typer.echo(_DEPRECATED, err=True)
        if watch and output is not None:
            _keep_fresh(source, format_, output)
        else:
            _write(source, format_, output)


def _write(source: CachedSource, format_: str, output: Path | None) -> None:
    try:
        file = "" if output is None else str(output)
        put_out(rendered(format_, source.token, os.environ, file=file), file=file)
    except OSError as error:
        place = "stdout" if error.filename is None else error.filename
        fail(f"{place} cannot be written: {error.strerror}", code=5)


def _keep_fresh(source: CachedSource, format_: str, output: Path) -> None:
    """Write a new token whenever it is time, until the command is ended, and its file with it."""
    try:
        _write(source, format_, output)
        while True:
            time.sleep(max(source.source.renews_in(), _SHORTEST_WAIT))
            try:
                _write(source, format_, output)
            except BrokerTrouble as trouble:
                # A later try may better it.
                typer.echo(f"broker: {told(trouble)}", err=True)
    finally:
        # Once nobody keeps it fresh, it is a token that lies around.
        with contextlib.suppress(OSError):
            output.unlink()
