import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from broker.testing import FakeIssuer, FrozenClock, github_claims
from broker.testing.jws import PrivateKey, compact_jws, generate_key

URL = "https://ci.example.com"
AUDIENCE = "https://broker.example.com"
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def issuer(rsa_key: rsa.RSAPrivateKey, clock: FrozenClock) -> FakeIssuer:
    return FakeIssuer(URL, key=rsa_key, clock=clock)


def decode(
    issuer: FakeIssuer, token: str, *, algorithms: list[str] | None = None
) -> dict[str, Any]:
    """Verify as a careful service would, through the published keys, at the issuer's own time."""
    keys = {key["kid"]: jwt.PyJWK(key) for key in issuer.jwks()["keys"]}
    header = jwt.get_unverified_header(token)
    claims: dict[str, Any] = jwt.decode(
        token,
        keys[header["kid"]],
        algorithms=algorithms or [issuer.algorithm],
        audience=AUDIENCE,
        issuer=URL,
        # The frozen clock is not this machine's.
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    return claims


def part(token: str, number: int) -> bytes:
    text = token.split(".")[number]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- right tokens ---------------------------------------------------------------------------------


def test_a_token_verifies_against_the_published_keys(issuer: FakeIssuer) -> None:
    claims = decode(issuer, issuer.token(github_claims(), audience=AUDIENCE))

    assert claims["repository"] == "acme/web"


def test_the_issuer_fills_in_what_platforms_fill_in(issuer: FakeIssuer, clock: FrozenClock) -> None:
    now = int(clock.now())
    claims = decode(issuer, issuer.token({"sub": "x"}, audience=AUDIENCE))

    jti = claims.pop("jti")
    assert len(jti) == 36
    assert claims == {
        "iss": URL, "aud": AUDIENCE, "sub": "x", "iat": now, "nbf": now - 300, "exp": now + 300,
    }  # fmt: skip


def test_every_token_has_a_jti_of_its_own(issuer: FakeIssuer) -> None:
    tokens = [issuer.token({}, audience=AUDIENCE) for _ in range(2)]

    assert len({decode(issuer, token)["jti"] for token in tokens}) == 2


def test_time_is_what_the_clock_says(issuer: FakeIssuer, clock: FrozenClock) -> None:
    before = issuer.claims({}, audience=AUDIENCE)["iat"]
    clock.advance(90.5)

    assert issuer.claims({}, audience=AUDIENCE, lifetime=60)["iat"] == before + 90
    assert issuer.claims({}, audience=AUDIENCE, lifetime=60)["exp"] == before + 150


def test_a_claim_of_ones_own_wins_and_none_removes_it(issuer: FakeIssuer) -> None:
    token = issuer.token(github_claims(jti=None, iss="https://other", exp=7), audience=AUDIENCE)

    claims = json.loads(part(token, 1))
    assert (claims["iss"], claims["exp"]) == ("https://other", 7)
    assert "jti" not in claims


def test_an_audience_may_be_a_list(issuer: FakeIssuer) -> None:
    assert decode(issuer, issuer.token({}, audience=[AUDIENCE, "b"]))["aud"] == [AUDIENCE, "b"]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_every_asymmetric_algorithm_signs(
    algorithm: str, rsa_key: rsa.RSAPrivateKey, clock: FrozenClock
) -> None:
    key: PrivateKey | None = rsa_key if algorithm[1] == "S" and algorithm[0] != "E" else None
    issuer = FakeIssuer(URL, key=key, algorithm=algorithm, clock=clock)

    assert decode(issuer, issuer.token({"sub": "x"}, audience=AUDIENCE))["sub"] == "x"


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_the_published_keys_have_no_private_member(
    algorithm: str, rsa_key: rsa.RSAPrivateKey
) -> None:
    key: PrivateKey | None = rsa_key if algorithm == "RS256" else None

    (published,) = FakeIssuer(URL, key=key, algorithm=algorithm).jwks()["keys"]

    assert PRIVATE_MEMBERS.isdisjoint(published)
    assert (published["use"], published["alg"]) == ("sig", algorithm)


def test_the_key_is_not_in_the_repr(issuer: FakeIssuer) -> None:
    assert repr(issuer) == "FakeIssuer('https://ci.example.com')"


def test_the_same_key_has_the_same_key_id(rsa_key: rsa.RSAPrivateKey) -> None:
    assert FakeIssuer(URL, key=rsa_key).key_id == FakeIssuer("http://x", key=rsa_key).key_id


def test_after_a_rotation_the_old_key_still_verifies_and_the_new_one_signs(
    clock: FrozenClock,
) -> None:
    issuer = FakeIssuer(URL, algorithm="ES256", clock=clock)
    before = issuer.token({"sub": "before"}, audience=AUDIENCE)
    old = issuer.key_id

    issuer.rotate()

    after = issuer.token({"sub": "after"}, audience=AUDIENCE)
    assert jwt.get_unverified_header(after)["kid"] == issuer.key_id != old
    assert [decode(issuer, token)["sub"] for token in (before, after)] == ["before", "after"]


def test_a_rotation_may_drop_the_old_key() -> None:
    issuer = FakeIssuer(URL, algorithm="ES256")

    issuer.rotate(keep_old=False)

    assert [key["kid"] for key in issuer.jwks()["keys"]] == [issuer.key_id]


def test_there_is_no_key_pair_for_an_hmac() -> None:
    with pytest.raises(ValueError, match="no key pair for the algorithm 'HS256'"):
        generate_key("HS256")


# --- wrong tokens are really wrong ----------------------------------------------------------------


def test_a_token_under_another_key_does_not_verify(issuer: FakeIssuer) -> None:
    stranger = generate_key("RS256")
    token = issuer.token({}, audience=AUDIENCE, key=stranger)

    with pytest.raises(jwt.InvalidSignatureError):
        decode(issuer, token)


def test_an_unsigned_token_has_no_signature(issuer: FakeIssuer) -> None:
    token = issuer.token({}, audience=AUDIENCE, algorithm="none")

    assert token.endswith(".")
    assert jwt.get_unverified_header(token)["alg"] == "none"
    with pytest.raises(jwt.PyJWTError):
        decode(issuer, token)


def test_hs256_is_keyed_with_the_public_key(issuer: FakeIssuer) -> None:
    token = issuer.token({}, audience=AUDIENCE, algorithm="HS256")

    signed, _, signature = token.rpartition(".")
    forged = compact_jws(part(token, 0), part(token, 1), algorithm="HS256", key=issuer.public_pem)
    assert (signed, signature) == forged.rpartition(".")[::2]
    with pytest.raises(jwt.PyJWTError):
        decode(issuer, token)


def test_another_algorithm_really_signs(issuer: FakeIssuer) -> None:
    token = issuer.token({}, audience=AUDIENCE, algorithm="PS256")

    with pytest.raises(jwt.InvalidAlgorithmError):
        decode(issuer, token)
    key = issuer.key
    assert isinstance(key, rsa.RSAPrivateKey)
    assert jwt.decode(
        token, key.public_key(), algorithms=["PS256"], audience=AUDIENCE,
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )  # fmt: skip


def test_a_header_may_lie_about_the_algorithm_over_a_good_signature(issuer: FakeIssuer) -> None:
    token = issuer.token({}, audience=AUDIENCE, header={"alg": "RS512"})

    with pytest.raises(jwt.PyJWTError):
        decode(issuer, token, algorithms=["RS256", "RS512"])


def test_a_header_member_may_be_added_changed_and_removed(issuer: FakeIssuer) -> None:
    header = {"kid": "../../dev/null", "jku": "https://evil.example/jwks", "typ": None}

    assert jwt.get_unverified_header(issuer.token({}, audience=AUDIENCE, header=header)) == {
        "alg": "RS256", "kid": "../../dev/null", "jku": "https://evil.example/jwks",
    }  # fmt: skip


def test_header_and_payload_may_be_any_bytes_under_a_good_signature(issuer: FakeIssuer) -> None:
    header = b'{"alg":"RS256","alg":"none","kid":"k"}'
    payload = b'\xef\xbb\xbf{"sub":"a","sub":"b"}'

    token = issuer.token({}, audience=AUDIENCE, header=header, payload=payload)

    assert (part(token, 0), part(token, 1)) == (header, payload)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("RS256", b"secret"), ("HS256", None), ("ES256", None), ("EdDSA", None)],
)
def test_a_key_that_is_not_for_the_algorithm_is_refused(
    algorithm: str, key: bytes | None, rsa_key: rsa.RSAPrivateKey
) -> None:
    with pytest.raises(ValueError, match=algorithm):
        compact_jws({}, {}, algorithm=algorithm, key=rsa_key if key is None else key)


