"""What is taken for granted of claims holds in tokens: those published, and those made up here."""

from typing import Any

import pytest

from broker.core.typical_claims import TYPICAL_EVENTS, typical_claims
from broker.policy_imports.claim_facts import FACTS
from tests.real_tokens.published import claim_sets, claims_of, needs_published_tokens

# Excerpts in documentation, without what every token has.
EXCERPTS = {"github/g15_docs_enterprise_issuer", "github/g16_docs_custom_property"}


def assert_facts(preset: str, claims: dict[str, Any], *, whole: bool = True) -> None:
    facts = FACTS[preset]
    texts = {name: value for name, value in claims.items() if facts.is_text(name)}

    assert all(isinstance(value, str) for value in texts.values())
    assert all(value or facts.is_empty_at_times(name) for name, value in texts.items())
    assert not whole or all(claims.get(name) for name in facts.always)


@needs_published_tokens
def test_they_hold_in_published_claim_sets() -> None:
    for name in sorted(claim_sets()):
        preset = name.partition("/")[0]
        assert_facts(preset, claims_of(name), whole=name not in EXCERPTS)


@pytest.mark.parametrize("preset", FACTS)
def test_they_hold_in_typical_claims(preset: str) -> None:
    for event in TYPICAL_EVENTS[preset]:
        assert_facts(preset, typical_claims(preset, event, {"environment": "production"}))


def test_properties_of_a_repository_are_texts() -> None:
    assert FACTS["github"].is_text("repo_property_team")
    assert FACTS["github"].is_empty_at_times("repo_property_team")
    assert not FACTS["gitlab"].is_text("repo_property_team")
