"""A broker that trusts many issuers, each of which publishes what one test wants of it.

They take the place of a platform that is broken, broken into, or careless: what is trusted is
their URL, never whatever they answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from broker.testing import FakeIssuer
from broker.testing.jws import PrivateKey, generate_key, public_jwk
from tests.attacks.key_publisher import Answer, KeyPublisher, document, publishing
from tests.attacks.outbound import WatchedBroker
from tests.running_broker import AUDIENCE, RunningBroker

COUNT: Final = 220
SUB: Final = "job:1"

_CATALOGUE: Final = """\
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {{deploy:read: See deployments}}
service_accounts:
  deploy-web: {{grants: {{deploy-api: [deploy:read]}}}}
"""
_ISSUER: Final = """\
  {name}:
    issuer: {url}
    audiences: [{audience}]
    algorithms: [RS256, PS256, RS512, ES256, ES512, EdDSA]
    single_tenant: true
"""
_POLICY: Final = """\
  {name}: {{service_account: deploy-web, issuer: {name}, match: {{sub: "{sub}"}}}}
"""


@cache
def key_of(algorithm: str, name: str = "") -> PrivateKey:
    """A key for the whole session: making an RSA key takes long; `name` tells several apart."""
    return generate_key(algorithm)


@dataclass(frozen=True)
class HostileIssuer:
    """One trusted issuer; its keys are asked for at `jwks_path`, through discovery or not."""

    url: str
    publisher: KeyPublisher = field(repr=False)
    broker: RunningBroker = field(repr=False)
    discovery_path: str
    jwks_path: str

    def token(
        self,
        *,
        key: PrivateKey | None = None,
        algorithm: str = "RS256",
        header: Any = None,
        **claims: Any,
    ) -> str:
        """Mint a token that the policies permit, if its key is published."""
        issuer = FakeIssuer(
            self.url,
            key=key or key_of(algorithm),
            algorithm=algorithm,
            clock=self.broker.clock,
        )
        return issuer.token({"sub": SUB, **claims}, audience=AUDIENCE, header=header)

    def jwk(
        self, *, key: PrivateKey | None = None, algorithm: str = "RS256", **members: Any
    ) -> dict[str, Any]:
        """Give the key that verifies such a token; a member that is None is left out."""
        key = key or key_of(algorithm)
        issuer = FakeIssuer(self.url, key=key, algorithm=algorithm)
        whole = public_jwk(key, algorithm, issuer.key_id) | members
        return {name: value for name, value in whole.items() if value is not None}

    def publish(self, answer: Answer) -> None:
        """Answer with this where the key set is asked for."""
        self.publisher.answers[self.jwks_path] = answer

    def publish_well(self) -> None:
        """Publish the key that signs by default, and nothing else."""
        self.publish(document(self.jwk()))

    def discover(self, answer: Answer) -> None:
        """Answer with this where the discovery document is asked for."""
        self.publisher.answers[self.discovery_path] = answer

    def requests(self) -> list[str]:
        """List what was asked of this issuer so far."""
        own = (f"GET {self.discovery_path}", f"GET {self.jwks_path}")
        return [request for request in self.publisher.requests if request in own]


class HostileIssuers:
    """The issuers of a running broker; every test takes fresh ones."""

    def __init__(self, broker: RunningBroker, publisher: KeyPublisher) -> None:
        self.broker = broker
        self.publisher = publisher
        self._taken: dict[str, int] = {}

    def fresh(self, *, discovered: bool = False) -> HostileIssuer:
        """Take an issuer that nobody has asked for anything yet.

        Its keys are at a configured `jwks_uri`, or `discovered` at its own URL.
        """
        kind = "discovered" if discovered else "configured"
        number = self._taken[kind] = self._taken.get(kind, -1) + 1
        assert number < COUNT
        path = f"/{kind}-{number}"
        return HostileIssuer(
            url=_url(self.publisher, kind, number),
            publisher=self.publisher,
            broker=self.broker,
            discovery_path=f"{path}/.well-known/openid-configuration",
            jwks_path=f"{path}/keys",
        )


@contextmanager
def serving_hostile_issuers(folder: Path) -> Iterator[HostileIssuers]:
    """Run a broker that trusts only such issuers."""
    with (
        publishing() as publisher,
        WatchedBroker(folder, _policies(publisher)).serving() as broker,
    ):
        yield HostileIssuers(broker, publisher)


def _policies(publisher: KeyPublisher) -> str:
    issuers, policies = "issuers:\n", "policies:\n"
    for kind in ("configured", "discovered"):
        for number in range(COUNT):
            name = f"{kind}-{number}"
            url = _url(publisher, kind, number)
            issuers += _ISSUER.format(name=name, url=url, audience=AUDIENCE)
            if kind == "configured":
                issuers += f"    jwks_uri: {publisher.url}/{name}/keys\n"
            policies += _POLICY.format(name=name, sub=SUB).replace("{", "{{").replace("}", "}}")
    return _CATALOGUE + policies + issuers


def _url(publisher: KeyPublisher, kind: str, number: int) -> str:
    if kind == "configured":
        return f"https://configured-{number}.example"
    return f"{publisher.url}/discovered-{number}"
