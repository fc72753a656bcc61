"""`broker serve --dev` with a service for each relying party; issuer http, or https by a proxy."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.testing.dev_platform import DevPlatform
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.interop.foreign.programs import ROOT, free_port
from tests.interop.verifiers import Service
from tests.issuer_keys.certificates import make_authority
from tests.serving_process import serving_process

# By name: audience, algorithm and type. Some differ in little.
SERVICES: Final = {
    "go-oidc": ("https://go.example.com", "ES256", "at+jwt"),
    "cap": ("https://go.example.com/", "ES256", "at+jwt"),
    "kubernetes": ("https://kubernetes.example.com", "ES256", "at+jwt"),
    "other-cluster": ("https://kubernetes-2.example.com", "ES256", "at+jwt"),
    "registry": ("registry.example.com", "RS256", "at+jwt"),
    "spring": ("https://spring.example.com", "ES256", "at+jwt"),
    "spring-jwt": ("https://spring.example.com/jwt", "RS256", "JWT"),
    "vault": ("https://vault.example.com", "EdDSA", "at+jwt"),
}


def everywhere() -> str:
    """Give one account that a push to main acts as, and that may go everywhere."""
    services = "".join(
        f"  {name}: {{audience: '{audience}', signing_alg: {algorithm}, token_typ: {typ}}}\n"
        for name, (audience, algorithm, typ) in SERVICES.items()
    )
    grants = ", ".join(f"{name}: []" for name in SERVICES)
    return f"""\
services:
{services}
service_accounts:
  everywhere: {{grants: {{{grants}}}, metadata: {{team: web}}}}
policies:
  everywhere:
    service_account: everywhere
    issuer: dev-github
    match: {{repository_id: 456789, repository_owner_id: 1234567, ref: refs/heads/main}}
"""


@dataclass(frozen=True)
class ServedBroker:
    """A broker, its issuer, and the fake platform that it trusts."""

    folder: Path
    url: str
    issuer: str
    platform: DevPlatform

    def service(self, name: str) -> Service:
        """Tell where tokens for a service are presented."""
        return Service(self.issuer, *SERVICES[name])

    def token(self, name: str, **claims: object) -> str:
        """Get a token for a service as a job on main does."""
        answer = httpx.post(
            f"{self.url}/oauth/token",
            data={
                "grant_type": GRANT_TOKEN_EXCHANGE,
                "subject_token": self.platform.token("github", claims, audience=self.issuer),
                "subject_token_type": TOKEN_TYPE_JWT,
                "audience": name,
            },
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def command(self, *arguments: str) -> str:
        """Run `broker` beside it, in its folder."""
        done = subprocess.run(
            [sys.executable, "-m", "broker", *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def served_broker(
    folder: Path, *, https: bool = False, policies: str = ""
) -> Iterator[ServedBroker]:
    """Run one until the block ends; with https, `authority/ca.pem` vouches for its issuer."""
    (folder / "policies" / "dev").mkdir(parents=True)
    (folder / "policies" / "dev" / "everywhere.yaml").write_text(policies or everywhere())
    url = f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        issuer = stack.enter_context(_by_https(folder, url)) if https else url
        configuration = {
            "issuer": issuer,
            "listen": url.removeprefix("http://"),
            "signing": {"algorithms": ["RS256", "ES256", "EdDSA"]},
            "audit": {"stdout": False},
        }
        (folder / "broker.yaml").write_text(json.dumps(configuration))
        dev = f"127.0.0.1:{free_port()}"
        stack.enter_context(serving_process(folder, "--dev", "--dev-listen", dev))
        platform = DevPlatform.open(f"http://{dev}", folder / "data" / "dev")
        yield ServedBroker(folder, url, issuer, platform)


@contextmanager
def _by_https(folder: Path, url: str) -> Iterator[str]:
    """Pass requests on, as the proxy does that stands before a broker."""

    def answer(request: Request) -> Answer:
        got = httpx.get(url + request.path, trust_env=False)
        return Answer(got.content, got.status_code, {"content-type": got.headers["content-type"]})

    authority = make_authority(folder / "authority")
    with LoopbackServer(answer, tls=authority.server).serving() as proxy:
        yield proxy.url
