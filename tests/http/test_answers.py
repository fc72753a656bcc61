"""The one table from a refusal to status and error code."""

import json

import pytest

from broker.core.errors import (
    DecisionRefused,
    Reason,
    Refusal,
    RequestRefused,
    SubjectTokenRefused,
    Unavailable,
)
from broker.core.vocabulary import GRANT_JWT_BEARER, GRANT_TOKEN_EXCHANGE
from broker.http.answers import Answer, HttpRefused, error_code, refusal_answer
from tests.http.asgi import a_scope, call

ISSUER = "https://broker.example.com/ci"
OF_THE_TOKEN = [
    "malformed_token", "algorithm_not_allowed", "issuer_not_trusted", "issuer_disabled",
    "key_not_found", "signature_invalid", "token_expired", "token_not_yet_valid",
    "token_lifetime_too_long", "audience_mismatch", "claim_invalid", "token_already_used",
    "blocked", "no_policy_matched", "denied_by_policy", "ambiguous_account", "account_disabled",
]  # fmt: skip
OF_THE_REQUEST = {
    "malformed_request": "invalid_request",
    "grant_type_unsupported": "unsupported_grant_type",
    "unsupported_token_type": "invalid_request",
    "target_unknown": "invalid_target",
    "target_required": "invalid_target",
    "scope_not_allowed": "invalid_scope",
    "client_unknown_or_bad_secret": "invalid_client",
    "grant_not_allowed": "unauthorized_client",
    "rate_limited": "temporarily_unavailable",
    "issuer_unavailable": "temporarily_unavailable",
    "store_unavailable": "temporarily_unavailable",
}


def body_of(answer: Answer) -> dict[str, object]:
    body: dict[str, object] = json.loads(answer.body)
    return body


@pytest.mark.parametrize("reason", OF_THE_TOKEN)
@pytest.mark.parametrize(
    ("grant", "error"),
    [(GRANT_TOKEN_EXCHANGE, "invalid_request"), (GRANT_JWT_BEARER, "invalid_grant")],
)
def test_what_is_wrong_with_the_token_is_named_by_the_grant(
    reason: str, grant: str, error: str
) -> None:
    assert error_code(Reason(reason), grant) == error


@pytest.mark.parametrize("reason", OF_THE_REQUEST)
@pytest.mark.parametrize("grant", [GRANT_TOKEN_EXCHANGE, GRANT_JWT_BEARER, None])
def test_everything_else_is_not(reason: str, grant: str | None) -> None:
    assert error_code(Reason(reason), grant) == OF_THE_REQUEST[reason]


def test_every_reason_has_its_answer() -> None:
    assert {*OF_THE_TOKEN, *OF_THE_REQUEST} == {*Reason}


@pytest.mark.parametrize(
    ("refusal", "status", "header"),
    [
        (SubjectTokenRefused(Reason.TOKEN_EXPIRED, "x"), 400, None),
        (DecisionRefused(Reason.NO_POLICY_MATCHED, "x"), 400, None),
        (RequestRefused(Reason.MALFORMED_REQUEST, "x"), 400, None),
        (
            RequestRefused(Reason.CLIENT_UNKNOWN_OR_BAD_SECRET, "x", with_basic=True),
            401,
            (b"www-authenticate", b'Basic realm="broker"'),
        ),
        (HttpRefused(405, "x", [(b"allow", b"POST")]), 405, (b"allow", b"POST")),
        (HttpRefused(413, "x"), 413, None),
        (
            Unavailable(Reason.STORE_UNAVAILABLE, "x", retry_after=7),
            503,
            (b"retry-after", b"7"),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_kind_of_refusal_makes_the_status(
    refusal: Refusal, status: int, header: tuple[bytes, bytes] | None
) -> None:
    answer = refusal_answer(refusal, GRANT_TOKEN_EXCHANGE, ISSUER)

    assert answer.status == status
    assert (b"content-type", b"application/json") in answer.headers
    assert (b"cache-control", b"no-store") in answer.headers
    assert header is None or header in answer.headers


def test_a_description_keeps_to_the_characters_of_rfc_6749() -> None:
    refusal = RequestRefused(Reason.MALFORMED_REQUEST, 'a "b" \\ é\n\x1b[31m\u202e~')

    description = body_of(refusal_answer(refusal, None, ISSUER))["error_description"]

    assert description == "a 'b' / ???[31m?~"


def test_accounts_are_listed_only_when_there_is_a_choice() -> None:
    choice = DecisionRefused(Reason.AMBIGUOUS_ACCOUNT, "x", service_accounts=("a", "b"))
    none = DecisionRefused(Reason.NO_POLICY_MATCHED, "x")

    assert body_of(refusal_answer(choice, None, ISSUER))["service_accounts"] == ["a", "b"]
    assert "service_accounts" not in body_of(refusal_answer(none, None, ISSUER))


def test_a_refusal_on_record_has_the_link_of_its_decision() -> None:
    refusal = RequestRefused(Reason.MALFORMED_REQUEST, "x")
    assert "error_uri" not in body_of(refusal_answer(refusal, None, ISSUER))

    refusal.decision_id = "01a20b88-c550-7c2b-869f-de7a5e664017"
    assert body_of(refusal_answer(refusal, None, ISSUER))["error_uri"] == (
        "https://broker.example.com/ci/d/01a20b88-c550-7c2b-869f-de7a5e664017"
    )


async def test_a_head_request_gets_no_body() -> None:
    answer = Answer(405, b"{}")

    assert (await call(answer, a_scope("HEAD"))).body == b""
    assert (await call(answer, a_scope("GET"))).body == b"{}"
