"""What a JWKS document may hold: any bytes, and keys of every kind (attacks rows 4, 13, 31)."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.issuer_keys import (
    MAX_DOCUMENT_BYTES,
    MAX_KEYS,
    IssuerKeySet,
    KeysRefused,
    read_jwks,
    read_uploaded_jwks,
)
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS
from tests.issuer_keys.jwks import (
    base64url,
    document,
    ec_jwk,
    ed25519_jwk,
    rsa_jwk,
    rsa_key,
    rsa_private_key,
)

EVERY_ALGORITHM = frozenset(ASYMMETRIC_ALGORITHMS)

# JSON that not even the strict reader takes, with what it takes.
_ODD = st.sampled_from([float("nan"), float("inf"), "\ud800", 10**400])

# Members of hostile keys: values that mean something at some place, at every place.
_VALUES = st.one_of(
    st.sampled_from(["RSA", "EC", "OKP", "oct", "sig", "enc", "RS256", "ES256", "HS256", "none"]),
    st.sampled_from(["P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519"]),
    st.sampled_from(["AQAB", "AQ", "Aw", "", "A" * 43, "A" * 43 + "=", "_" * 342, "A" * 4000]),
    st.sampled_from(["ü", "k1"]),
    st.sampled_from([rsa_jwk(rsa_key())["n"], rsa_jwk(rsa_key())["n"] + "AAAA"]),
    st.text(max_size=50),
    st.text("ABCabc019-_=", max_size=90),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.sampled_from(["verify", "sign", "encrypt", ""]), max_size=3),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
_NAMES = st.sampled_from(
    ["kty", "kid", "use", "key_ops", "alg", "n", "e", "d", "p", "crv", "x", "y", "x5c", "k"]
)
_GOOD = st.just(rsa_jwk(rsa_key()))
_HOSTILE = st.dictionaries(_NAMES, _VALUES, max_size=12)
_JWK = st.builds(dict.__or__, _GOOD, _HOSTILE) | _HOSTILE | _VALUES


def read(content: bytes) -> IssuerKeySet | None:
    """Read a document as the fetch does; anything raised but `KeysRefused` fails the test."""
    try:
        return read_jwks(content, EVERY_ALGORITHM)
    except KeysRefused:
        return None


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_keys_or_are_refused(content: bytes) -> None:
    assert read(content) is None


@settings(deadline=None)
@given(
    st.recursive(
        _VALUES | _ODD, lambda inner: st.dictionaries(st.just("keys"), inner) | st.lists(inner)
    )
)
def test_any_json_is_keys_or_is_refused(value: Any) -> None:
    read(json.dumps(value).encode())


@settings(deadline=None, max_examples=500)
@given(st.lists(_JWK, max_size=4))
def test_any_keys_are_read_or_skipped_and_never_verify_anything(entries: list[Any]) -> None:
    held = read(document(*entries))

    for key in held.keys.values() if held else ():
        assert not key.verifies(b"header.payload", b"signature")


@settings(deadline=None)
@given(st.lists(_JWK, max_size=4))
def test_a_good_key_is_found_among_any_others(entries: list[Any]) -> None:
    others = [
        each for each in entries if not (isinstance(each, dict) and each.get("kid") == "good")
    ]
    content = document(rsa_jwk(rsa_key(), "good"), *others)

    assert read_jwks(content, EVERY_ALGORITHM).keys["good"].algorithm == "RS256"


@settings(deadline=None)
@given(st.integers(0, 400), st.binary(max_size=4))
def test_a_damaged_document_is_keys_or_is_refused(position: int, damage: bytes) -> None:
    content = document(rsa_jwk(rsa_key()))

    read(content[:position] + damage + content[position + 1 :])


def curve_key(curve: ec.EllipticCurve) -> ec.EllipticCurvePublicKey:
    return ec.generate_private_key(curve).public_key()


@pytest.mark.parametrize(
    ("stated", "allowed", "bound"),
    [
        (None, {"RS256", "ES256"}, "RS256"),
        ("RS256", {"RS256", "ES256"}, "RS256"),
        ("RS512", {"RS256", "ES256"}, None),
        ("RS512", {"RS256", "RS512"}, "RS512"),
        ("PS256", {"RS256"}, None),
        (None, {"PS256"}, "PS256"),
        ("ES256", {"RS256", "ES256"}, None),
        ("HS256", {"RS256"}, None),
        ("none", {"RS256"}, None),
        ("rs256", {"RS256"}, None),
        (["RS256"], {"RS256"}, None),
        ("", {"RS256"}, None),
    ],
)
def test_a_key_is_bound_to_one_algorithm(
    stated: object, allowed: set[str], bound: str | None
) -> None:
    """Attacks row 4."""
    jwk = rsa_jwk(rsa_key()) | ({} if stated is None else {"alg": stated})

    if bound is None:
        with pytest.raises(KeysRefused, match="none of the issuer's algorithms"):
            read_jwks(document(jwk), allowed)
    else:
        assert read_jwks(document(jwk), allowed).keys["k1"].algorithm == bound


@pytest.mark.parametrize(
    ("curve", "bound"),
    [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")],
)
def test_a_curve_has_one_algorithm(curve: ec.EllipticCurve, bound: str) -> None:
    jwk = ec_jwk(curve_key(curve))

    assert read_jwks(document(jwk), EVERY_ALGORITHM).keys["k1"].algorithm == bound
    for other in EVERY_ALGORITHM - {bound}:
        with pytest.raises(KeysRefused):
            read_jwks(document(jwk | {"alg": other}), EVERY_ALGORITHM)


@pytest.mark.parametrize(
    ("stated", "allowed", "bound"),
    [
        (None, EVERY_ALGORITHM, "EdDSA"),
        ("EdDSA", EVERY_ALGORITHM, "EdDSA"),
        ("Ed25519", EVERY_ALGORITHM, "Ed25519"),
        (None, {"Ed25519"}, "Ed25519"),
        (None, {"RS256", "ES256"}, None),
        ("EdDSA", {"RS256", "ES256"}, None),
    ],
)
def test_ed25519_is_used_only_where_the_issuer_may_sign_with_it(
    stated: str | None, allowed: frozenset[str], bound: str | None
) -> None:
    public_key = ed25519.Ed25519PrivateKey.generate().public_key()
    jwk = ed25519_jwk(public_key) | ({} if stated is None else {"alg": stated})
    content = document(jwk, rsa_jwk(rsa_key(), "good") | {"alg": "RS256"})

    held = read_jwks(content, allowed | {"RS256"})

    assert (held.keys["k1"].algorithm if "k1" in held.keys else None) == bound


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_key_verifies_what_its_private_part_signed_and_nothing_else(algorithm: str) -> None:
    """Attacks rows 15 and 16."""
    on_curve = ec.generate_private_key(ec.SECP256R1())
    edwards = ed25519.Ed25519PrivateKey.generate()
    private, jwk = {
        "RS256": (rsa_private_key(), rsa_jwk(rsa_key())),
        "ES256": (on_curve, ec_jwk(on_curve.public_key())),
        "EdDSA": (edwards, ed25519_jwk(edwards.public_key())),
    }[algorithm]
    key = read_jwks(document(jwk), {algorithm}).keys["k1"]
    signature = key.verifier.sign(b"signed", private)

    assert key.verifies(b"signed", signature)
    assert not key.verifies(b"signed!", signature)
    for other in (b"", signature[:-1], signature + b"\0", bytes(len(signature)), b"\xff" * 64):
        assert not key.verifies(b"signed", other)


def weak_rsa() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=1024)  # noqa: S505 - the attack
    return rsa_jwk(key.public_key())


def off_curve() -> dict[str, Any]:
    return ec_jwk(curve_key(ec.SECP256R1())) | {"x": base64url(1, 32), "y": base64url(1, 32)}


def foreign_curve() -> dict[str, Any]:
    return ec_jwk(curve_key(ec.SECP256R1())) | {"crv": "secp256k1"}


@pytest.mark.parametrize(
    ("jwk", "why"),
    [
        (weak_rsa, "weak: 1024 bits"),
        (lambda: rsa_jwk(rsa_key(), e="Aw"), "weak: public exponent 3"),
        (lambda: rsa_jwk(rsa_key(), e="AQ"), "cannot be read"),
        (lambda: rsa_jwk(rsa_key(), e=""), "cannot be read"),
        (lambda: rsa_jwk(rsa_key(), use="enc"), "not for signatures"),
        (lambda: rsa_jwk(rsa_key(), use=None), "not for signatures"),
        (lambda: rsa_jwk(rsa_key(), key_ops=["encrypt"]), "not for verifying"),
        (lambda: rsa_jwk(rsa_key(), key_ops="verify"), "not for verifying"),
        (lambda: rsa_jwk(rsa_key(), key_ops={"verify": 1}), "not for verifying"),
        (lambda: rsa_jwk(rsa_key(), key_id=""), "no usable 'kid'"),
        (lambda: rsa_jwk(rsa_key(), key_id="k" * 257), "no usable 'kid'"),
        (lambda: rsa_jwk(rsa_key(), kid=1), "no usable 'kid'"),
        (lambda: rsa_jwk(rsa_key(), kid=["k1"]), "no usable 'kid'"),
        (lambda: {"kid": "k1", "kty": "oct", "k": "c2VjcmV0"}, "unusable type"),
        (lambda: {"kid": "k1", "kty": "EC"}, "cannot be read"),
        (lambda: {"kid": "k1", "kty": "RSA"}, "cannot be read"),
        (lambda: {"kid": "k1", "kty": "OKP", "crv": "X25519", "x": "A" * 43}, "cannot be read"),
        (lambda: {"kid": "k1", "kty": "OKP", "crv": "Ed448", "x": "A" * 76}, "none of the issuer"),
        (off_curve, "cannot be read"),
        (foreign_curve, "cannot be read"),
        (lambda: rsa_jwk(rsa_key(), d="AQAB"), "published with its private part"),
        (lambda: rsa_jwk(rsa_key(), p="AQAB"), "published with its private part"),
        (lambda: ec_jwk(curve_key(ec.SECP256R1()), d="AQ"), "published with its private part"),
        (lambda: "k1", "not an object"),
        (lambda: None, "not an object"),
    ],
)
def test_an_unusable_key_is_skipped_and_the_others_stay(jwk: Callable[[], Any], why: str) -> None:
    """Attacks row 13."""
    held = read_jwks(document(jwk(), rsa_jwk(rsa_key(), "good")), EVERY_ALGORITHM)

    assert set(held.keys) == {"good"}
    (sentence,) = held.skipped
    assert why in sentence


def test_a_key_id_that_appears_twice_means_no_key() -> None:
    """Attacks row 13: whichever of the two were used, the other could be meant."""
    twice = [rsa_jwk(rsa_key(), "twice"), ec_jwk(curve_key(ec.SECP256R1()), "twice")]

    held = read_jwks(document(*twice, rsa_jwk(rsa_key(), "good")), EVERY_ALGORITHM)

    assert set(held.keys) == {"good"}
    assert held.skipped == ("key 'twice' appears twice",) * 2


def test_a_document_over_the_largest_size_is_refused() -> None:
    good = document(rsa_jwk(rsa_key()))

    assert read_jwks(good.ljust(MAX_DOCUMENT_BYTES), EVERY_ALGORITHM).keys
    with pytest.raises(KeysRefused, match="larger than 262144 bytes"):
        read_jwks(good.ljust(MAX_DOCUMENT_BYTES + 1), EVERY_ALGORITHM)


def test_a_set_of_too_many_keys_is_refused() -> None:
    many = [rsa_jwk(rsa_key(), f"k{number}") for number in range(MAX_KEYS + 1)]

    assert len(read_jwks(document(*many[1:]), EVERY_ALGORITHM).keys) == MAX_KEYS
    with pytest.raises(KeysRefused, match="51 keys"):
        read_jwks(document(*many), EVERY_ALGORITHM)


def test_what_a_key_id_says_cannot_break_a_log_line() -> None:
    jwk = rsa_jwk(rsa_key(), "k\r\nERROR forged", use="enc")

    held = read_jwks(document(jwk, rsa_jwk(rsa_key(), "good")), EVERY_ALGORITHM)

    assert held.skipped[0].isprintable()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "unreadable: not JSON", id="nothing"),
        pytest.param(b"<html></html>", "unreadable: not JSON", id="HTML"),
        pytest.param(document(rsa_jwk(rsa_key()))[:-9], "unreadable: not JSON", id="truncated"),
        pytest.param(b"[]", "unreadable: not a JSON object", id="a list"),
        pytest.param(b'{"keys":[],"keys":[]}', "unreadable: a member name", id="a duplicate"),
        pytest.param(b"{}", "no list 'keys'", id="an object without keys"),
        pytest.param(b'{"keys":{}}', "no list 'keys'", id="keys that are no list"),
        pytest.param(b'{"keys":[]}', "holds no usable key", id="an empty set"),
        pytest.param(document({"kty": "RSA"}), "no usable 'kid'", id="a key without kid alone"),
        pytest.param(document(*["x"] * 9), "; an entry is not an object", id="junk alone"),
    ],
)
def test_a_document_without_a_usable_key_is_refused(content: bytes, why: str) -> None:
    """Attacks row 31: what is refused here never replaces the last good set."""
    with pytest.raises(KeysRefused, match=re.escape(why)) as refused:
        read_jwks(content, EVERY_ALGORITHM)

    assert str(refused.value).count(";") <= 5


def test_a_key_id_of_the_greatest_length_is_usable() -> None:
    assert set(read_jwks(document(rsa_jwk(rsa_key(), "k" * 256)), {"RS256"}).keys) == {"k" * 256}


def test_keys_that_are_equal_to_no_name_do_not_confuse_the_count() -> None:
    content = document({"kid": ["k1"], "kty": "RSA"}, {"kid": {}, "kty": 1}, rsa_jwk(rsa_key()))

    assert set(read_jwks(content, EVERY_ALGORITHM).keys) == {"k1"}


@pytest.mark.parametrize("bits", [16_384, 20_000])
def test_an_enormous_key_verifies_nothing_and_raises_nothing(bits: int) -> None:
    jwk = rsa_jwk(rsa_key()) | {"n": base64url((1 << bits) - 1)}

    key = read_jwks(document(jwk), {"RS256"}).keys["k1"]

    assert not key.verifies(b"signed", bytes(bits // 8))


# RFC 8032 §5.1: the identity, its opposite, and points of order 4 and 8, with either sign of x.
SMALL_ORDER = [
    bytes([1]) + bytes(31),
    bytes(32),
    bytes(31) + b"\x80",
    b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    b"\xed" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 30 + b"\x7f",
]


@pytest.mark.parametrize("point", SMALL_ORDER, ids=bytes.hex)
def test_an_ed25519_key_of_small_order_is_skipped(point: bytes) -> None:
    """Under such a key one signature verifies for every text (attacks row 13)."""
    jwk = ed25519_jwk(ed25519.Ed25519PrivateKey.generate().public_key())
    jwk["x"] = base64url(int.from_bytes(point, "big"), 32)

    held = read_jwks(document(jwk, rsa_jwk(rsa_key(), "good")), EVERY_ALGORITHM)

    assert set(held.keys) == {"good"}
    assert held.skipped in (
        ("key 'k1' is weak: a point of small order",),
        ("key 'k1' cannot be read",),
    )


# --- what an operator hands over ------------------------------------------------------------------


def test_uploaded_public_keys_are_read_as_fetched_ones_are() -> None:
    text = document(rsa_jwk(rsa_key(), "k1"), rsa_jwk(rsa_key(), "k2", use="enc"), "odd")

    uploaded, fetched = (read(text, ["RS256"]) for read in (read_uploaded_jwks, read_jwks))
    assert (list(uploaded.keys), uploaded.skipped) == (list(fetched.keys), fetched.skipped)
    with pytest.raises(KeysRefused, match="no usable key"):
        read_uploaded_jwks(document(), ["RS256"])


@given(
    member=st.sampled_from(["d", "p", "q", "dp", "dq", "qi", "oth", "k"]),
    value=st.none() | st.text(max_size=3) | st.lists(st.none(), max_size=1),
    kty=st.sampled_from(["RSA", "EC", "OKP", "oct", "x"]),
)
def test_a_private_part_anywhere_refuses_an_upload_whole(
    member: str, value: object, kty: str
) -> None:
    private = {"kty": kty, "kid": "k2", member: value}

    with pytest.raises(KeysRefused, match="private part") as refused:
        read_uploaded_jwks(document(rsa_jwk(rsa_key(), "k1"), private), ["RS256"])
    assert "k2" not in str(refused.value)
