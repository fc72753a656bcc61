"""`broker credential-helper`: git, Docker, Terraform, kubectl and the clouds ask for a token.

On success nothing stands on stderr: some tools take both streams for the answer.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

import typer

from broker.cli.pipeline.fetching import fetch, forget
from broker.cli.pipeline.format_output import AWS_CREDENTIAL_PROCESS, put_out, rendered
from broker.client.credential_helpers import docker, git, terraform
from broker.client.credential_helpers.hosts import ListedHosts, listed_hosts
from broker.client.errors import BrokerTrouble, ClientError, Misuse
from broker.client.formats import Rendering
from broker.client.formats.gcp import executable_failure
from broker.client.refusal import told

Tool = Literal["git", "docker", "terraform", "kubectl", "aws", "gcp"]

_LONGEST_REQUEST: Final = 65_536
_NOTHING: Final = Rendering("")


class NoCredential(ClientError):
    """There is no credential for what was asked, and nothing is wrong."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Invocation:
    """How a tool called: its words, what it wrote, and the environment."""

    words: tuple[str, ...]
    stdin: Callable[[], str]
    environment: Mapping[str, str] = field(repr=False)
    service: str

    def hosts(self) -> ListedHosts:
        """Give the hosts that may have a token. Raises `Misuse`."""
        hosts = listed_hosts(self.environment.get("BROKER_HOSTS", ""), default_service=self.service)
        if not hosts.services:
            raise Misuse("BROKER_HOSTS lists no host that may have a token: set HOST=SERVICE,…")
        return hosts

    def own_service(self) -> str:
        """Give the service of --service or BROKER_SERVICE. Raises `Misuse`."""
        if not self.service:
            raise Misuse("name the service: --service or BROKER_SERVICE")
        return self.service

    def credential(self, name: str, service: str, *, server: str = "") -> Rendering:
        """Fetch a token and write it in a format. Raises `ClientError`."""
        return rendered(name, lambda: fetch(service), self.environment, server=server)


def _git(invocation: Invocation) -> Rendering:
    verb = invocation.words[:1]
    if verb not in (("get",), ("erase",)):
        # `store`, and whatever git adds: a helper passes over what it does not know.
        return _NOTHING
    hosts = invocation.hosts()
    service = git.service_for(git.read(invocation.stdin()), hosts)
    if service is None:
        return _NOTHING
    if verb == ("erase",):
        forget(service)
        return _NOTHING
    return invocation.credential("git", service)


def _docker(invocation: Invocation) -> Rendering:
    verb = invocation.words[:1]
    if verb == ("list",):
        return Rendering("{}\n")
    if verb in (("store",), ("erase",)):
        invocation.stdin()
        return _NOTHING
    if verb != ("get",):
        raise Misuse("Docker asks a helper to get, store, erase or list")
    server = docker.server(invocation.stdin())
    service = docker.service_for(server, invocation.hosts())
    if service is None:
        raise NoCredential(docker.NOT_FOUND)
    return invocation.credential("docker", service, server=server)


def _terraform(invocation: Invocation) -> Rendering:
    match invocation.words:
        case ("get", host):
            service = terraform.service_for(host, invocation.hosts())
            if service is None:
                return Rendering(terraform.NONE)
            return invocation.credential("terraform-helper", service)
        case _:
            raise NoCredential(
                "this helper only gets: tokens are fetched anew, not stored or forgotten"
            )


def _kubectl(invocation: Invocation) -> Rendering:
    return invocation.credential("exec-credential", invocation.own_service())


def _aws(invocation: Invocation) -> Rendering:
    return invocation.credential(AWS_CREDENTIAL_PROCESS, invocation.own_service())


def _gcp(invocation: Invocation) -> Rendering:
    return invocation.credential("gcp-executable", invocation.own_service())


_ANSWERS: Final[Mapping[str, Callable[[Invocation], Rendering]]] = {
    "git": _git,
    "docker": _docker,
    "terraform": _terraform,
    "kubectl": _kubectl,
    "aws": _aws,
    "gcp": _gcp,
}


def credential_helper(
    tool: Annotated[Tool, typer.Argument(help="The tool that asks.")],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="What the tool adds: `get` …")
    ] = None,
    service: Annotated[
        str,
        typer.Option(
            envvar="BROKER_SERVICE",
            show_envvar=False,
            help="The service of kubectl, aws and gcp, and of hosts in BROKER_HOSTS that name "
            "none. [env var: BROKER_SERVICE]",
        ),
    ] = "",
) -> None:
    """Answer git, Docker, Terraform, kubectl or a cloud's SDK that asks for a credential.

    git, docker and terraform get a token for the hosts in BROKER_HOSTS=HOST=SERVICE,… alone.
    """
    invocation = Invocation(
        words=tuple(words or ()), stdin=_stdin, environment=os.environ, service=service
    )
    try:
        answer = _ANSWERS[tool](invocation)
        put_out(answer)
    except ClientError as error:
        raise typer.Exit(_tell(tool, told(error), error.exit_code)) from None
    except OSError as error:
        message = f"{error.filename or 'stdout'} cannot be written: {error.strerror}"
        raise typer.Exit(_tell(tool, message, BrokerTrouble.exit_code)) from None


def _tell(tool: str, message: str, exit_code: int) -> int:
    """Say what failed in the way in which this tool hears it; give the status to end with."""
    if tool == "gcp":
        # A status other than 0 would hide the message among bytes.
        sys.stdout.write(executable_failure(str(exit_code), message))
        return 0
    if tool == "docker":
        # Docker shows what stands on stdout, and knows one message.
        sys.stdout.write(f"{message}\n")
        return exit_code
    if tool == "git":
        sys.stdout.write(git.QUIT)
    typer.echo(f"broker: {message}", err=True)
    return exit_code


def _stdin() -> str:
    """Read what the tool wrote. Raises `Misuse` for more than any of them writes."""
    written = sys.stdin.buffer.read(_LONGEST_REQUEST + 1)
    if len(written) > _LONGEST_REQUEST:
        # The part that was not read could say something else.
        raise Misuse("the request is too long")
    return written.decode(errors="surrogateescape")
