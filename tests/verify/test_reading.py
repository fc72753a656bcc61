"""Which tokens count, and for what every other one is refused."""

import dataclasses
import json
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.core.issuer_keys import VerificationKey
from broker.testing import FrozenClock
from broker.verify import (
    InsufficientScope,
    Reason,
    TokenRefused,
    VerifiedToken,
    Verifier,
    reading,
)
from tests.verify.publishing import (
    ALGORITHMS,
    AUDIENCE,
    NOW,
    Publisher,
    base64url,
    publishing,
    signed,
    signing_key,
    token,
)

ISSUER = "https://broker.example.com"
EXPECTED = reading.Expected(ISSUER, AUDIENCE, "at+jwt", 30)


def key_of(key_id: str) -> VerificationKey:
    for algorithm in ALGORITHMS:
        if signing_key(algorithm).key_id == key_id:
            return signing_key(algorithm).verification
    raise TokenRefused(Reason.KEY_NOT_FOUND, "no such key")


def read(text: str, now: float = NOW) -> VerifiedToken:
    return reading.read(reading.ascii_of(text), key_of, EXPECTED, now)


def refusal(text: str, now: float = NOW) -> Reason:
    with pytest.raises(TokenRefused) as refused:
        read(text, now)
    assert text[:20] not in str(refused.value)
    return refused.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_the_broker_says_who_calls(algorithm: str) -> None:
    caller = read(
        token(
            signing_key(algorithm),
            ISSUER,
            org_id="acme",
            metadata={"team": "web"},
            act={"iss": "https://gitlab.com", "sub": "project_path:a/b:ref_type:branch:ref:main"},
            policy="web-production web-any",
            workload={"platform": "gitlab", "repository": "a/b", "run_id": "7"},
        )
    )

    assert (caller.client_id, caller.subject) == ("deploy-web", "deploy-web")
    assert caller.scopes == {"deploy:read", "deploy:write"}
    assert (caller.issued_at, caller.expires_at) == (int(NOW), int(NOW) + 600)
    assert caller.token_id == "019e0000-0000-7000-8000-000000000001"
    assert caller.organization == "acme"
    assert caller.metadata == {"team": "web"}
    assert caller.actor is not None
    assert caller.actor.issuer == "https://gitlab.com"
    assert caller.policies == ("web-production", "web-any")
    assert caller.workload is not None
    assert caller.workload.platform == "gitlab"
    assert caller.workload.members == {"repository": "a/b", "run_id": "7"}


def test_what_a_token_does_not_say_is_absent() -> None:
    caller = read(token(signing_key("ES256"), ISSUER, without="scope"))

    assert caller.scopes == frozenset()
    assert caller.organization is None
    assert caller.actor is None
    assert caller.workload is None
    assert caller.metadata == {}
    assert caller.policies == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"header": {"typ": "JWT"}}, Reason.WRONG_TYPE),
        ({"header": {"typ": "AT+JWT"}}, Reason.WRONG_TYPE),
        ({"header": {"typ": None}}, Reason.WRONG_TYPE),
        ({"header": {"typ": "dpop+jwt"}}, Reason.WRONG_TYPE),
        ({"header": {"alg": "none"}}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"header": {"alg": "HS256"}}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"header": {"alg": "RS256"}}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"header": {"alg": "ES384"}}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"header": {"kid": "other"}}, Reason.KEY_NOT_FOUND),
        ({"header": {"kid": ""}}, Reason.MALFORMED_TOKEN),
        ({"header": {"kid": None}}, Reason.MALFORMED_TOKEN),
        ({"header": {"kid": "../../etc/passwd"}}, Reason.MALFORMED_TOKEN),
        ({"header": {"jku": "https://evil.example"}}, Reason.MALFORMED_TOKEN),
        ({"header": {"jwk": {}}}, Reason.MALFORMED_TOKEN),
        ({"header": {"crit": ["exp"]}}, Reason.MALFORMED_TOKEN),
        ({"header": {"b64": False}}, Reason.MALFORMED_TOKEN),
        ({"iss": "https://broker.example.com/"}, Reason.ISSUER_MISMATCH),
        ({"iss": "https://BROKER.example.com"}, Reason.ISSUER_MISMATCH),
        ({"iss": [ISSUER]}, Reason.ISSUER_MISMATCH),
        ({"without": "iss"}, Reason.ISSUER_MISMATCH),
        ({"aud": "https://billing.example.com"}, Reason.AUDIENCE_MISMATCH),
        ({"aud": AUDIENCE + "/"}, Reason.AUDIENCE_MISMATCH),
        ({"aud": [AUDIENCE]}, Reason.AUDIENCE_MISMATCH),
        ({"aud": [AUDIENCE, "https://billing.example.com"]}, Reason.AUDIENCE_MISMATCH),
        ({"without": "aud"}, Reason.AUDIENCE_MISMATCH),
        ({"token_type": "Bearer"}, Reason.WRONG_TYPE),
        ({"without": "token_type"}, Reason.WRONG_TYPE),
        ({"exp": int(NOW) - 30}, Reason.TOKEN_EXPIRED),
        ({"iat": int(NOW) + 31}, Reason.TOKEN_NOT_YET_VALID),
        ({"nbf": int(NOW) + 31}, Reason.TOKEN_NOT_YET_VALID),
        ({"exp": str(int(NOW) + 600)}, Reason.CLAIM_INVALID),
        ({"exp": NOW + 600.5}, Reason.CLAIM_INVALID),
        ({"exp": True}, Reason.CLAIM_INVALID),
        ({"exp": 2**60}, Reason.CLAIM_INVALID),
        ({"without": "exp"}, Reason.CLAIM_INVALID),
        ({"without": "iat"}, Reason.CLAIM_INVALID),
        ({"without": "nbf"}, Reason.CLAIM_INVALID),
        ({"client_id": ""}, Reason.CLAIM_INVALID),
        ({"client_id": 7}, Reason.CLAIM_INVALID),
        ({"without": "sub"}, Reason.CLAIM_INVALID),
        ({"without": "jti"}, Reason.CLAIM_INVALID),
        ({"scope": ["deploy:write"]}, Reason.CLAIM_INVALID),
        ({"scope": None}, Reason.CLAIM_INVALID),
    ],
    ids=str,
)
def test_a_near_miss_is_refused_and_says_why(change: dict[str, Any], reason: Reason) -> None:
    assert refusal(token(signing_key("ES256"), ISSUER, **change)) is reason


