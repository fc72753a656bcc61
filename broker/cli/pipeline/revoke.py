"""`broker revoke`: the end of every token that this job has got by `broker token`."""

import os
from typing import Annotated

import typer

from broker.cli.pipeline.asking import Asked, Auth, source_of
from broker.cli.pipeline.options import (
    AuthOption,
    ClientSecretFile,
    IdTokenFile,
    IdTokenVariable,
    ServiceAccount,
    Url,
    told_and_ended,
)
from broker.client.broker_url import broker_url
from broker.client.errors import NoIdentity
from broker.client.exchange import revoke as revoke_token
from broker.client.http import new_client
from broker.client.patience import Patience


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
    given = os.environ.get("BROKER_TOKEN", "")
    with told_and_ended():
        if given:
            _revoke(broker_url(url), given)
        try:
            count = source_of(asked).revoke_all()
        except NoIdentity:
            # Nobody has kept nothing; a token that is given needs no identity.
            if not given:
                raise
            count = 0
    count += bool(given)
    if not quiet:
        typer.echo(f"{count} revoked", err=True)


def _revoke(url: str, token: str) -> None:
    with new_client() as client:
        Patience().insist(lambda: revoke_token(client, url, token))
