"""Accounts that are made while several workers run decide on each of them at once."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from broker.testing import github_claims
from tests.workers.several_workers import (
    AUDIENCE,
    SeveralWorkers,
    a_home,
    connections,
    form,
    platform,
    several_workers,
)

MORE = """\
service_accounts:
  admin: {grants: {broker: ["broker:*"]}}
policies:
  by-admin:
    service_account: admin
    issuer: github
    match: {repository_id: 456789, ref: refs/heads/admin}
  by-nightly:
    service_account: nightly
    issuer: github
    match: {repository_id: 456789, ref: refs/heads/nightly}
    grants: {deploy-api: [deploy:write]}
"""
ACCOUNTS = "/api/v1/service-accounts"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeveralWorkers]:
    home = a_home(tmp_path_factory.mktemp("home"))
    (home / "policies" / "more.yaml").write_text(MORE)
    with several_workers(home) as running:
        yield running


def exchange(client: httpx.Client, branch: str, audience: str = "deploy-api") -> dict[str, Any]:
    claims = github_claims(ref=f"refs/heads/{branch}")
    token = platform().token(claims, audience=AUDIENCE)
    answer: dict[str, Any] = client.post("/oauth/token", data=form(token, audience)).json()
    return answer


def test_each_worker_decides_by_what_any_of_them_changed(broker: SeveralWorkers) -> None:
    with connections(broker.url) as clients:
        token = exchange(clients[0], "admin", "broker")["access_token"]
        headers = {"Authorization": f"Bearer {token}"}

        def change(number: int, method: str, path: str = "", **request: Any) -> None:
            answer = clients[number].request(method, ACCOUNTS + path, headers=headers, **request)
            assert answer.is_success, answer.text

        def reasons() -> list[str | None]:
            return [exchange(client, "nightly").get("reason") for client in clients]

        assert reasons() == ["account_disabled"] * 4
        grants = {"deploy-api": ["deploy:*"]}
        change(0, "POST", json={"name": "x", "client_id": "nightly", "grants": grants})
        assert reasons() == [None] * 4
        change(1, "PATCH", "/nightly", json={"enabled": False})
        assert reasons() == ["account_disabled"] * 4
        change(2, "PATCH", "/nightly", json={"enabled": True})
        assert reasons() == [None] * 4
        change(3, "PATCH", "/deploy-web", json={"enabled": False})
        off = [exchange(client, "main").get("reason") for client in clients]
        assert off == ["account_disabled"] * 4
        change(0, "DELETE", "/nightly")
        assert reasons() == ["account_disabled"] * 4