@pytest.mark.parametrize(
    "payload", [b"[]", b"7", b'"text"', b"{", b"", b"\xff{}", b"[" * 100_000, b"{}x"], ids=repr
)
def test_what_is_signed_and_no_object_is_malformed(payload: bytes) -> None:
    key = signing_key("ES256")
    header = {"typ": "at+jwt", "alg": key.algorithm, "kid": key.key_id}
    if len(payload) > 3000:
        payload = payload[:2900]

    assert refusal(signed(key, header, payload)) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b", "a.b.c.d", "é.b.c", "\ud800", "a" * 5000, "e30.e30.", "e30.e30.AA="],
    ids=repr,
)
def test_what_is_no_token_is_malformed_or_names_no_key(text: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        read(text)
    assert refused.value.reason in (Reason.MALFORMED_TOKEN, Reason.ALGORITHM_NOT_ALLOWED)


@pytest.mark.parametrize("nothing", [None, b"a.b.c", 7], ids=repr)
def test_what_is_no_text_is_malformed(verifier: Verifier, nothing: Any) -> None:
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(nothing)
    assert refused.value.reason is Reason.MALFORMED_TOKEN


def test_a_signature_of_another_key_does_not_hold() -> None:
    key, other = signing_key("ES256"), signing_key("ES256", "second")
    forged = token(other, ISSUER, header={"kid": key.key_id})

    assert refusal(forged) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_change_of_one_character_counts(algorithm: str, data: st.DataObject) -> None:
    good = token(signing_key(algorithm), ISSUER)
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(
        st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != good[place])
    )

    with pytest.raises(TokenRefused):
        read(good[:place] + other + good[place + 1 :])


@settings(max_examples=300, deadline=None)
@given(
    claims=st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "iat", "nbf", "sub", "scope", "client_id"]),
        st.sampled_from([None, True, 0, 1, -1, 1.5, "", "x", [], {}, [AUDIENCE], AUDIENCE, ISSUER])
        | st.integers(int(NOW) - 1000, int(NOW) + 1000),
        max_size=3,
    ),
    typ=st.sampled_from(["at+jwt", "JWT", None]),
)
def test_whatever_pyjwt_refuses_is_refused(claims: dict[str, Any], typ: str | None) -> None:
    key = signing_key("ES256")
    text = token(key, ISSUER, header={"typ": typ}, **claims)
    try:
        read(text)
    except TokenRefused:
        return
    said = jwt.decode(
        text,
        key.private_key.public_key(),
        algorithms=["ES256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        options={
            "strict_aud": True,
            "require": ["exp", "iat", "nbf"],
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
        },
    )
    assert said["exp"] + 30 > NOW >= max(said["iat"], said["nbf"]) - 30
    assert typ == "at+jwt"


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, -1, 1.5, "", "x", [], {}, AUDIENCE, ISSUER, "service", 2**53]
) | st.integers(int(NOW) - 100, int(NOW) + 100)


