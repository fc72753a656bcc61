"""A policy folder of a large organization: 10,000 policies in 100 files, some 2 MB of YAML."""

import json
from dataclasses import dataclass
from pathlib import Path

from broker.testing import FakeIssuer

FILES = 100
PER_FILE = 100
AUDIENCE = "https://broker.example"
GITHUB = "https://token.actions.githubusercontent.com"

# Beside the many: the job whose exchanges are timed, and the one that asks for reloads.
_BASE = f"""\
issuers:
  github: {{preset: github, audiences: ["{AUDIENCE}"], jwks_file: jwks.json}}
services:
  deploy-api: {{audience: "https://deploy.example", scopes: {{deploy: Deploy}}, signing_alg: ES256}}
service_accounts:
  web: {{grants: {{deploy-api: [deploy]}}}}
  reloader: {{grants: {{broker: ["broker:policies:write"]}}}}
policies:
  web-main:
    service_account: web
    issuer: github
    match: {{repository: acme/web, repository_id: 456789, ref: refs/heads/main}}
  reload:
    service_account: reloader
    issuer: github
    match: {{repository: acme/policies, repository_id: 456790, ref: refs/heads/main}}
"""


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """The folder, one file for each team."""

    path: Path

    def write(self, issuer: FakeIssuer) -> None:
        """Write all files, and the keys of the issuer."""
        self.path.mkdir(parents=True)
        (self.path / "jwks.json").write_text(json.dumps(issuer.jwks()))
        (self.path / "base.yaml").write_text(_BASE)
        for team in range(FILES):
            self._file(team).write_text(_text(team, 0))

    def change(self, step: int) -> None:
        """Change one file, as a deployment does: another one beside it, then renamed."""
        team = step % FILES
        beside = self.path / f".team-{team}.new"
        beside.write_text(_text(team, step))
        beside.replace(self._file(team))

    def size(self) -> int:
        """Give the size of all policy files in bytes."""
        return sum(each.stat().st_size for each in self.path.glob("*.yaml"))

    def _file(self, team: int) -> Path:
        return self.path / f"team-{team}.yaml"


def _text(team: int, step: int) -> str:
    account = f"service_accounts:\n  team-{team}: {{grants: {{deploy-api: [deploy]}}}}\npolicies:\n"
    return account + "".join(_policy(team, number, step) for number in range(PER_FILE))


def _policy(team: int, number: int, step: int) -> str:
    repository = 9_000_000 + team * PER_FILE + number
    # The step changes what one policy of the file says.
    ref = f"refs/heads/release-{step}" if number == 0 and step else "refs/heads/main"
    return f"""\
  team-{team}-app-{number}:
    service_account: team-{team}
    issuer: github
    match:
      repository: acme/team-{team}-app-{number}
      repository_id: {repository}
      repository_owner_id: 1234567
      ref: {ref}
"""
