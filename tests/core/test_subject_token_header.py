"""What a token's header may say, and which key may have signed it (attacks rows 1-16)."""

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from broker.core.errors import Reason, SubjectTokenRefused
from broker.core.issuer_keys import read_jwks
from broker.core.subject_token import parse, trust
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS
from tests.core.builders import a_policy_set, an_issuer, github_claims
from tests.core.tokens import KEY_ID, Door, TokenMaker, base64url, jwks, public_jwk


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "NONE", "noNE", ""])
def test_no_algorithm_is_refused_before_any_key_is_sought(
    algorithm: str, door: Door, signed_token: TokenMaker
) -> None:
    unsigned = signed_token.of(github_claims(), {"alg": algorithm}).rpartition(".")[0] + "."

    assert door.answer_to(unsigned) is Reason.ALGORITHM_NOT_ALLOWED
    keyless = replace(door, keys=replace(door.keys, keys={}))
    assert keyless.answer_to(unsigned) is Reason.ALGORITHM_NOT_ALLOWED


def test_the_public_key_is_no_hmac_secret(
    door: Door, signed_token: TokenMaker, rsa_key: rsa.RSAPrivateKey
) -> None:
    public = rsa_key.public_key()
    modulus = public.public_numbers().n.to_bytes(256, "big")
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        modulus,
        base64url(modulus).encode(),
    ]
    for secret in secrets:
        for algorithm, digest in (("HS256", hashlib.sha256), ("RS256", hashlib.sha256)):
            signed = signed_token.of(github_claims(), {"alg": algorithm}).rpartition(".")[0]
            forged = base64url(hmac.new(secret, signed.encode(), digest).digest())
            expected = {"HS256": Reason.ALGORITHM_NOT_ALLOWED, "RS256": Reason.SIGNATURE_INVALID}
            assert door.answer_to(f"{signed}.{forged}") is expected[algorithm]