# --- over HTTP ------------------------------------------------------------------------------------


def fetch(url: str) -> tuple[int, dict[str, Any]]:
    # Not through `httpx.get`: proxies of the environment have no business here.
    import httpx  # noqa: PLC0415

    with httpx.Client(trust_env=False, timeout=60) as client:
        answer = client.get(url)
    return answer.status_code, answer.json()


def test_discovery_leads_to_the_keys_and_requests_are_recorded(rsa_key: rsa.RSAPrivateKey) -> None:
    issuer = FakeIssuer("http://127.0.0.1:0/tenant", key=rsa_key)
    with issuer.serve() as server:
        status, discovery = fetch(f"{issuer.url}/.well-known/openid-configuration")
        assert status == 200
        assert discovery["issuer"] == issuer.url == f"{server.url}/tenant"
        assert fetch(discovery["jwks_uri"]) == (200, issuer.jwks())
        assert fetch(f"{server.url}/elsewhere")[0] == 404
        assert server.requests == [
            "GET /tenant/.well-known/openid-configuration",
            "GET /tenant/.well-known/jwks",
            "GET /elsewhere",
        ]


def test_a_public_issuer_is_served_on_loopback_under_its_own_name(
    rsa_key: rsa.RSAPrivateKey,
) -> None:
    issuer = FakeIssuer(URL, key=rsa_key)
    with issuer.serve() as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert fetch(server.jwks_uri) == (200, issuer.jwks())
        assert issuer.url == URL


