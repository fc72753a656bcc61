"""Real OAuth clients get tokens by client credentials, with their defaults."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from authlib.integrations.httpx_client import (  # type: ignore[import-untyped]
    OAuth2Client,
    OAuthError,
)
from authlib.oauth2.rfc7523 import PrivateKeyJWT  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey
from jwt.algorithms import ECAlgorithm
from oauthlib.oauth2 import BackendApplicationClient  # type: ignore[import-untyped]
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session  # type: ignore[import-untyped]

from tests.client_keys import KeyPair
from tests.client_secrets import an_account, give
from tests.interop.node import run_node
from tests.running_broker import RunningBroker

SERVICE = "deploy-api"


@dataclass(frozen=True)
class Client:
    """An account with a secret and a key."""

    broker: RunningBroker
    client_id: str
    secret: str
    pair: KeyPair

    @property
    def endpoint(self) -> str:
        return f"{self.broker.url}/oauth/token"

    def check(self, answer: dict[str, Any]) -> None:
        assert answer["service_account"] == self.client_id
        assert answer["token_type"].lower() == "bearer"
        assert answer["expires_in"] == 600
        assert "refresh_token" not in answer

    def node(self, script: str) -> dict[str, Any]:
        assert isinstance(self.pair.key, ec.EllipticCurvePrivateKey)
        jwk = ECAlgorithm.to_jwk(self.pair.key, as_dict=True) | {"kid": self.pair.key_id}
        text = json.dumps({"secret": self.secret, "jwk": {**jwk, "key_ops": ["sign"]}})
        return run_node(script, self.broker.url, SERVICE, self.client_id, stdin=text)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Run a broker at the time that the clients' own clocks show."""
    pair = KeyPair.made()
    with RunningBroker(tmp_path_factory.mktemp("broker"), now=time.time()).serving() as broker:
        account = an_account(jwks=pair.jwks())
        yield Client(broker, account.client_id, give(broker, account), pair)


@pytest.mark.parametrize("method", [None, "client_secret_basic", "client_secret_post"])
def test_authlib(client: Client, method: str | None) -> None:
    given = {} if method is None else {"token_endpoint_auth_method": method}
    with OAuth2Client(client.client_id, client.secret, trust_env=False, **given) as session:
        token = session.fetch_token(
            client.endpoint, grant_type="client_credentials", audience=SERVICE
        )

    client.check(token)


def test_authlib_with_a_key_is_told_what_to_name_and_how_long_to_live(client: Client) -> None:
    """By default it names the endpoint, and lets an assertion live for an hour."""
    pem = client.pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def fetched(audience: str, **claims: int) -> dict[str, Any]:
        with OAuth2Client(
            client.client_id,
            ECKey.import_key(pem),
            token_endpoint_auth_method="private_key_jwt",
            trust_env=False,
        ) as session:
            way = PrivateKeyJWT(audience, alg="ES256", claims=dict(claims))
            session.register_client_auth_method(way)
            token: dict[str, Any] = session.fetch_token(
                client.endpoint, grant_type="client_credentials", audience=SERVICE
            )
        return token

    soon = int(client.broker.clock.now()) + 60
    with pytest.raises(OAuthError, match=f"sole audience {client.broker.url}$"):
        fetched(client.endpoint, exp=soon)
    with pytest.raises(OAuthError, match="300 seconds at most"):
        fetched(client.broker.url)
    client.check(fetched(client.broker.url, exp=soon))


@pytest.mark.parametrize("way", ["by default", "Basic"])
def test_requests_oauthlib(client: Client, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # It insists on https, which this broker leaves to a proxy.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with OAuth2Session(client=BackendApplicationClient(client_id=client.client_id)) as session:
        session.trust_env = False
        sent: dict[str, Any] = {"client_id": client.client_id, "client_secret": client.secret}
        if way == "Basic":
            sent = {"auth": HTTPBasicAuth(client.client_id, client.secret)}
        token = session.fetch_token(client.endpoint, audience=SERVICE, **sent)

    client.check(token)


def test_oauth4webapi(client: Client) -> None:
    answer = client.node("oauth4webapi_client.mjs")

    for way in ("client_secret_basic", "client_secret_post", "private_key_jwt"):
        client.check(answer["told"][way])
        assert way in answer["methods"]
    assert answer["told"]["wrong_secret"]["error"] == "invalid_client"


def test_openid_client(client: Client) -> None:
    for answer in client.node("openid_client_client.mjs").values():
        client.check(answer)
