"""The file that is written: what it names, what it leaves to others, and that it loads."""

import json
from dataclasses import replace
from typing import Any

import pytest

from broker.core.errors import ConfigurationError
from broker.policy_imports import Destination, Translation, not_carried_text, policy_text
from tests.policy_imports.deciding import loaded
from tests.policy_imports.translating import translated

ISSUER = "https://token.actions.githubusercontent.com"
DESTINATION = Destination(
    "github", "deploy", "deploy", {"preset": "github"}, {"api": ["api:write"]}
)


def translation(**members: Any) -> Translation:
    role = {
        "role_type": "jwt",
        "bound_audiences": ["x"],
        "bound_claims": {"repository_id": "34"},
        "user_claim": "repository",
    }
    return translated("vault", json.dumps(role | members), issuer=ISSUER)


def test_it_loads() -> None:
    text = policy_text(translation(token_ttl=300, token_max_ttl=600), DESTINATION, "vault, x")

    [policy] = loaded(text).policy_set.policies.values()
    assert (policy.name, policy.ttl, policy.max_ttl) == ("deploy", 300, 600)


def test_an_issuer_that_is_there_is_not_written_again() -> None:
    text = policy_text(translation(), replace(DESTINATION, new_issuer={}), "vault, x")

    assert "issuers:" not in text
    assert "    issuer: github\n" in text


def test_grants_beside_an_account_that_is_there_are_those_of_the_policy() -> None:
    text = policy_text(translation(), replace(DESTINATION, account_exists=True), "vault, x")

    assert "service_accounts:" not in text
    assert "    grants: {api: [api:write]}\n" in text


def test_without_grants_an_account_that_is_there_is_enough() -> None:
    destination = replace(DESTINATION, account_exists=True, grants={})

    text = policy_text(translation(), destination, "vault, x")

    assert "tests:" not in text
    assert "grants" not in text.partition("policies:")[2]
    assert "does not load yet" not in text


def test_without_either_it_says_what_is_missing() -> None:
    text = policy_text(translation(), replace(DESTINATION, grants={}), "vault, x")

    assert "# This does not load yet:" in text
    with pytest.raises(ConfigurationError, match="no file defines the account `deploy`"):
        loaded(text)


@pytest.mark.parametrize("grant", [[], ["api:*"]])
def test_a_request_of_its_tests_names_scopes_that_are_known(grant: list[str]) -> None:
    text = policy_text(translation(), replace(DESTINATION, grants={"api": grant}), "vault, x")

    assert "request: {audience: api, client_id: deploy}\n" in text


def test_what_says_nothing_of_rights_needs_no_words_on_them() -> None:
    text = policy_text(translation(), DESTINATION, "vault, x")

    assert "said anew" not in text


def test_what_is_too_long_to_be_read_again_is_not_written() -> None:
    with pytest.raises(ConfigurationError, match="larger than"):
        policy_text(translation(), DESTINATION, "x" * 2_000_000)


def test_reasons_are_comments() -> None:
    assert not_carried_text([], "aws, x") == "# Not translated: aws, x. What does not carry over:\n"
