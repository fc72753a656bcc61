"""The broker's own keys: names, schedules, and what is published (standards KS, rows 127, 129)."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from broker.core.audit import rfc3339
from broker.core.signing_keys import (
    SIGNING_ALGORITHMS,
    SigningKey,
    SigningKeySet,
    SigningSchedule,
    thumbprint,
)
from tests.core.builders import NOW

ALWAYS = SigningSchedule(publish_at=0, sign_from=0)
DAY = 86_400

# RFC 7638 §3.1, wrapped as it is there.
RFC_7638_MODULUS = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
    "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
    "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI"
    "4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)


@pytest.fixture(scope="session")
def keys(
    rsa_key: rsa.RSAPrivateKey,
    ec_key: ec.EllipticCurvePrivateKey,
    ed25519_key: ed25519.Ed25519PrivateKey,
) -> dict[str, SigningKey]:
    """One key of each algorithm, all signing."""
    return {
        "RS256": SigningKey.of(rsa_key, "RS256", ALWAYS),
        "ES256": SigningKey.of(ec_key, "ES256", ALWAYS),
        "EdDSA": SigningKey.of(ed25519_key, "EdDSA", ALWAYS),
    }


def test_the_thumbprint_of_the_rfc_s_own_key_is_the_rfc_s_own() -> None:
    jwk = {
        "kty": "RSA",
        "n": RFC_7638_MODULUS,
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }

    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
def test_a_key_is_named_by_its_thumbprint(algorithm: str, keys: dict[str, SigningKey]) -> None:
    key = keys[algorithm]
    imported: Any = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}[algorithm]

    assert key.key_id == thumbprint(key.public) == imported.import_key(key.public).thumbprint()


@pytest.mark.parametrize(
    ("algorithm", "members"),
    [
        ("RS256", {"kty", "n", "e", "use", "alg", "kid"}),
        ("ES256", {"kty", "crv", "x", "y", "use", "alg", "kid"}),
        ("EdDSA", {"kty", "crv", "x", "use", "alg", "kid"}),
    ],
)
def test_nothing_but_the_public_members_is_published(
    algorithm: str, members: set[str], keys: dict[str, SigningKey]
) -> None:
    (published,) = SigningKeySet((keys[algorithm],)).jwks(NOW)["keys"]

    assert published.keys() == members
    assert (published["use"], published["alg"]) == ("sig", algorithm)


def test_no_private_number_is_in_a_key_s_repr_or_in_the_key_set(
    keys: dict[str, SigningKey], rsa_key: rsa.RSAPrivateKey
) -> None:
    private = [str(rsa_key.private_numbers().d), "PrivateKey"]
    texts = [repr(keys), json.dumps(SigningKeySet(tuple(keys.values())).jwks(NOW))]

    assert not [text for text in texts for each in private if each in text]


@pytest.mark.parametrize("algorithm", SIGNING_ALGORITHMS)
def test_what_a_key_signs_verifies_by_what_is_published(
    algorithm: str, keys: dict[str, SigningKey]
) -> None:
    signature = keys[algorithm].sign(b"message")
    public = jwt.PyJWK(dict(keys[algorithm].public))

    assert public.Algorithm.verify(b"message", public.key, signature)
    assert not public.Algorithm.verify(b"other", public.key, signature)


def test_an_es256_signature_has_both_numbers_at_their_full_length(
    keys: dict[str, SigningKey],
) -> None:
    key = keys["ES256"]
    public = jwt.PyJWK(dict(key.public))

    # One number in 256 begins with a byte of zeros.
    signatures = [key.sign(b"message") for _ in range(1000)]

    assert {len(signature) for signature in signatures} == {64}
    assert all(public.Algorithm.verify(b"message", public.key, each) for each in signatures)


@pytest.mark.parametrize(
    ("schedule", "published", "signs"),
    [
        pytest.param(SigningSchedule(NOW, NOW), True, True, id="from this instant"),
        pytest.param(SigningSchedule(NOW + 1, NOW + 1), False, False, id="from the next"),
        pytest.param(SigningSchedule(NOW - DAY, NOW + 1), True, False, id="a standby"),
        pytest.param(SigningSchedule(0, 0, NOW + 1), True, True, id="its last second"),
        pytest.param(SigningSchedule(0, 0, NOW), True, False, id="retired"),
        pytest.param(SigningSchedule(0, 0, NOW - 1, NOW + 1), True, False, id="still verifying"),
        pytest.param(SigningSchedule(0, 0, NOW - 1, NOW), False, False, id="removed"),
        pytest.param(SigningSchedule(0, 0, None, NOW), False, False, id="removed at once"),
        pytest.param(SigningSchedule(NOW + 1, 0), False, False, id="signing before published"),
    ],
)
def test_a_schedule_says_when_a_key_is_published_and_when_it_signs(
    schedule: SigningSchedule, published: bool, signs: bool
) -> None:
    assert schedule.published(NOW) is published
    assert schedule.signs(NOW) is signs


@settings(max_examples=200, deadline=None)
@given(
    instants=st.lists(st.none() | st.integers(0, 5), min_size=4, max_size=4), now=st.integers(0, 6)
)
def test_whatever_the_schedule_a_key_that_signs_is_published(
    instants: list[int | None], now: int
) -> None:
    publish_at, sign_from, sign_until, remove_at = instants
    schedule = SigningSchedule(publish_at or 0, sign_from or 0, sign_until, remove_at)

    assert schedule.published(now) or not schedule.signs(now)


def scheduled(
    key: ec.EllipticCurvePrivateKey,
    publish_at: float,
    sign_from: float,
    sign_until: float | None = None,
    remove_at: float | None = None,
) -> SigningKey:
    schedule = SigningSchedule(publish_at, sign_from, sign_until, remove_at)
    return SigningKey.of(key, "ES256", schedule)


def test_the_key_that_began_last_signs_whatever_the_order() -> None:
    private = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]
    old = scheduled(private[0], 0, 0)
    current = scheduled(private[1], 0, NOW - 5)
    standby = scheduled(private[2], 0, NOW + 5)
    over = scheduled(private[3], 0, NOW - 1, NOW)

    for order in ((old, current, standby, over), (over, standby, current, old)):
        keys = SigningKeySet(order)
        assert keys.signing_key("ES256", NOW) is current
        assert keys.signing_key("ES256", NOW + 5) is standby
        assert keys.signing_key("RS256", NOW) is None


def test_of_keys_that_began_together_every_replica_picks_the_same() -> None:
    one, other = (scheduled(ec.generate_private_key(ec.SECP256R1()), 0, 0) for _ in range(2))
    smaller = min(one, other, key=lambda key: key.key_id)

    assert SigningKeySet((one, other)).signing_key("ES256", NOW) is smaller
    assert SigningKeySet((other, one)).signing_key("ES256", NOW) is smaller


def test_the_key_set_is_published_in_an_order_that_does_not_change(
    keys: dict[str, SigningKey],
) -> None:
    several = tuple(keys.values())

    shown = SigningKeySet(several).jwks(NOW)

    assert shown == SigningKeySet(several[::-1]).jwks(NOW)
    assert [key["kid"] for key in shown["keys"]] == sorted(key.key_id for key in several)


def test_the_algorithms_in_use_are_those_of_keys_that_sign(
    keys: dict[str, SigningKey], ec_key: ec.EllipticCurvePrivateKey
) -> None:
    standby = scheduled(ec_key, 0, NOW + 1)

    assert SigningKeySet((standby, keys["RS256"], keys["EdDSA"])).algorithms(NOW) == [
        "EdDSA",
        "RS256",
    ]
    assert SigningKeySet(()).algorithms(NOW) == []


def test_through_a_rotation_every_token_verifies_until_it_ends() -> None:
    """Publish, sign, retire, remove (standards KS-05): at no instant is a live token's key gone."""
    max_ttl, leeway = DAY, 60
    rotate_every, publish_before_use = 30 * DAY, DAY
    private = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    keys = SigningKeySet(
        tuple(
            scheduled(
                key,
                (place - 1) * rotate_every,
                place * rotate_every,
                (place + 1) * rotate_every,
                (place + 1) * rotate_every + max_ttl + leeway,
            )
            for place, key in enumerate(private)
        )
    )

    for now in range(0, 3 * rotate_every, DAY // 2):
        signing = keys.signing_key("ES256", now)
        assert signing is not None
        for later in (now, now + max_ttl // 2, now + max_ttl + leeway - 1):
            assert signing.key_id in [key["kid"] for key in keys.jwks(later)["keys"]]
        if now >= publish_before_use:
            earlier = keys.jwks(now - publish_before_use)["keys"]
            assert signing.key_id in [key["kid"] for key in earlier]


def test_a_schedule_is_shown_as_texts() -> None:
    assert SigningSchedule(NOW, NOW, NOW + 0.5).times() == {
        "publish_at": rfc3339(NOW),
        "sign_from": rfc3339(NOW),
        "sign_until": rfc3339(NOW + 0.5),
        "remove_at": None,
    }
