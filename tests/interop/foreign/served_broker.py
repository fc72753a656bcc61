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

from broker.bootstrap import load_store_key, open_signing_keys
from broker.core.signing_keys import SigningKey
from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.settings import load
from broker.stores.opening import open_store
from broker.system import SystemClock, UuidV7Identifiers
from broker.testing.dev_platform import DevPlatform
from broker.testing.loopback import free_port
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.interop.foreign.programs import ROOT
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

    def token(self, name: str, scope: str = "", **claims: object) -> str:
        """Get a token for a service as a job on main does; without a scope it has all."""
        answer = httpx.post(
            f"{self.url}/oauth/token",
            data={
                "grant_type": GRANT_TOKEN_EXCHANGE,
                "subject_token": self.platform.token("github", claims, audience=self.issuer),
                "subject_token_type": TOKEN_TYPE_JWT,
                "audience": name,
                **({"scope": scope} if scope else {}),
            },
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    async def signing_key(self, algorithm: str) -> SigningKey:
        """Read the key that it signs with now, as nobody else can: for tokens that nearly count."""
        clock = SystemClock()
        settings = load(
            self.folder / "broker.yaml",
            {},
            data_dir=self.folder / "data",
            working_directory=self.folder,
            serving=False,
        )
        store = await open_store(settings.store, clock, serving=False)
        try:
            master_key = await load_store_key(settings, store, may_create=False)
            keyring, _ = await open_signing_keys(
                settings, store, master_key, clock, UuidV7Identifiers()
            )
            return keyring.signing_key(algorithm, clock.now())
        finally:
            await store.close()

    def snippet(self, name: str, form: str, *options: str) -> dict[str, str]:
        """Print a snippet of a service beside it; gives the texts by the names of their files."""
        printed = self.command("services", "snippet", name, "--for", form, "--json", *options)
        return {each["name"]: each["text"] for each in json.loads(printed)["files"]}

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
        got = httpx.get(url + request.path, trust_env=False, timeout=60)
        return Answer(got.content, got.status_code, {"content-type": got.headers["content-type"]})

    authority = make_authority(folder / "authority")
    with LoopbackServer(answer, tls=authority.server).serving() as proxy:
        yield proxy.url
