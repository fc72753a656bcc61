"""CircleCI and Buildkite: their own commands give ID tokens."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from broker.client.errors import NoIdentity
from broker.client.identity import is_jwt
from broker.client.patience import TryAgain
from broker.client.token_files import digest
from broker.core.printable import printable

_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class TokenOfCommand:
    """An ID token that a command prints; `command` makes its words of an audience."""

    name: str
    command: Callable[[str], list[str]] = field(repr=False)
    job: str = field(repr=False)
    """What names the job, for `fingerprint`."""

    renewable: bool = field(default=True, init=False)

    def fetch(self, audience: str) -> str:
        """Run the command. Raises `NoIdentity` and `TryAgain`."""
        words = self.command(audience)
        shown = " ".join(words[:3])
        try:
            done = subprocess.run(  # noqa: S603 - the words are ours, the audience is one of them
                words, capture_output=True, timeout=_SECONDS, check=False
            )
        except FileNotFoundError:
            raise NoIdentity(f"{self.name}: there is no `{words[0]}` on PATH") from None
        except OSError as error:
            raise NoIdentity(f"`{shown}` cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise TryAgain(f"`{shown}` did not end within {_SECONDS} seconds") from None
        token = done.stdout.decode(errors="replace").strip()
        if done.returncode != 0 or not is_jwt(token):
            said = printable(" ".join(done.stderr.decode(errors="replace").split()))[:300]
            said = said or "nothing"
            raise NoIdentity(f"`{shown}` gave no ID token; it said: {said}")
        return token

    def fingerprint(self) -> str:
        """Tell this job from any other."""
        return digest(self.name, self.job)

    def wants_audience(self) -> bool:
        """The command writes what it is asked for."""
        return True


def circleci(job: str) -> TokenOfCommand:
    """Give the identity of a job of CircleCI."""

    def words(audience: str) -> list[str]:
        claims = json.dumps({"aud": audience})
        return ["circleci", "run", "oidc", "get", "--claims", claims, "--root-issuer"]

    return TokenOfCommand("CircleCI", words, job)


def buildkite(job: str) -> TokenOfCommand:
    """Give the identity of a job of Buildkite."""
    return TokenOfCommand(
        "Buildkite",
        lambda audience: ["buildkite-agent", "oidc", "request-token", "--audience", audience],
        job,
    )
