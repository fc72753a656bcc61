"""Claim sets of real platforms, where they are at hand: they verify, and policies read them."""

import json
from pathlib import Path
from typing import Any

import pytest

from broker.core import subject_token
from broker.core.decision import Deny, Permit
from broker.core.errors import Reason
from broker.core.issuer_keys import read_jwks
from broker.core.platforms import PRESETS, recognise
from tests.core.builders import (
    BROKER,
    NOW,
    a_policy,
    a_policy_set,
    an_issuer,
    the_decision,
)
from tests.core.tokens import Door, TokenMaker

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures"
OUTSIDERS = {"pull_request", "pull_request_target", "merge_request_event"}

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason="no sample tokens here")


def sets(*needed: str) -> list[Any]:
    """Give the claim sets of both platforms that have these claims; documentation shortens some."""
    found = [
        (platform, file.stem, json.loads(file.read_text()))
        for platform in ("github", "gitlab")
        for file in sorted((FIXTURES / platform).glob("*.json"))
    ]
    return [
        pytest.param(platform, sample, id=name)
        for platform, name, sample in found
        if set(needed) <= sample["claims"].keys()
    ]


def moved_to_now(claims: dict[str, Any]) -> dict[str, Any]:
    """The same claims, issued to this broker just now."""
    age = NOW - claims.get("iat", NOW)
    moved = {name: claims[name] + age for name in ("iat", "nbf", "exp") if name in claims}
    return claims | moved | {"aud": BROKER}


@pytest.mark.parametrize(("name", "sample"), sets("iat", "exp", "jti"))
def test_a_real_claim_set_verifies_and_is_described(
    name: str, sample: dict[str, Any], signed_token: TokenMaker
) -> None:
    claims = moved_to_now(sample["claims"])
    issuer = an_issuer(name, url=claims["iss"])
    header = {name: sample["header"][name] for name in ("x5t",) if name in sample["header"]}

    verified = Door(signed_token.key_set(), issuer).open_with(signed_token.of(claims, header))

    assert recognise(verified, PRESETS[name]).platform == name


@pytest.mark.parametrize(
    ("name", "sample"),
    [each for each in sets() if {"repository_id", "project_id"} & each.values[1]["claims"].keys()],
)
def test_a_real_claim_set_is_served_unless_an_outsider_caused_it(
    name: str, sample: dict[str, Any]
) -> None:
    claims = moved_to_now({"exp": NOW + 300} | sample["claims"])
    tenant = "repository_id" if name == "github" else "project_id"
    policy_set = a_policy_set(a_policy("own", {tenant: claims[tenant]}, issuer=name))

    decision = the_decision(policy_set, claims, issuer=name)

    if claims.get(PRESETS[name].event_claim) in {None, *OUTSIDERS}:
        assert isinstance(decision, Deny)
        assert decision.reason is Reason.NO_POLICY_MATCHED
    else:
        assert isinstance(decision, Permit)


def test_the_signature_of_a_real_token_holds_under_the_platform_s_real_keys() -> None:
    token = (FIXTURES / "raw" / "github_real_signed_2026-04-22.jwt").read_text().strip()
    document = (FIXTURES / "jwks" / "github_2026_four_keys.json").read_bytes()
    parsed = subject_token.parse(token)

    keys = read_jwks(document, an_issuer("github").algorithms)

    assert len(keys.keys) == 4
    claims = subject_token.verify_signature(parsed, keys.keys[parsed.key_id])
    issuer = an_issuer("github", audiences=frozenset({"demo"}))
    verified = subject_token.verify(claims, issuer, parsed.claims["iat"] + 1, 60)
    assert verified["repository_id"]
