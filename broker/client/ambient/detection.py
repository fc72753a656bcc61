"""Finding out where a job runs: the first platform that claims the surroundings is the one.

What goes wrong there is an error and no reason to try the next: a job that is on GitHub and may not
have an ID token must not become somebody else by a file that happens to lie around.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from broker.client.ambient.command_line import buildkite, circleci
from broker.client.ambient.github import GithubActions
from broker.client.ambient.gitlab import gitlab
from broker.client.ambient.given_token import TokenInFile, TokenInVariable
from broker.client.ambient.google import GoogleMetadata, is_google
from broker.client.errors import NoIdentity
from broker.client.identity import Identity

if TYPE_CHECKING:
    import httpx

KUBERNETES_TOKEN: Final = Path("/var/run/secrets/tokens/broker")
"""Where a projected service account token for the broker is looked for, if no file is named."""

_NOBODY: Final = (
    "nothing here says who this job is: no ID token was given (BROKER_ID_TOKEN,"
    " BROKER_ID_TOKEN_FILE), and this is neither GitHub Actions, GitLab CI, CircleCI, Buildkite,"
    " Google Cloud nor a pod with a token at /var/run/secrets/tokens/broker. With a client secret:"
    " --auth client-secret"
)


def detect(
    environment: Mapping[str, str],
    connect: "Callable[[], httpx.Client]",
    *,
    audience: str = "",
    id_token_file: Path | None = None,
    id_token_variable: str = "",
    kubernetes_token: Path = KUBERNETES_TOKEN,
) -> Identity:
    """Find the identity that a job has here.

    `audience` is the one that ID tokens are for, where it is known; a file or variable that is
    named is the one. Raises `NoIdentity`.
    """
    given = _given(environment, id_token_file, id_token_variable)
    if given is not None:
        return given
    if environment.get("GITHUB_ACTIONS") == "true":
        return GithubActions.of(environment, connect)
    if environment.get("GITLAB_CI") == "true":
        return gitlab(environment, audience)
    if environment.get("CIRCLECI") == "true":
        return circleci(environment.get("CIRCLE_WORKFLOW_JOB_ID", ""))
    if environment.get("BUILDKITE") == "true":
        return buildkite(environment.get("BUILDKITE_JOB_ID", ""))
    if is_google(environment):
        return GoogleMetadata.of(environment, connect)
    if kubernetes_token.exists():
        return TokenInFile("Kubernetes", kubernetes_token)
    raise NoIdentity(_NOBODY)


def _given(
    environment: Mapping[str, str], id_token_file: Path | None, id_token_variable: str
) -> Identity | None:
    """Find what somebody gave by hand."""
    if id_token_variable:
        token = environment.get(id_token_variable)
        if not token:
            raise NoIdentity(f"the variable {id_token_variable} is empty or not set")
        return TokenInVariable("a given ID token", id_token_variable, token)
    path = id_token_file or _path(environment.get("BROKER_ID_TOKEN_FILE", ""))
    if path is not None:
        return TokenInFile("a given ID token", path)
    token = environment.get("BROKER_ID_TOKEN", "")
    if not token:
        return None
    if environment.get("GITLAB_CI") == "true":
        # There it comes of the job's file, and GitLab's advice helps.
        return gitlab(environment, "")
    return TokenInVariable("a given ID token", "BROKER_ID_TOKEN", token)


def _path(text: str) -> Path | None:
    return Path(text) if text else None
