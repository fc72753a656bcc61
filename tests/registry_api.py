"""Callers of `/api/v1/service-accounts`: file accounts whose CI jobs exchange their tokens."""

from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.running_broker import RunningBroker

PATH: Final = "/api/v1/service-accounts"

OPERATORS: Final = """\
organizations:
  acme: {description: The company}
  umbrella: {description: Another}
services:
  of-acme:
    audience: https://acme.example
    scopes: {acme:run: Run}
    organizations: [acme]
  of-umbrella:
    audience: https://umbrella.example
    scopes: {umbrella:run: Run, acme:run: Run}
    organizations: [umbrella]
  plain: {audience: https://plain.example}
service_accounts:
  admin: {grants: {broker: ["broker:*"]}}
  writer: {grants: {broker: ["broker:accounts:*"]}}
  reader: {grants: {broker: ["broker:accounts:read"]}}
  acme-admin: {organization: acme, grants: {broker: ["broker:*"]}}
  umbrella-admin: {organization: umbrella, grants: {broker: ["broker:*"]}}
policies:
""" + "".join(
    f"""\
  by-{name}:
    service_account: {name}
    issuer: github
    match: {{repository_id: 456789, environment: {name}}}
"""
    for name in ("admin", "writer", "reader", "acme-admin", "umbrella-admin")
)


@dataclass(frozen=True)
class RegistryClient:
    """Calls the registry as one account."""

    broker: RunningBroker
    headers: dict[str, str]

    def __call__(self, method: str, path: str = "", **request: Any) -> httpx.Response:
        """Send a request to a path below that of the registry."""
        return self.broker.request(method, PATH + path, headers=self.headers, **request)

    def create(self, **members: Any) -> dict[str, Any]:
        """Make an account."""
        answer = self("POST", json={"name": "x"} | members)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def shown(self, path: str) -> dict[str, Any]:
        """Show an account, or the secrets of one."""
        answer = self("GET", path)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def ids(self, query: str = "") -> list[str]:
        """List the ids of the first page."""
        return [each["id"] for each in self.shown(query)["items"]]


def calling(broker: RunningBroker, account: str) -> RegistryClient:
    """Let a CI job of the operators call as an account."""
    ci_token = broker.github_token(environment=account, ref="refs/heads/ops")
    answer = broker.exchange(ci_token, audience="broker")
    assert answer.status_code == 200, answer.text
    return RegistryClient(broker, {"Authorization": f"Bearer {answer.json()['access_token']}"})


def problem(answer: httpx.Response, status: int) -> tuple[str, str | None]:
    """Assert that an answer is a problem of a status; give its code, and the field at fault."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    members = answer.json()
    assert members["status"] == status
    assert members["detail"]
    assert answer.headers["cache-control"] == "no-store"
    return members["code"], members.get("field")
