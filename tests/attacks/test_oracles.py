"""Whatever PyJWT or joserfc refuses, the running broker refuses too.

Two libraries that others rely on judge some hundreds of mutations of a good token. They may
accept what the broker refuses; the broker accepts nothing that one of them does not.
"""

import json
import random
from collections.abc import Iterator
from typing import Any, Final

import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jwt
import pytest
from joserfc.jws import JWSRegistry

from broker.testing import gitlab_claims
from tests.attacks.compact_tokens import base64url, claims_of, decoded, header_of
from tests.attacks.presenting import WAYS
from tests.running_broker import AUDIENCE, GITLAB, NOW, RunningBroker

SEED: Final = 20_261_121
LEEWAY: Final = 60
DISTURBANCES: Final = 600

HEADERS: Final[list[dict[str, Any]]] = [
    {"alg": "none"}, {"alg": "HS256"}, {"alg": "RS512"}, {"alg": "PS256"}, {"alg": "ES256"},
    {"alg": None}, {"alg": ["RS256"]}, {"alg": "rs256"}, {"kid": None}, {"kid": "other"},
    {"kid": 1}, {"typ": None}, {"typ": "at+jwt"}, {"typ": 7}, {"crit": ["x"]}, {"crit": []},
    {"crit": ["x"], "x": 1}, {"b64": False, "crit": ["b64"]}, {"b64": False}, {"zip": "DEF"},
    {"cty": "JWT"}, {"jwk": {"kty": "oct", "k": "AA"}}, {"jku": "https://evil.example"},
    {"x5c": ["AA"]}, {"x": 1},
]  # fmt: skip
CLAIMS: Final[list[dict[str, Any]]] = [
    {"iss": None}, {"iss": "https://evil.example"}, {"iss": [GITLAB]}, {"iss": GITLAB + "/"},
    {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": ["a"]}, {"sub": {"a": 1}},
    {"aud": None}, {"aud": []}, {"aud": [AUDIENCE]}, {"aud": [AUDIENCE, "b"]}, {"aud": "b"},
    {"aud": AUDIENCE + "/"}, {"aud": {AUDIENCE: 1}}, {"aud": 7}, {"aud": AUDIENCE.upper()},
    {"exp": None}, {"exp": NOW - 61}, {"exp": int(NOW) - 60}, {"exp": int(NOW) - 59}, {"exp": 0},
    {"exp": -1}, {"exp": "1795301248"}, {"exp": True}, {"exp": 1e300}, {"exp": 10**300},
    {"exp": [1]}, {"exp": NOW + 60.5}, {"exp": float("nan")}, {"exp": float("inf")},
    {"iat": None}, {"iat": int(NOW) + 61}, {"iat": int(NOW) + 60}, {"iat": True}, {"iat": "1"},
    {"nbf": int(NOW) + 61}, {"nbf": int(NOW) + 60}, {"nbf": "x"}, {"nbf": False}, {"nbf": None},
    {"jti": None}, {"jti": ""}, {"jti": 7}, {"jti": ["a"]}, {"jti": "fixed"}, {"x": "y"}, {},
]  # fmt: skip
PAYLOADS: Final = [
    b"", b"{}", b"[]", b"null", b"7", b'"text"', b"{", b'{"a":1}{"b":2}', b"\xff\xfe{}", b"<xml/>",
]  # fmt: skip


@pytest.fixture(scope="module")
def mutations(live_broker: RunningBroker) -> list[str]:
    """Good tokens under a `reusable` issuer, so that none is refused for having been seen."""
    return list(mutated(live_broker, random.Random(SEED)))  # noqa: S311 - the same ones every time


def mutated(broker: RunningBroker, draw: random.Random) -> Iterator[str]:
    good = broker.gitlab_token()
    yield good
    for members in HEADERS:
        yield broker.gitlab.token(gitlab_claims(), audience=AUDIENCE, header=members)
        yield resigned(good, {**header_of(good), **members}, claims_of(good))
    for claims in CLAIMS:
        yield broker.gitlab_token(**claims)
        yield resigned(good, header_of(good), {**claims_of(good), **claims})
    for payload in PAYLOADS:
        yield broker.gitlab.token({}, audience=AUDIENCE, payload=payload)
    for _ in range(DISTURBANCES):
        text = disturbed(good, draw)
        if text != good:
            yield text


def resigned(token: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Other contents under the signature of a good token."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode())
    return ".".join([*map(base64url, parts), token.rpartition(".")[2]])


def disturbed(token: str, draw: random.Random) -> str:
    """One small change somewhere: in the text, or in the bytes of a part."""
    place = draw.randrange(len(token))
    kind = draw.choice(["change", "insert", "delete", "byte", "swap", "double", "cut"])
    sign = draw.choice("Ab0-_=.+/ \n%\u00e9")
    if kind == "change":
        return token[:place] + sign + token[place + 1 :]
    if kind == "insert":
        return token[:place] + sign + token[place:]
    if kind == "delete":
        return token[:place] + token[place + 1 :]
    if kind == "cut":
        return token[:place]
    parts = token.split(".")
    part = draw.randrange(3)
    if kind == "byte":
        content = bytearray(decoded(parts[part]))
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        parts[part] = base64url(bytes(content))
    elif kind == "swap":
        draw.shuffle(parts)
    else:
        parts.insert(part, parts[part])
    return ".".join(parts)


def pyjwt_accepts(broker: RunningBroker, token: str) -> bool:
    """Ask PyJWT, with every option at its strictest; the other library judges the times."""
    keys = {key["kid"]: jwt.PyJWK(key) for key in broker.gitlab.jwks()["keys"]}
    try:
        key = keys[jwt.get_unverified_header(token)["kid"]]
        jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=GITLAB,
            audience=AUDIENCE,
            options={
                "require": ["iss", "sub", "aud", "exp", "iat"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "enforce_minimum_key_length": True,
            },
        )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, UnicodeError):
        return False
    return True


def joserfc_accepts(broker: RunningBroker, token: str) -> bool:
    """Ask joserfc, at the broker's own time."""
    published: Any = broker.gitlab.jwks()
    keys = joserfc.jwk.KeySet.import_key_set(published)
    registry = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    claims = joserfc.jwt.JWTClaimsRegistry(
        now=int(NOW),
        leeway=LEEWAY,
        iss={"essential": True, "value": GITLAB},
        aud={"essential": True, "value": AUDIENCE},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        read = joserfc.jwt.decode(token, keys, registry=registry)
        claims.validate(read.claims)
    except (joserfc.errors.JoseError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return True


def broker_accepts(broker: RunningBroker, token: str) -> set[str]:
    """Name the ways in which a token is accepted."""
    accepted = set()
    for name, present in WAYS.items():
        response = present(broker, token)
        assert response.status_code in (200, 400)
        if "access_token" in response.json():
            accepted.add(name)
    return accepted


def test_the_broker_accepts_nothing_that_another_library_refuses(
    live_broker: RunningBroker, mutations: list[str]
) -> None:
    accepted = [token for token in mutations if broker_accepts(live_broker, token)]

    for token in accepted:
        assert pyjwt_accepts(live_broker, token), (header_of(token), claims_of(token))
        assert joserfc_accepts(live_broker, token), (header_of(token), claims_of(token))
    # The good token, and the harmless changes of the lists above: the rest was really refused.
    assert 5 <= len(accepted) <= 15


def test_a_token_is_accepted_in_every_way_or_in_none(
    live_broker: RunningBroker, mutations: list[str]
) -> None:
    for token in mutations[:200]:
        assert broker_accepts(live_broker, token) in (set(), set(WAYS))


def test_the_libraries_accept_what_is_good(live_broker: RunningBroker) -> None:
    token = live_broker.gitlab_token()

    assert pyjwt_accepts(live_broker, token)
    assert joserfc_accepts(live_broker, token)
