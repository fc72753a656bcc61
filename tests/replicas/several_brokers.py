"""Several whole brokers on one Redis, each started as a user starts it, in a folder of its own.

They share what replicas share: the issuer URL, the master key, and policy files that say the same.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx

from broker.testing import FakeIssuer, github_claims, gitlab_claims
from broker.testing.jws import generate_key
from tests.redis_server import RedisServer
from tests.workers.several_workers import SeveralWorkers, form, several_workers

ISSUER: Final = "https://broker.example"
MASTER_KEY: Final = "cmVwbGljYXMtcmVwbGljYXMtcmVwbGljYXMtcmVwbGk="
PLATFORMS: Final = {
    "github": "https://token.actions.githubusercontent.com",
    "gitlab": "https://gitlab.com",
}
POLICIES: Final = """\
issuers:
  github: {preset: github, jwks_file: github.json}
  gitlab: {preset: gitlab, jwks_file: gitlab.json}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {deploy:write: Start a deployment}
    signing_alg: ES256
    introspection: [gateway]
service_accounts:
  admin: {grants: {broker: ["broker:*"]}}
  gateway: {grants: {deploy-api: []}, secrets: allowed}
  deploy-web: {grants: {deploy-api: [deploy:write]}}
  from-gitlab: {grants: {deploy-api: [deploy:write]}}
  reader: {grants: {deploy-api: [deploy:write], broker: ["broker:accounts:read"]}}
policies:
  main:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 456789, ref: refs/heads/main, environment: production}
  on-gitlab:
    service_account: from-gitlab
    issuer: gitlab
    match: {project_id: 20, ref_protected: true}
  by-admin:
    service_account: admin
    issuer: github
    match: {repository_id: 456789, environment: admin}
  by-reader:
    service_account: reader
    issuer: github
    match: {repository_id: 456789, environment: reader}
"""


@cache
def platform(name: str) -> FakeIssuer:
    """Give an issuer that all these brokers trust."""
    times: dict[str, Any] = {} if name == "github" else {"lifetime": 3600, "backdate": 5}
    return FakeIssuer(PLATFORMS[name], key=generate_key("RS256"), **times)


def a_token(environment: str = "production", *, audience: str = ISSUER, **claims: Any) -> str:
    """Mint a token of GitHub."""
    return platform("github").token(
        github_claims(environment=environment, **claims), audience=audience
    )


def a_gitlab_token(**claims: str) -> str:
    return platform("gitlab").token(gitlab_claims(**claims), audience=ISSUER)


class Replica:
    """One of them, and how it is asked."""

    def __init__(self, running: SeveralWorkers, http: httpx.Client) -> None:
        self.running = running
        self.http = http
        self.url = running.url

    def exchange(self, token: str | None = None, audience: str = "deploy-api") -> httpx.Response:
        return self.http.post("/oauth/token", data=form(token or a_token(), audience))

    def token(
        self, environment: str = "production", audience: str = "deploy-api", **claims: str
    ) -> str:
        """Get a service token as a job of this environment."""
        answer = self.exchange(a_token(environment, **claims), audience)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def api(self, key: str, method: str, path: str, **request: Any) -> httpx.Response:
        """Call the API with a token or a key."""
        headers = {"Authorization": f"Bearer {key}"}
        return self.http.request(method, f"/api/v1/{path}", headers=headers, **request)

    def introspects(self, token: str, credentials: Mapping[str, str]) -> dict[str, Any]:
        answer = self.http.post("/oauth/introspect", data={"token": token, **credentials})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def key_ids(self) -> list[str]:
        """List the keys that it publishes."""
        document = self.http.get("/.well-known/jwks.json").json()
        return sorted(each["kid"] for each in document["keys"])

    def ready(self) -> tuple[int, str]:
        answer = self.http.get("/readyz")
        return answer.status_code, answer.json()["status"]


def an_operator(replica: Replica) -> str:
    """Make an account that may do everything, and give its API key."""
    body = {"name": "x", "client_id": "operator", "grants": {"broker": ["broker:*"]}}
    token = replica.token("admin", "broker")
    made = replica.api(token, "POST", "service-accounts", json=body)
    assert made.status_code == 201, made.text
    key: str = made.json()["client_secret"]
    return key


def a_replica_home(folder: Path, store: str, *, limits: str = "off", more: str = "") -> Path:
    """Make the folder of one of them."""
    (folder / "policies").mkdir(parents=True)
    for name in PLATFORMS:
        (folder / "policies" / f"{name}.json").write_text(json.dumps(platform(name).jwks()))
    (folder / "policies" / "all.yaml").write_text(POLICIES)
    (folder / "master.key").touch(mode=0o600)
    (folder / "master.key").write_text(MASTER_KEY)
    (folder / "broker.yaml").write_text(
        f"issuer: {ISSUER}\nmaster_key_file: master.key\nrate_limits: {limits}\n"
        f"store: {store}\n{more}"
    )
    return folder


@contextmanager
def replicas(
    homes: list[Path], workers: list[int], variables: Mapping[str, str] | None = None
) -> Iterator[list[Replica]]:
    """Run a broker for each folder until the block ends; all begin, and end, side by side."""
    stacks = [ExitStack() for _ in homes]

    def started(stack: ExitStack, home: Path, count: int) -> Replica:
        running = stack.enter_context(several_workers(home, count, variables=variables))
        http = httpx.Client(base_url=running.url, trust_env=False, timeout=60)
        return Replica(running, stack.enter_context(http))

    with ThreadPoolExecutor(len(homes)) as pool:
        try:
            yield list(pool.map(started, stacks, homes, workers))
        finally:
            list(pool.map(ExitStack.close, stacks))


@contextmanager
def two_replicas(
    folder: Path, server: RedisServer, *, workers: tuple[int, int] = (1, 1), **more: str
) -> Iterator[list[Replica]]:
    """Run two on one server until the block ends."""
    homes = [a_replica_home(folder / name, server.url, **more) for name in ("a", "b")]
    with replicas(homes, list(workers)) as both:
        yield both
