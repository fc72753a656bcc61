"""GitHub Actions: a new ID token for each request, for as long as the job runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from broker.client.errors import NoIdentity
from broker.client.http import send
from broker.client.identity import is_jwt
from broker.client.token_files import github_fingerprint

if TYPE_CHECKING:
    import httpx

_WHAT: Final = "GitHub's ID token endpoint"
_PERMISSION: Final = """\
GitHub gave this job no way to get an ID token. Add to the job (or to the workflow):

permissions:
  contents: read
  id-token: write

In a reusable workflow the job that calls it must grant this, too. A pull request from a fork gets \
no ID token, whatever its permissions."""


@dataclass(frozen=True, slots=True)
class GithubActions:
    """The endpoint that the runner names. Raises `NoIdentity` where it names none."""

    url: str
    request_token: str = field(repr=False)
    connect: "Callable[[], httpx.Client]" = field(repr=False)
    name: str = field(default="GitHub Actions", init=False)
    renewable: bool = field(default=True, init=False)

    @classmethod
    def of(
        cls, environment: Mapping[str, str], connect: "Callable[[], httpx.Client]"
    ) -> "GithubActions":
        """Find the endpoint. Raises `NoIdentity`."""
        url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
        token = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
        if not url or not token:
            raise NoIdentity(_PERMISSION)
        try:
            urlsplit(url)
        except ValueError:
            raise NoIdentity("ACTIONS_ID_TOKEN_REQUEST_URL is no URL") from None
        return cls(url, token, connect)

    def fetch(self, audience: str) -> str:
        """Get an ID token. Raises `NoIdentity`, `BrokerTrouble` and `TryAgain`."""
        headers = {"authorization": f"Bearer {self.request_token}", "accept": "application/json"}
        answer = send(
            self.connect(), _WHAT, "GET", with_audience(self.url, audience), headers=headers
        )
        token = (answer.members() or {}).get("value")
        if answer.status != HTTPStatus.OK or not is_jwt(token):
            raise NoIdentity(
                f"{_WHAT} answered with {answer.status} and gave no ID token. Is the job still"
                " running, and are its `permissions` what they were?"
            )
        return str(token)

    def fingerprint(self) -> str:
        """Tell this job from any other: the request token is its own."""
        return github_fingerprint(self.url, self.request_token)

    def wants_audience(self) -> bool:
        """GitHub writes what it is asked for."""
        return True


def with_audience(url: str, audience: str) -> str:
    """Add the parameter `audience`, keeping the query that is there."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("audience", audience)]
    return urlunsplit(parts._replace(query=urlencode(query)))
