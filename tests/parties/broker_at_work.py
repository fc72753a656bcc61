"""`broker serve` with the services of these tests, and a job that gets tokens for them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt

from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.testing.dev_platform import DevPlatform
from tests.parties.debian import ROOT
from tests.serving_process import ServingProcess, serving_process

POLICIES = """\
services:
  deploy:
    audience: https://deploy.example.com
    signing_alg: ES256
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
  store:
    audience: https://store.example.com
    signing_alg: ES256
    scopes: {deploy:read: See what is stored, deploy:write: Store something}
  images:
    audience: https://registry.example.com
    scopes: {registry:pull: Pull images, registry:push: Push images}
  rabbitmq:
    audience: rabbitmq
    scopes:
      rabbitmq.write:deploy/amq.direct: Publish jobs
      rabbitmq.read:deploy/jobs: Take jobs
service_accounts:
  deploy-web:
    grants:
      deploy: [deploy:read, deploy:write]
      store: [deploy:read, deploy:write]
      images: [registry:pull, registry:push]
      rabbitmq: [rabbitmq.write:deploy/amq.direct, rabbitmq.read:deploy/jobs]
policies:
  main:
    service_account: deploy-web
    issuer: dev-github
    match: {repository: acme/web, repository_id: 456789, ref: refs/heads/main}
"""


@dataclass(frozen=True)
class BrokerAtWork:
    folder: Path
    process: ServingProcess

    @property
    def url(self) -> str:
        return self.process.url

    def run(self, *arguments: str) -> str:
        """Run a command of the broker in its folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
        done = subprocess.run(
            [sys.executable, "-m", "broker", *arguments],
            cwd=self.folder,
            env=kept | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, service: str, scope: str | None = None) -> str:
        """Exchange the token of a job for one of a service, with all its scopes or some."""
        base = self.process.facts["dev_issuers"]["dev-github"].removesuffix("/github")
        # As `broker dev token` does it.
        platform = DevPlatform.open(base, self.folder / "data" / "dev")
        form = {
            "grant_type": GRANT_TOKEN_EXCHANGE,
            "subject_token": platform.token("github", {}, audience=self.url),
            "subject_token_type": TOKEN_TYPE_JWT,
            "audience": service,
        }
        if scope:
            form["scope"] = scope
        answer = httpx.post(f"{self.url}/oauth/token", data=form, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def token_by_a_new_key(self, service: str) -> str:
        """Let keys sign that nobody knows of so far, and get a token by one of them."""
        jwks = httpx.get(f"{self.url}/.well-known/jwks.json", trust_env=False, timeout=60).json()
        known = {key["kid"] for key in jwks["keys"]}
        for _ in range(20):
            self.run("keys", "rotate", "--now", "--data", "data")
            token = self.token(service)
            if jwt.get_unverified_header(token)["kid"] not in known:
                return token
        raise AssertionError("no new key signs")


@contextmanager
def broker_at_work(folder: Path) -> Iterator[BrokerAtWork]:
    """Run a broker until the block ends."""
    (folder / "policies" / "dev").mkdir(parents=True)
    (folder / "policies" / "dev" / "services.yaml").write_text(POLICIES)
    ports = ("--listen", "127.0.0.1:0", "--dev-listen", "127.0.0.1:0")
    with serving_process(folder, "--dev", *ports) as process:
        yield BrokerAtWork(folder, process)