@settings(max_examples=500, deadline=None)
@given(
    claims=st.dictionaries(
        st.sampled_from(
            ["iss", "aud", "token_type", "exp", "iat", "nbf", "sub", "client_id", "jti", "scope"]
        ),
        VALUES,
        max_size=3,
    ),
    absent=st.sampled_from(["", "iss", "exp", "iat", "nbf", "sub", "jti", "scope"]),
)
def test_what_counts_is_what_nothing_speaks_against(claims: dict[str, Any], absent: str) -> None:
    """The quick answer and the explained one are never at odds."""
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "token_type": "service",
        "exp": int(NOW) + 60,
        "iat": int(NOW),
        "nbf": int(NOW),
        "sub": "web",
        "client_id": "web",
        "jti": "1",
        **claims,
    }
    said.pop(absent, None)

    counts = reading._counts(said, EXPECTED, NOW)
    assert counts == (reading._refusal(said, EXPECTED, NOW) is None)


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    good = token(signing_key("ES256"), ISSUER)

    for now in (NOW - 30, NOW + 629):
        assert read(good, now).client_id == "deploy-web"
    assert refusal(good, NOW - 31) is Reason.TOKEN_NOT_YET_VALID
    assert refusal(good, NOW + 630) is Reason.TOKEN_EXPIRED


def test_a_service_of_type_jwt_takes_these_alone(publisher: Publisher, clock: FrozenClock) -> None:
    verifier = Verifier(publisher.url, audience=AUDIENCE, token_type="JWT", clock=clock.now)
    key = signing_key("RS256")

    assert verifier.verify(token(key, publisher.url, header={"typ": "JWT"})).client_id
    with pytest.raises(TokenRefused):
        verifier.verify(token(key, publisher.url))


def test_scopes_are_needed_all_of_them(verifier: Verifier, publisher: Publisher) -> None:
    good = token(signing_key("ES256"), publisher.url)

    assert verifier.verify(good, "deploy:read", "deploy:write").scopes
    with pytest.raises(InsufficientScope) as refused:
        verifier.verify(good, "deploy:write", "deploy:admin")
    assert refused.value.required == "deploy:write deploy:admin"


async def test_the_same_holds_in_an_event_loop(verifier: Verifier, publisher: Publisher) -> None:
    good = token(signing_key("ES256"), publisher.url)

    for _ in range(2):
        assert (await verifier.verify_async(good, "deploy:read")).client_id == "deploy-web"
    with pytest.raises(InsufficientScope):
        await verifier.verify_async(good, "deploy:admin")
    with pytest.raises(TokenRefused):
        await verifier.verify_async("a.b.c")
    with pytest.raises(TokenRefused):
        await verifier.verify_async(good[:-8] + "AAAAAAAA")


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": "http://broker.example.com"},
        {"issuer": "https://user:secret@broker.example.com"},
        {"issuer": "broker.example.com"},
        {"issuer": "https://broker.example.com?x=1"},
        {"issuer": ""},
        {"audience": ""},
        {"token_type": "jwt"},
    ],
    ids=str,
)
def test_a_verifier_that_could_be_fooled_is_not_made(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Verifier(**{"issuer": ISSUER, "audience": AUDIENCE, **options})  # type: ignore[arg-type] # mypy takes the worst type of all


def test_a_token_that_was_verified_cannot_be_changed_by_name() -> None:
    caller = read(token(signing_key("ES256"), ISSUER))

    assert dataclasses.is_dataclass(caller)
    with pytest.raises(AttributeError):
        caller.client_id = "root"  # type: ignore[misc] # the type checker says so, too


def test_the_header_is_read_before_any_key_is_asked_for() -> None:
    asked: list[str] = []

    def note(key_id: str) -> VerificationKey:
        asked.append(key_id)
        return key_of(key_id)

    bad = base64url(json.dumps({"alg": "ES256", "kid": "x", "typ": "JWT"}).encode()) + ".e30.AA"
    with pytest.raises(TokenRefused):
        reading.read(bad.encode(), note, EXPECTED, NOW)
    assert asked == []


def test_keys_of_another_broker_do_not_count(clock: FrozenClock) -> None:
    ours, theirs = signing_key("ES256"), signing_key("ES256", "second")
    with publishing(ours) as here:
        verifier = Verifier(here.url, audience=AUDIENCE, clock=clock.now)
        with pytest.raises(TokenRefused) as refused:
            verifier.verify(token(theirs, here.url))
    assert refused.value.reason is Reason.KEY_NOT_FOUND
