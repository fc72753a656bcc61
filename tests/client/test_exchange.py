"""How the answers of a broker are read: as a sound token, or as an error that says what it is."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client import BrokerTrouble, ClientError, IdentityExpired, Misuse, Refused
from broker.client.exchange import (
    Wanted,
    _service_token,
    default_audience,
    explain,
    refused_by,
    revoke,
)
from broker.client.http import Answer as Read
from broker.client.http import new_client
from broker.client.identity import is_jwt, job_claims, unverified_claims
from broker.client.refusal import told
from broker.client.service_token import ServiceToken
from tests.client.stand_in import (
    a_token,
    an_id_token,
    answering,
    as_json,
    refusal,
    source_at,
    trouble,
)
from tests.consumers.loopback_server import Answer, Request

DECISION = "01a20b88-c550-7c2b-869f-de7a5e664017"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = (
    "access_token", "token_type", "expires_in", "scope", "service_account", "token_id",
    "issued_token_type", "error", "error_description", "reason", "decision_id", "error_uri",
    "conditions",
    "service_accounts", "code", "detail",
)  # fmt: skip
SOUND = {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 60}
ANSWERS = st.one_of(
    JSON,
    st.dictionaries(st.sampled_from(NAMES), JSON),
    st.dictionaries(st.sampled_from(NAMES), JSON).map(lambda members: SOUND | members),
).map(lambda value: json.dumps(value).encode())
BODIES = st.one_of(ANSWERS, st.binary(max_size=60))


@given(body=BODIES)
def test_any_answer_with_200_is_a_sound_token_or_trouble(body: bytes) -> None:
    try:
        token = _service_token(
            Read("the broker", 200, {}, body), "https://broker.example.com", 1000.0
        )
    except BrokerTrouble:
        return
    assert token.access_token.isascii()
    assert token.access_token.isprintable()
    assert token.access_token.strip() == token.access_token
    assert token.access_token
    assert (token.token_type, token.expires_at) == ("Bearer", 1000 + token.expires_in)
    assert 0 < token.expires_in <= 7 * 86_400
    shown = token.scope + token.service_account + token.token_id + token.issued_token_type
    assert shown.isprintable()


@given(body=BODIES, status=st.sampled_from([204, 400, 401, 403, 404, 418]))
def test_any_other_answer_is_a_refusal_or_trouble(body: bytes, status: int) -> None:
    error = refused_by(Read("the broker", status, {}, body))

    assert isinstance(error, Refused | BrokerTrouble)
    assert all(line.isprintable() for line in told(error).split("\n"))


@pytest.mark.parametrize(
    "members",
    [
        {"access_token": None}, {"access_token": ""}, {"access_token": 5},
        {"access_token": "two words"}, {"access_token": "one\nX-Other: two"},
        {"access_token": "t\u00f6ken"}, {"token_type": "mac"}, {"token_type": None},
        {"token_type": ["Bearer"]}, {"expires_in": "600"}, {"expires_in": 0}, {"expires_in": -1},
        {"expires_in": True}, {"expires_in": 600.0}, {"expires_in": None}, {"expires_in": 10**9},
    ],
)  # fmt: skip
def test_an_answer_without_a_token_that_could_be_used_is_trouble(
    members: dict[str, object],
) -> None:
    with answering(as_json(SOUND | members)) as server:
        with source_at(server.url) as source, pytest.raises(BrokerTrouble) as failed:
            source.token()

        assert len(server.requests) == 1
    assert failed.value.exit_code == 5


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"token"', b"{", b'{"access_token": "a", "access_token": "b"}', b"\xff"],
)
def test_garbage_is_trouble(body: bytes) -> None:
    with (
        answering(Answer(body)) as server,
        source_at(server.url) as source,
        pytest.raises(BrokerTrouble),
    ):
        source.token()


def test_what_is_missing_is_empty() -> None:
    with answering(a_token("one", 60, scope=["a"])) as server, source_at(server.url) as source:
        began = int(time.time())
        token = source.token()

    assert began + 60 <= token.expires_at <= time.time() + 60
    assert token == ServiceToken("one", "Bearer", 60, token.expires_at)


def test_a_refusal_is_told_with_all_that_helps() -> None:
    answer = refusal(
        reason="ambiguous_account",
        decision_id=DECISION,
        error_uri=f"https://broker.example.com/d/{DECISION}",
        conditions=[{"claim": "ref", "operator": "equals", "expected": "main", "got": None}, "x"],
        service_accounts=["deploy-web", "deploy-api"],
    )
    id_token = an_id_token(repository="octo-org/octo-repo", ref=5, user_email="a@b.example")
    with (
        answering(answer) as server,
        source_at(server.url, environment={"BROKER_ID_TOKEN": id_token}) as source,
        pytest.raises(Refused) as refused,
    ):
        source.token()

    assert told(refused.value).split("\n") == [
        "the broker refused: no policy fits",
        "Name the one you mean: --service-account.",
        "service accounts that fit: deploy-web, deploy-api",
        "what the nearest policy asks for, and this job has not:",
        '  ref: equals "main", got nothing',
        "what this job's ID token says:",
        "  iss         https://ci.example",
        "  sub         job",
        "  repository  octo-org/octo-repo",
        "  ref         5",
        "reason: ambiguous_account",
        f"decision_id: {DECISION} (whoever runs the broker can look it up)",
        f"link: https://broker.example.com/d/{DECISION}",
    ]


@pytest.mark.parametrize(
    "uri",
    [
        None,
        7,
        f"https://broker.example.com/d/{DECISION.replace('0', '1')}",
        f"https://broker.example.com/d/{DECISION}?next=https://evil.example",
        f"javascript:alert(1)//d/{DECISION}",
        f"https://user@evil.example/d/{DECISION}",
        f"https://evil.example/\x1b[2K/d/{DECISION}",
        f"https://broker.example.com/d/{DECISION}\n::error::forged",
        "https://evil.example/log-in",
    ],
)
def test_a_link_that_is_not_to_the_decision_is_not_shown(uri: object) -> None:
    body = {"error": "invalid_request", "decision_id": DECISION, "error_uri": uri}

    refused = refused_by(Read("the broker", 400, {}, json.dumps(body).encode()))

    assert isinstance(refused, Refused)
    assert refused.error_uri == ""
    assert "link:" not in told(refused)


def test_an_id_token_that_is_over_and_the_only_one_is_told_as_such() -> None:
    with (
        answering(refusal(reason="token_expired")) as server,
        source_at(server.url) as source,
        pytest.raises(IdentityExpired, match="gives it no other") as expired,
    ):
        source.token()

    assert expired.value.exit_code == 6


# --- the audience of ID tokens ------------------------------------------------------------------


def found(members: object, status: int = 200) -> str | ClientError:
    """Give the audience that a broker with such metadata has ID tokens made for."""

    def answer(request: Request) -> Answer:
        text = json.dumps(members).replace("HERE", f"http://{request.headers['host']}")
        return Answer(text.encode(), status)

    with answering(answer) as server, new_client() as client:
        try:
            return default_audience(client, server.url).replace(server.url, "HERE")
        except ClientError as error:
            return error


@pytest.mark.parametrize(
    ("members", "audience"),
    [
        ({"issuer": "HERE", "subject_token_audiences": ["HERE/ci", "HERE"]}, "HERE"),
        ({"issuer": "HERE", "subject_token_audiences": ["HERE/ci"]}, "HERE/ci"),
        ({"issuer": "HERE"}, "HERE"),
        ({"issuer": "HERE", "subject_token_audiences": []}, "HERE"),
        ({"issuer": "HERE", "subject_token_audiences": "HERE/x"}, "HERE"),
        (
            {
                "issuer": "https://x.example",
                "subject_token_audiences": ["https://y.example", "HERE"],
            },
            "HERE",
        ),
        ({"subject_token_audiences": [None, 5, ["HERE"], "HERE/b"]}, "HERE/b"),
    ],
)
def test_the_audience_is_the_broker_s_own(members: object, audience: str) -> None:
    assert found(members) == audience


@pytest.mark.parametrize(
    "members",
    [
        {"issuer": "https://sts.example", "subject_token_audiences": ["https://sts.example"]},
        {"issuer": "HERE", "subject_token_audiences": ["sts.amazonaws.com"]},
        {"issuer": "HERE", "subject_token_audiences": ["HERE.evil.example", "HERE@evil.example"]},
        {"issuer": "urn:x", "subject_token_audiences": ["HERE/\u0000", "HERE/\n", "HERE/\u00e4"]},
        {"issuer": 5, "subject_token_audiences": ["//[::1"]},
        {},
    ],
)
def test_no_other_audience_is_taken(members: object) -> None:
    error = found(members)

    assert isinstance(error, Misuse)
    assert "--audience" in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize(("members", "status"), [([], 200), ("x", 200), ({"issuer": "HERE"}, 404)])
def test_what_is_no_metadata_is_trouble(members: object, status: int) -> None:
    error = found(members, status)

    assert isinstance(error, BrokerTrouble)
    assert "is it the broker's address?" in str(error)


# --- revoke and explain -------------------------------------------------------------------------


def test_to_revoke_sends_the_token_in_the_body_alone() -> None:
    with answering(Answer()) as server, new_client() as client:
        revoke(client, server.url, "t0ken")

        (request,) = server.requests
        assert (request.method, request.target) == ("POST", "/oauth/revoke")
        assert request.form == {"token": "t0ken"}


@pytest.mark.parametrize(("answer", "kind"), [(refusal(403), Refused), (trouble(), BrokerTrouble)])
def test_what_cannot_be_revoked_is_told(answer: Answer, kind: type[ClientError]) -> None:
    with answering(answer) as server, new_client() as client, pytest.raises(kind):
        revoke(client, server.url, "t0ken")


@pytest.mark.parametrize("answer", [{}, [], {"decision": "maybe"}, {"decision": ["permit"]}, None])
def test_only_a_decision_is_one(answer: object) -> None:
    with (
        answering(as_json(answer)) as server,
        source_at(server.url) as source,
        new_client() as client,
    ):
        identity = source.identity
        assert identity is not None
        with pytest.raises(BrokerTrouble, match="no decision"):
            explain(client, server.url, Wanted("deploy-api"), identity, "")


# --- reading ID tokens --------------------------------------------------------------------------


@given(text=st.text(), payload=JSON)
def test_any_text_has_claims_or_none(text: str, payload: object) -> None:
    members = payload if isinstance(payload, dict) else {"sub": payload}
    for token in (text, f"a.{text}.c", an_id_token(**members)):
        assert isinstance(unverified_claims(token), dict)
        assert all(value.isprintable() for value in job_claims(token).values())
        assert is_jwt(token) in (True, False)
