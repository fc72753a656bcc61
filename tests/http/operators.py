"""Tokens for the broker's own API: jobs whose environment says which account they act as."""

from typing import Any
from weakref import WeakKeyDictionary

import httpx

from tests.running_broker import RunningBroker

OPERATORS = """\
organizations:
  other-org: {description: Another one}
services:
  octo-only:
    audience: https://octo.example.com
    scopes: {octo:run: Run it}
    organizations: [octo-org]
    introspection: [deploy-web, auditor]
  shared: {audience: https://shared.example.com, organizations: [octo-org, other-org]}
  others: {audience: https://others.example.com, organizations: [other-org]}
service_accounts:
  auditor: {grants: {broker: [broker:audit:read]}}
  catalogue-reader: {grants: {broker: [broker:policies:read]}}
  account-reader: {grants: {broker: [broker:accounts:read]}}
  issuer-reader: {grants: {broker: [broker:issuers:read]}}
  org-admin:
    organization: octo-org
    grants: {broker: ["broker:*"]}
  other-admin: {organization: other-org, grants: {broker: ["broker:audit:*", "broker:accounts:*"]}}
policies:
"""
ACCOUNTS = (
    "auditor",
    "catalogue-reader",
    "account-reader",
    "issuer-reader",
    "org-admin",
    "other-admin",
)
OPERATORS += "".join(
    f"  as-{name}: {{service_account: {name}, issuer: github,"
    f" match: {{repository_id: 456789, environment: {name}}}}}\n"
    for name in ACCOUNTS
)


_HEADERS: WeakKeyDictionary[RunningBroker, dict[str, dict[str, str]]] = WeakKeyDictionary()


def bearer(broker: RunningBroker, account: str) -> dict[str, str]:
    """Give the header of a caller that is this account, which gets its token once."""
    headers = _HEADERS.setdefault(broker, {})
    if account not in headers:
        headers[account] = {"Authorization": f"Bearer {_token(broker, account)}"}
    return headers[account]


def _token(broker: RunningBroker, account: str) -> str:
    ci_token = broker.github_token(environment=account, ref="refs/heads/ops")
    answer = broker.exchange(ci_token, audience="broker")
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def get(broker: RunningBroker, account: str, path: str, **query: Any) -> httpx.Response:
    """Ask as an account."""
    return broker.request("GET", path, headers=bearer(broker, account), params=query)


def refused(answer: httpx.Response, field: str | None = None) -> str:
    """Assert that a request was refused for its form, and for which field; give what is wrong."""
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "INVALID_REQUEST"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert problem.get("field") == field
    detail: str = problem["detail"]
    return detail
