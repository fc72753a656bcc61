"""docs/reference/errors.md and the reasons that the broker answers with say the same."""

import pytest

from broker.core.errors import (
    DecisionRefused,
    RateLimited,
    Reason,
    Refusal,
    RequestRefused,
    Unavailable,
)
from broker.core.vocabulary import (
    GRANT_CLIENT_CREDENTIALS,
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
)
from broker.http.answers import error_code, refusal_answer
from tests.docs.markdown import ROOT, Page, code, rows

PAGE = Page("docs/reference/errors.md")
TABLE = {code(row[0]): row for row in rows(PAGE.text)}
# These define the words and what they are answered with; they do not refuse anything.
VOCABULARY = {"broker/core/errors.py", "broker/http/answers.py"}


def reasons_in_use() -> set[Reason]:
    files = [each.relative_to(ROOT).as_posix() for each in (ROOT / "broker").rglob("*.py")]
    code_in_use = "".join((ROOT / each).read_text() for each in files if each not in VOCABULARY)
    return {reason for reason in Reason if f"Reason.{reason.name}" in code_in_use}


def refusal_for(reason: Reason) -> Refusal:
    if reason in {Reason.ISSUER_UNAVAILABLE, Reason.STORE_UNAVAILABLE}:
        return Unavailable(reason, "x")
    if reason is Reason.RATE_LIMITED:
        return RateLimited("x", retry_after=1)
    if reason is Reason.AMBIGUOUS_ACCOUNT:
        return DecisionRefused(reason, "x", service_accounts=("a", "b"))
    return RequestRefused(reason, "x")


def test_every_reason_has_a_section_and_every_section_is_a_reason() -> None:
    assert sorted(PAGE.headings(level=3)) == sorted(Reason)


def test_every_reason_has_a_row_and_every_row_is_a_reason() -> None:
    assert list(TABLE) == list(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_the_row_of_a_reason_leads_to_its_section(reason: Reason) -> None:
    assert TABLE[reason][0] == f"[`{reason}`](#{reason})"


@pytest.mark.parametrize("reason", Reason)
def test_the_row_of_a_reason_names_its_error_code(reason: Reason) -> None:
    _, _, exchange, jwt_bearer, credentials = TABLE[reason]

    assert code(exchange) == error_code(reason, GRANT_TOKEN_EXCHANGE)
    assert code(jwt_bearer) == error_code(reason, GRANT_JWT_BEARER)
    assert code(credentials) == error_code(reason, GRANT_CLIENT_CREDENTIALS)


@pytest.mark.parametrize("reason", sorted(reasons_in_use()))
def test_the_row_of_a_reason_names_its_status(reason: Reason) -> None:
    status = TABLE[reason][1].partition(";")[0]

    assert (
        int(status) == refusal_answer(refusal_for(reason), GRANT_TOKEN_EXCHANGE, "https://x").status
    )


@pytest.mark.parametrize("reason", Reason)
def test_a_section_says_who_can_fix_it_and_what_to_do(reason: Reason) -> None:
    meaning, _, advice = PAGE.section(reason).partition("- **Who can fix it:** ")

    assert len(meaning.strip()) > len("a sentence")
    assert "\n- **What to do:** " in advice


@pytest.mark.parametrize("reason", Reason)
def test_a_section_says_when_this_version_never_answers_so(reason: Reason) -> None:
    said = "never answers with it" in PAGE.section(reason)

    assert said == (reason not in reasons_in_use())
