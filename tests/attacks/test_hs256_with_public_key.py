"""Attacks row 2: an HMAC keyed with the issuer's public key, as everybody can (CVE-2016-5431)."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.attacks.compact_tokens import decoded, octo_claims
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker


def public_forms(broker: RunningBroker) -> dict[str, bytes]:
    """Everything that a careless library might take for the secret."""
    private = broker.github.key
    assert isinstance(private, rsa.RSAPrivateKey)
    key = private.public_key()
    (jwk,) = broker.github.jwks()["keys"]
    return {
        "PEM": broker.github.public_pem,
        "PEM without its last line break": broker.github.public_pem.rstrip(),
        "PKCS1 PEM": key.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "DER": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "n as text": jwk["n"].encode(),
        "n": decoded(jwk["n"]),
        "JWK": json.dumps(jwk).encode(),
        "nothing": b"",
    }


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize(
    "form",
    [
        "PEM",
        "PEM without its last line break",
        "PKCS1 PEM",
        "DER",
        "n as text",
        "n",
        "JWK",
        "nothing",
    ],
)
def test_a_public_key_is_no_secret(live_broker: RunningBroker, form: str, algorithm: str) -> None:
    token = live_broker.github.token(
        octo_claims(),
        audience=AUDIENCE,
        algorithm=algorithm,
        key=public_forms(live_broker)[form],
    )

    assert_refused(live_broker, live_broker.exchange(token), "algorithm_not_allowed")


def test_an_hmac_is_refused_however_it_is_presented(
    live_broker: RunningBroker, present: Present
) -> None:
    token = live_broker.github.token(octo_claims(), audience=AUDIENCE, algorithm="HS256")

    assert_refused(live_broker, present(live_broker, token), "algorithm_not_allowed")


def test_an_hmac_does_not_pass_as_the_algorithm_of_the_key(live_broker: RunningBroker) -> None:
    token = live_broker.github.token(
        octo_claims(), audience=AUDIENCE, algorithm="HS256", header={"alg": "RS256"}
    )

    assert_refused(live_broker, live_broker.exchange(token), "signature_invalid")
