"""The error tree and the reason words, as the contract lists them (contract §5)."""

import pytest

from broker.core.errors import (
    BrokerError,
    ConfigurationError,
    DecisionRefused,
    Problem,
    Reason,
    Refusal,
    RequestRefused,
    SubjectTokenRefused,
    Unavailable,
)


def test_the_reasons_are_those_of_the_contract() -> None:
    contract = (
        "malformed_request grant_type_unsupported unsupported_token_type malformed_token"
        " algorithm_not_allowed issuer_not_trusted issuer_disabled issuer_unavailable"
        " key_not_found signature_invalid token_expired token_not_yet_valid"
        " token_lifetime_too_long audience_mismatch claim_invalid token_already_used"
        " no_policy_matched denied_by_policy blocked ambiguous_account account_disabled"
        " target_unknown target_required scope_not_allowed client_unknown_or_bad_secret"
        " grant_not_allowed rate_limited store_unavailable"
    )

    assert sorted(Reason) == sorted(contract.split())


@pytest.mark.parametrize(
    "kind", [RequestRefused, SubjectTokenRefused, DecisionRefused, Unavailable]
)
def test_a_refusal_says_why_and_gets_its_decision_later(kind: type[Refusal]) -> None:
    refusal = kind(Reason.BLOCKED, "a block matches")

    assert isinstance(refusal, BrokerError)
    assert str(refusal) == "blocked: a block matches"
    assert (refusal.reason, refusal.description) == (Reason.BLOCKED, "a block matches")
    assert refusal.decision_id is None


def test_some_refusals_carry_more() -> None:
    basic = RequestRefused(Reason.CLIENT_UNKNOWN_OR_BAD_SECRET, "", with_basic=True)
    ambiguous = DecisionRefused(Reason.AMBIGUOUS_ACCOUNT, "", service_accounts=("a", "b"))

    assert basic.with_basic
    assert ambiguous.service_accounts == ("a", "b")
    assert Unavailable(Reason.STORE_UNAVAILABLE, "").retry_after == 5
    assert Unavailable(Reason.STORE_UNAVAILABLE, "", retry_after=30).retry_after == 30


def test_a_problem_is_written_as_compilers_do() -> None:
    assert str(Problem("a.yaml", 3, 7, "no such key")) == "a.yaml:3:7: no such key"
    assert str(Problem("a.yaml", 0, 0, "is missing")) == "a.yaml: is missing"


def test_a_configuration_error_holds_every_problem() -> None:
    problems = [Problem("a.yaml", 1, 1, "x"), Problem("b.yaml", 0, 0, "y")]

    error = ConfigurationError(problems)

    assert error.problems == tuple(problems)
    assert str(error) == "a.yaml:1:1: x\nb.yaml: y"
    assert not isinstance(error, Refusal)
