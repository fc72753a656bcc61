"""The configured issuer that a test's server is."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from broker.core.policy import Issuer, KeySource
from tests.issuer_keys.key_server import KeyServer


def issuer_of(
    server: KeyServer,
    name: str = "gitlab-corp",
    *,
    url: str | None = None,
    ca_file: Path | None = None,
    jwks_uri: str | None = None,
    proxy: str | None = None,
    algorithms: frozenset[str] = frozenset({"RS256", "ES256"}),
) -> Issuer:
    """Configure the server as an issuer, by its origin and with discovery unless said otherwise."""
    return Issuer(
        name=name,
        url=server.origin if url is None else url,
        audiences=frozenset({"https://broker.example"}),
        keys=KeySource(
            jwks_uri=jwks_uri,
            ca_certificates=None if ca_file is None else der(ca_file),
            proxy=proxy,
        ),
        algorithms=algorithms,
    )


def der(ca_file: Path) -> bytes:
    """Read a PEM file as the policy files do."""
    certificates = x509.load_pem_x509_certificates(ca_file.read_bytes())
    return b"".join(each.public_bytes(Encoding.DER) for each in certificates)


def issuer_with_file(document: bytes, name: str = "gitlab-corp") -> Issuer:
    """Configure an issuer whose key set is a file."""
    return Issuer(
        name=name,
        url="https://gitlab.corp.example",
        audiences=frozenset({"https://broker.example"}),
        keys=KeySource(document=document),
    )
