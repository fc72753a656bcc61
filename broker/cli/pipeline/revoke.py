"""`broker revoke`: the end of every token that this job has got by `broker token`."""

import os
from typing import Annotated

import typer

from broker.cli.pipeline.options import (
    Asked,
    Auth,
    AuthOption,
    ClientSecretFile,
    IdTokenFile,
    IdTokenVariable,
    ServiceAccount,
    Url,
    source_of,
    told_and_ended,
)
from broker.client.exchange import revoke as revoke_token


def revoke(
    url: Url = "",
    auth: AuthOption = Auth.OIDC,
    service_account: ServiceAccount = "",
    client_secret_file: ClientSecretFile = None,
    id_token_file: IdTokenFile = None,
    id_token_env: IdTokenVariable = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing of what was done.")] = False,
) -> None:
    """Revoke the tokens that this job has kept, and the one in BROKER_TOKEN.

    They are active no more at once; a service that verifies tokens by itself takes them until they
    expire.
    """
    asked = Asked(
        url=url,
        auth=auth,
        service_account=service_account,
        client_secret_file=client_secret_file,
        id_token_file=id_token_file,
        id_token_variable=id_token_env,
    )
    with told_and_ended():
        source = source_of(asked)
        count = source.revoke_all()
        given = os.environ.get("BROKER_TOKEN")
        if given:
            inner = source.source
            inner.insist(lambda: revoke_token(inner.client(), inner.url, given))
            count += 1
    if not quiet:
        typer.echo(f"{count} revoked", err=True)