def test_a_rotation_shows_at_once(rsa_key: rsa.RSAPrivateKey) -> None:
    issuer = FakeIssuer("http://127.0.0.1:0", key=rsa_key)
    with issuer.serve() as server:
        issuer.rotate(rsa.generate_private_key(public_exponent=65_537, key_size=2048))
        assert len(fetch(server.jwks_uri)[1]["keys"]) == 2


def test_an_outage_answers_with_the_status_asked_for(rsa_key: rsa.RSAPrivateKey) -> None:
    issuer = FakeIssuer("http://127.0.0.1:0", key=rsa_key)
    with issuer.serve() as server:
        server.status = 503
        assert fetch(server.jwks_uri)[0] == 503
        server.status = None
        assert fetch(server.jwks_uri)[0] == 200


def test_a_served_issuer_comes_back_under_the_same_url(rsa_key: rsa.RSAPrivateKey) -> None:
    issuer = FakeIssuer("http://127.0.0.1:0", key=rsa_key)
    with issuer.serve():
        url = issuer.url
    with issuer.serve() as server:
        assert server.url == url == issuer.url


def test_a_served_issuer_that_nobody_asks_stops_cleanly(rsa_key: rsa.RSAPrivateKey) -> None:
    with FakeIssuer("http://127.0.0.1:0", key=rsa_key).serve() as server:
        pass

    assert server.requests == []
