"""Debian's docker-registry and the broker's tokens: behind Apache, and why not by itself.

The configuration of Apache is examples/services/apache/registry.conf.
"""

import base64
import datetime as dt
import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker.core.signing_keys import SigningKey
from tests.consumers.docker_registry import DIGEST, IMAGE, docker_registry, pull, push
from tests.consumers.programs_found import program
from tests.interop.near_misses import ISSUER, at_now, near_misses
from tests.issuer_keys.certificates import Authority
from tests.parties.apache import apache
from tests.parties.broker_at_work import BrokerAtWork
from tests.parties.keys_over_tls import keys_over_tls
from tests.verify.publishing import Publisher, signing_key

AUDIENCE = "https://registry.example.com"
# As docs/reference/interop.md says of mod_auth_openidc.
LET_IN = {"not yet valid"}
SERVICE = {"aud": AUDIENCE, "scope": "registry:pull registry:push"}


@contextmanager
def behind_apache(folder: Path, authority: Authority, keys: str, issuer: str) -> Iterator[str]:
    with (
        docker_registry(folder, {}) as host,
        keys_over_tls(authority.server, keys) as over_tls,
    ):
        replaced = {
            f"{ISSUER}/.well-known/jwks.json": over_tls.url,
            ISSUER: issuer,
            "127.0.0.1:5000": host,
        }
        with apache("registry", authority.ca_file, replaced) as server:
            yield server.url


def as_password(token: str) -> str:
    """Present a token as `docker login` and `docker-credential-broker` have it presented."""
    return "Basic " + base64.b64encode(f"oauth2:{token}".encode()).decode()


def test_a_job_pushes_and_pulls_what_its_token_is_for(
    tmp_path: Path, authority: Authority, broker: BrokerAtWork
) -> None:
    with behind_apache(tmp_path, authority, broker.url, broker.url) as registry:
        pulls = as_password(broker.token("images", "registry:pull"))
        pushes = as_password(broker.token("images"))

        assert push(registry, pulls) == 401
        assert pull(registry, pulls) == 404
        assert push(registry, pushes) == 201
        assert pull(registry, pulls) == 200
        assert pull(registry, pushes) == 200
        assert pull(registry, as_password(broker.token("store"))) == 401

        host, password = registry.removeprefix("http://"), pulls.removeprefix("Basic ")
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": password}}}))
        done = subprocess.run(
            [program("docker"), "manifest", "inspect", "--insecure", f"{host}/{IMAGE}:1"],
            env={"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["config"]["digest"] == DIGEST


def test_near_misses_neither_push_nor_pull(
    tmp_path: Path, authority: Authority, publisher: Publisher
) -> None:
    with behind_apache(tmp_path, authority, publisher.url, ISSUER) as registry:
        assert push(registry, as_password(at_now(signing_key("RS256"), **SERVICE))) == 201
        misses = {
            name: as_password(token) for name, token in near_misses("RS256", **SERVICE).items()
        }
        for request in (push, pull):
            answered = {name: request(registry, token) for name, token in misses.items()}

            assert {name for name, status in answered.items() if status != 401} == LET_IN


def test_the_registry_is_not_asked_without_a_token_by_any_method(
    tmp_path: Path, authority: Authority, publisher: Publisher
) -> None:
    with behind_apache(tmp_path, authority, publisher.url, ISSUER) as registry:
        for method in ("OPTIONS", "GET", "HEAD", "PUT", "DELETE"):
            for sent in ({}, {"Authorization": "Bearer x"}):
                answer = httpx.request(
                    method, f"{registry}/v2/_catalog", headers=sent, trust_env=False, timeout=60
                )

                assert answer.status_code in (401, 403), (method, sent)


# --- by itself ------------------------------------------------------------------------------------


def libtrust_id(key: SigningKey) -> str:
    """Name a key as the registry does: 240 bits of SHA-256 of it, in groups of four letters."""
    der = key.private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    letters = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def certificate_of(key: SigningKey) -> bytes:
    """Certify the key by itself, which a broker's operator cannot: the key never leaves it."""
    private = key.private_key
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .sign(private, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def test_its_own_token_authentication_knows_no_key_by_the_name_that_the_broker_gives_it(
    tmp_path: Path,
) -> None:
    key = signing_key("ES256")
    (tmp_path / "broker.pem").write_bytes(certificate_of(key))
    token_authentication = {
        "realm": "https://broker.example.com",
        "service": AUDIENCE,
        "issuer": ISSUER,
        "rootcertbundle": str(tmp_path / "broker.pem"),
    }
    access = [{"type": "repository", "name": IMAGE, "actions": ["push", "pull"]}]
    with docker_registry(tmp_path, {"auth": {"token": token_authentication}}) as host:
        ours = at_now(key, **SERVICE)
        with_access = at_now(key, **SERVICE, access=access)
        renamed = at_now(key, **SERVICE, access=access, header={"kid": libtrust_id(key)})

        assert push(f"http://{host}", f"Bearer {ours}") == 401
        assert push(f"http://{host}", f"Bearer {with_access}") == 401
        assert push(f"http://{host}", f"Bearer {renamed}") == 201
    assert "untrusted key" in (tmp_path / "registry.log").read_text()
