"""The docker command and Debian's docker-registry, with `docker-credential-broker` between them.

There is no Docker engine here, and `docker pull` and `docker login` ask one. `docker manifest
inspect` speaks with the registry itself, and gets its credential in the same way.
"""

import base64
import datetime as dt
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.consumers.conftest import Job
from tests.consumers.docker_registry import DIGEST, IMAGE, docker_registry, push
from tests.consumers.guide import in_guide
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.consumers.programs_found import program


class Realm:
    """The registry's own token server: it takes service tokens, and gives tokens for images."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "realm")])
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
            .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
            .sign(self._key, hashes.SHA256())
        )
        self.certificate_file = folder / "realm.pem"
        self.certificate_file.write_bytes(
            self._certificate.public_bytes(serialization.Encoding.PEM)
        )

    def token(self, actions: list[str]) -> str:
        now = int(time.time())
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        return jwt.encode(
            {
                "iss": "realm",
                "aud": "registry",
                "sub": "",
                "jti": "1",
                "iat": now,
                "nbf": now - 10,
                "exp": now + 300,
                "access": [{"type": "repository", "name": IMAGE, "actions": actions}],
            },
            self._key,
            algorithm="ES256",
            headers={"x5c": [base64.b64encode(der).decode()]},
        )


@dataclass
class Registry:
    host: str
    realm: LoopbackServer


@pytest.fixture
def registry(job: Job, tmp_path: Path) -> Iterator[Registry]:
    realm = Realm(tmp_path)

    def answer(request: Request) -> Answer:
        try:
            job.claims_of_basic(request.headers.get("authorization", "Basic Og=="))
        except (AssertionError, jwt.PyJWTError):
            return Answer(status=401)
        return Answer(json.dumps({"token": realm.token(["pull"])}).encode())

    with LoopbackServer(answer).serving() as server:
        configuration = {
            "auth": {
                "token": {
                    "realm": f"{server.url}/token",
                    "service": "registry",
                    "issuer": "realm",
                    "rootcertbundle": str(realm.certificate_file),
                }
            },
        }
        with docker_registry(tmp_path, configuration) as host:
            assert push(f"http://{host}", f"Bearer {realm.token(['push', 'pull'])}") == 201
            yield Registry(host, server)


def inspect(job: Job, registry: Registry, **variables: str) -> subprocess.CompletedProcess[str]:
    configuration = job.folder / "docker"
    configuration.mkdir()
    replaced = {"registry.example.com:5000": registry.host}
    helpers = in_guide("Docker", "json", replaced=replaced)
    (configuration / "config.json").write_text(helpers)
    return job.run(
        *(program("docker"), "manifest", "inspect", "--insecure", f"{registry.host}/{IMAGE}:1"),
        DOCKER_CONFIG=str(configuration),
        more=variables,
    )


def test_docker_reads_an_image_with_a_token(job: Job, registry: Registry) -> None:
    done = inspect(job, registry, BROKER_HOSTS=f"{registry.host}=deploy-api")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["config"]["digest"] == DIGEST
    (asked,) = registry.realm.requests
    claims = job.claims_of_basic(asked.headers["authorization"])
    assert claims["client_id"] == "deploy-web"
    # Older versions ask for push, too.
    assert asked.query["scope"] in (f"repository:{IMAGE}:pull", f"repository:{IMAGE}:push,pull")


def test_docker_asks_without_a_credential_for_a_registry_that_is_not_listed(
    job: Job, registry: Registry
) -> None:
    before = job.exchanges()
    done = inspect(job, registry, BROKER_HOSTS="registry.example.com=deploy-api")

    assert done.returncode == 1
    assert job.exchanges() == before
    assert {each.headers.get("authorization") for each in registry.realm.requests} == {None}