@pytest.mark.parametrize(
    "algorithm", ["HS256", "HS384", "HS512", "rs256", "RS256 ", "A256GCM", 7, None, True, ["RS256"]]
)
def test_only_asymmetric_signatures_in_exact_spelling_are_algorithms(
    algorithm: Any, door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(github_claims(), {"alg": algorithm})

    assert door.answer_to(token) is Reason.ALGORITHM_NOT_ALLOWED


def test_a_header_without_an_algorithm_is_refused(door: Door, signed_token: TokenMaker) -> None:
    token = signed_token.of(github_claims(), {"alg": ...})

    assert door.answer_to(token) is Reason.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("algorithm", sorted(ASYMMETRIC_ALGORITHMS - {"RS256", "ES256"}))
def test_an_algorithm_that_the_issuer_does_not_use_is_refused(
    algorithm: str, door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(github_claims(), {"alg": algorithm})

    assert door.answer_to(token) is Reason.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("algorithm", ["PS256", "RS512", "ES256"])
def test_a_key_serves_one_algorithm_alone(
    algorithm: str, door: Door, signed_token: TokenMaker, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    issuer = an_issuer("github", algorithms=frozenset({"RS256", "RS512", "PS256", "ES256"}))
    maker = TokenMaker(ec_key if algorithm == "ES256" else signed_token.key, algorithm)
    token = maker.of(github_claims())

    assert replace(door, issuer=issuer).answer_to(token) is Reason.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize(
    "member",
    [
        {"jwk": {"kty": "RSA"}},
        {"jku": "http://169.254.169.254/latest"},
        {"jku": "file:///etc/passwd"},
        {"x5u": "https://evil.example/chain"},
        {"x5c": ["MIIB"]},
        {"crit": ["x"], "x": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"enc": "A256GCM"},
        {"jwk": None},
    ],
)
def test_a_header_that_chooses_its_own_key_or_reading_is_malformed(
    member: dict[str, Any], door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(github_claims(), member)

    assert door.answer_to(token) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("name", ["x5t", "x5t#S256"])
@pytest.mark.parametrize("value", [None, 7, ["eCgW"], {}])
def test_a_thumbprint_that_is_no_text_is_malformed(
    name: str, value: Any, door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(github_claims(), {name: value})

    assert door.answer_to(token) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("member", [{"x5t": "eCgW"}, {"x5t#S256": "x"}, {"new": [1]}, {"apu": 1}])
def test_an_unknown_header_member_is_ignored(
    member: dict[str, Any], door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token.of(github_claims(), member)) is None


@pytest.mark.parametrize(
    "key_id",
    [
        "../../../../dev/null",
        "a/../b",
        "k1' OR 1=1--",
        "k1\r\nSET x",
        "k1\n",
        "k\x00",
        "k 1",
        "k1\u212a",
        "a" * 257,
        "a" * 10_000,
        "",
        7,
        1.5,
        True,
        None,
        ["k1"],
        {"kid": "k1"},
        ...,
    ],
)
def test_a_key_id_is_a_short_plain_text(key_id: Any, door: Door, signed_token: TokenMaker) -> None:
    token = signed_token.of(github_claims(), {"kid": key_id})

    assert door.answer_to(token) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize(
    "key_id",
    [
        "38826b17-6a30-5f9b-b169-8beb8202f723",
        "1F2AB83404C08EC9EA0BB99DAED02186B091DBF4",
        "4i3sFE7sxqNPOT7FdvcGA1ZVGGI_r-tsDXnEuYT4ZqE",
        "a+b/c==",
        "urn:key:1@host~.x",
        "a" * 256,
    ],
)
def test_key_ids_of_real_platforms_are_looked_up(
    key_id: str, door: Door, signed_token: TokenMaker
) -> None:
    known = replace(door, keys=signed_token.key_set(kid=key_id))
    token = signed_token.of(github_claims(), {"kid": key_id})

    assert known.answer_to(token) is None
    assert door.answer_to(token) is Reason.KEY_NOT_FOUND


@pytest.mark.parametrize(
    "token_type",
    ["at+jwt", "logout+jwt", "dpop+jwt", "dpop+id_token", "jwt", "JWT ", "application/jwt", "",
     None, 7, ["JWT"], "authorization-grant+jwt", "client-authentication+jwt"],
)  # fmt: skip
def test_only_a_plain_jwt_is_a_subject_token(
    token_type: Any, door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(github_claims(), {"typ": token_type})

    assert door.answer_to(token) is Reason.MALFORMED_TOKEN


def test_the_type_may_be_left_out(door: Door, signed_token: TokenMaker) -> None:
    assert door.answer_to(signed_token.of(github_claims(), {"typ": ...})) is None


@pytest.mark.parametrize(
    "issuer",
    ["https://token.actions.githubusercontent.com/", "https://broker.example", "", None, 7,
     ["https://token.actions.githubusercontent.com"], {"a": 1}, ..., "http://169.254.169.254"],
)  # fmt: skip
def test_an_issuer_that_is_not_configured_is_not_trusted(
    issuer: Any, door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(iss=issuer)) is Reason.ISSUER_NOT_TRUSTED


def test_a_token_of_the_broker_itself_is_no_subject_token(
    door: Door, signed_token: TokenMaker
) -> None:
    claims = github_claims(iss="https://broker.example")

    assert door.answer_to(signed_token.of(claims, {"typ": "at+jwt"})) is Reason.ISSUER_NOT_TRUSTED


def test_a_disabled_issuer_is_refused(door: Door, signed_token: TokenMaker) -> None:
    off = replace(door, issuer=an_issuer("github", enabled=False))

    assert off.answer_to(signed_token()) is Reason.ISSUER_DISABLED


def test_before_the_signature_holds_no_name_from_the_configuration_is_told(
    signed_token: TokenMaker,
) -> None:
    url = an_issuer("github").url
    issuers = [
        an_issuer("secret-name", url=url, enabled=False),
        an_issuer("secret-name", url=url, algorithms=frozenset({"ES256"})),
        an_issuer("secret-name", url="https://other.example"),
    ]
    for issuer in issuers:
        with pytest.raises(SubjectTokenRefused) as refused:
            trust(parse(signed_token()), a_policy_set(issuers=[issuer]))
        assert "secret-name" not in refused.value.description


def test_an_edited_payload_no_longer_carries_its_signature(
    door: Door, signed_token: TokenMaker
) -> None:
    header, _, signature = signed_token().split(".")
    _, payload, _ = signed_token(repository="evil/x").split(".")

    assert door.answer_to(f"{header}.{payload}.{signature}") is Reason.SIGNATURE_INVALID


def test_a_signature_by_another_key_does_not_hold(
    ec_door: Door, ec_signed_token: TokenMaker
) -> None:
    stranger = TokenMaker(ec.generate_private_key(ec.SECP256R1()), "ES256")

    assert ec_door.answer_to(ec_signed_token()) is None
    assert ec_door.answer_to(stranger()) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "signature",
    [b"\0" * 64, b"\xff" * 64, b"\0" * 63 + b"\1", b"\0", b"\1" * 63, b"\1" * 65, b"\0" * 128],
)
def test_a_null_or_odd_signature_does_not_hold(
    signature: bytes, ec_door: Door, ec_signed_token: TokenMaker
) -> None:
    signed = ec_signed_token().rpartition(".")[0]

    assert ec_door.answer_to(f"{signed}.{base64url(signature)}") is Reason.SIGNATURE_INVALID


def test_the_same_key_id_of_another_issuer_verifies_nothing(
    door: Door, signed_token: TokenMaker, ec_signed_token: TokenMaker
) -> None:
    token = signed_token.of(github_claims(iss="https://ci.example"))
    other = replace(door, issuer=an_issuer("ci"), keys=ec_signed_token.key_set())

    assert KEY_ID in other.keys.keys
    assert other.answer_to(token) is Reason.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
def test_ed25519_is_accepted_where_configured(
    algorithm: str, door: Door, ed25519_key: ed25519.Ed25519PrivateKey
) -> None:
    maker = TokenMaker(ed25519_key, "EdDSA")
    issuer = an_issuer("github", algorithms=frozenset({algorithm}))
    keys = read_jwks(jwks(public_jwk(ed25519_key)), issuer.algorithms)
    token = maker.of(github_claims(), {"alg": algorithm})

    assert replace(door, issuer=issuer, keys=keys).answer_to(token) is None
    assert door.answer_to(token) is Reason.ALGORITHM_NOT_ALLOWED
