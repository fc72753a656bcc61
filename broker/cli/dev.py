"""`broker dev`: a fake GitHub and GitLab on this machine, for trying out policies and services."""

import base64
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from broker.cli.common_options import AsJson
from broker.cli.endings import fail, server_extra

app = typer.Typer(
    help="A fake GitHub and GitLab on this machine.", no_args_is_help=True, rich_markup_mode=None
)

Data = Annotated[Path, typer.Option(help="The folder of the fake platforms' key.")]


@app.command("issuer")
def issuer(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="A loopback address; port 0 takes a free one.")
    ] = "127.0.0.1:8081",
    data: Data = Path("data/dev"),
    as_json: AsJson = False,
) -> None:
    """Serve the discovery documents and keys of both platforms until it is stopped."""
    with server_extra("dev issuer"):
        import uvicorn

        from broker.testing.issuer_server import uvicorn_config
    from broker.testing.dev_platform import DevKeyRefused, DevPlatform
    from broker.testing.loopback import NotLoopback, base_url, listen_on, split_listen

    try:
        bound = listen_on(*split_listen(listen))
    except NotLoopback as error:
        fail(f"--listen: {error}")
    except OSError as error:
        fail(f"--listen: cannot listen on {listen}: {error.strerror}; choose another", code=1)
    with bound:
        try:
            platform = DevPlatform.open(base_url(bound), data)
        except DevKeyRefused as error:
            fail(f"--data: {error}", code=1)
        issuers = {"github": platform.github.url, "gitlab": platform.gitlab.url}
        if as_json:
            typer.echo(json.dumps({"issuers": issuers}))
        else:
            for name, url in issuers.items():
                typer.echo(f"{name}: {url}")
        uvicorn.Server(uvicorn_config(platform.app())).run(sockets=[bound])


@app.command("token")
def token(
    platform: Annotated[Literal["github", "gitlab"], typer.Option(help="Whose token to imitate.")],
    claim: Annotated[
        list[str] | None,
        typer.Option(
            metavar="K=V",
            help="Set a claim: K=V to a text, K:=V to a JSON value; K:=null leaves it out. "
            "What the platform derives from it follows.",
        ),
    ] = None,
    audience: Annotated[
        str, typer.Option(help="Whom the token is for: the broker.")
    ] = "http://127.0.0.1:8080",
    immutable_sub: Annotated[
        bool, typer.Option("--immutable-sub", help="GitHub: name the repository in `sub` by id.")
    ] = False,
    issuer_base: Annotated[
        str, typer.Option(metavar="URL", help="Where the dev issuer runs, or would.")
    ] = "http://127.0.0.1:8081",
    data: Data = Path("data/dev"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the token with its claims as JSON.")
    ] = False,
) -> None:
    """Print a token as a job would get it: by default a push to main of acme/web."""
    from broker.testing.dev_platform import DevKeyRefused, DevPlatform
    from broker.testing.loopback import NotLoopback

    overrides = _claims(claim or [])
    if "immutable_sub" in overrides:
        fail("--claim: 'immutable_sub' is no claim; the option is --immutable-sub")
    if immutable_sub and platform != "github":
        fail("--immutable-sub is a form of GitHub's 'sub' alone")
    try:
        minted = DevPlatform.open(issuer_base, data).token(
            platform, overrides, audience=audience, immutable_sub=immutable_sub
        )
    except NotLoopback as error:
        fail(f"--issuer-base: {error}")
    except DevKeyRefused as error:
        fail(f"--data: {error}", code=1)
    typer.echo(json.dumps({"token": minted, "claims": _payload(minted)}) if as_json else minted)


def _claims(options: list[str]) -> dict[str, object]:
    """Read `k=text` and `k:=json`. Ends the command when one is neither or a claim comes twice."""
    claims: dict[str, object] = {}
    for option in options:
        name, equals, text = option.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            fail(f"--claim: '{option}' is not K=V or K:=JSON")
        if name in claims:
            fail(f"--claim: '{name}' is set twice")
        claims[name] = _json(option, text) if is_json else text
    return claims


def _json(option: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        fail(f"--claim: what follows ':=' in '{option}' is not JSON (a text needs K=V)")


def _payload(minted: str) -> object:
    part = minted.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
