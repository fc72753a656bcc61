"""Policy sets of any size, in the shapes that make a decision or an explanation cheap or dear."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.core.policy import PolicySet
from broker.policy_files import load_texts
from broker.testing import github_claims

AUDIENCE = "https://broker.example"
SERVICE = "deploy-api"
PER_FILE = 100

_OWNER = 7_000_000
_REPOSITORY = 9_000_000
_BASE = f"""\
issuers:
  github: {{preset: github, audiences: ["{AUDIENCE}"]}}
services:
  {SERVICE}: {{audience: "https://deploy.example", scopes: {{deploy: Deploy}}}}
service_accounts:
  deployer: {{grants: {{{SERVICE}: [deploy]}}}}
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the policies of a set are like: the `match` of each, and the job that it is meant for.

    Both are made from the number of the policy; a number that no policy has makes a job that none
    is meant for.
    """

    name: str
    match: Callable[[int], str]
    job: Callable[[int], Mapping[str, object]]

    def texts(self, count: int) -> Iterator[tuple[str, str]]:
        """Yield the files of a set: name and text."""
        yield "base.yaml", _BASE
        for first in range(0, count, PER_FILE):
            lines = [
                f"  p-{number}: {{service_account: deployer, issuer: github,"
                f" match: {{{self.match(number)}}}}}\n"
                for number in range(first, min(first + PER_FILE, count))
            ]
            yield f"policies-{first}.yaml", "policies:\n" + "".join(lines)

    def policy_set(self, count: int) -> PolicySet:
        """Load a set of so many policies."""
        loaded = load_texts(
            dict(self.texts(count)),
            broker_issuer=AUDIENCE,
            token_defaults=(600, 3600),
            signing_algorithms=("ES256", "RS256"),
            loopback=False,
        )
        return loaded.policy_set

    def claims(self, number: int) -> dict[str, object]:
        """Give the claims of the job that the policy of this number is meant for."""
        facts: dict[str, Any] = {**self.job(number)}
        return github_claims(**facts)


def _own(number: int, **facts: object) -> dict[str, object]:
    return {
        "repository": f"org-{number}/app",
        "repository_id": str(_REPOSITORY + number),
        "repository_owner_id": str(_OWNER + number),
        **facts,
    }


def _of_acme(number: int, **facts: object) -> dict[str, object]:
    acme = {"repository": f"acme/app-{number}", "repository_owner_id": str(_OWNER)}
    return _own(number, **acme | facts)


SHAPES = (
    Shape(
        "repositories",
        lambda number: (
            f"repository: org-{number}/app, repository_id: {_REPOSITORY + number},"
            " ref: refs/heads/main"
        ),
        _own,
    ),
    Shape(
        "repositories of one owner",
        lambda number: (
            f"repository: acme/app-{number}, repository_owner_id: {_OWNER}, ref: refs/heads/main"
        ),
        _of_acme,
    ),
    Shape(
        "environments of one owner",
        lambda number: f"repository_owner_id: {_OWNER}, environment: env-{number}",
        lambda number: _of_acme(number, environment=f"env-{number}"),
    ),
    Shape(
        "globs",
        lambda number: f'repository: {{glob: "org-{number}/*"}}, ref: refs/heads/main',
        _own,
    ),
    Shape(
        "globs of one owner",
        lambda number: (
            f'repository: {{glob: "acme/app-{number}-*"}}, repository_owner_id: {_OWNER},'
            " ref: refs/heads/main"
        ),
        lambda number: _of_acme(number, repository=f"acme/app-{number}-web"),
    ),
)
