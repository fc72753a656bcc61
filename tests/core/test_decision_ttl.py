"""How long a service token lives (contract §4, Decision 8; attacks rows 40, 48, 120)."""

from typing import Any

import pytest

from broker.core.decision import MIN_REMAINING_LIFE, Permit
from broker.core.policy import Policy, Replay
from tests.core.builders import (
    NOW,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
    the_decision,
)


def ttl(
    *policies: Policy,
    account: dict[str, Any] | None = None,
    service: dict[str, Any] | None = None,
    expires_in: int | None = None,
    replay: Replay = Replay.SINGLE_USE,
    claims: dict[str, Any] | None = None,
) -> int:
    policy_set = a_policy_set(
        *(policies or [a_policy("web")]),
        issuers=[an_issuer("github", replay=replay)],
        accounts=[an_account(**(account or {}))],
        services=[a_service(**(service or {}))],
    )
    permit = the_decision(policy_set, claims or github_claims(), expires_in=expires_in)
    assert isinstance(permit, Permit), permit
    return permit.ttl


def test_the_request_comes_first() -> None:
    assert ttl(a_policy("web", ttl=60), account={"ttl": 70}, expires_in=90) == 90


def test_then_the_smallest_ttl_of_the_policies_that_hold() -> None:
    not_holding = a_policy("other", {"repository": "acme/other"}, ttl=1)

    assert ttl(a_policy("a", ttl=80), a_policy("b", ttl=60), a_policy("c"), not_holding) == 60


def test_then_the_account() -> None:
    assert ttl(account={"ttl": 70}, service={"ttl": 80}) == 70


def test_then_the_service() -> None:
    assert ttl(service={"ttl": 80}) == 80


@pytest.mark.parametrize("expires_in", [301, 3600, 999_999, 10**9])
def test_more_than_any_cap_is_cut_to_the_smallest(expires_in: int) -> None:
    policies = [a_policy("a", max_ttl=300), a_policy("b", max_ttl=400), a_policy("c")]

    assert ttl(*policies, account={"max_ttl": 500}, expires_in=expires_in) == 300
    assert ttl(account={"max_ttl": 200}, service={"max_ttl": 250}, expires_in=expires_in) == 200
    assert ttl(account={"max_ttl": 300}, service={"max_ttl": 250}, expires_in=expires_in) == 250
    assert ttl(service={"max_ttl": 250}, expires_in=expires_in) == 250


def test_a_default_is_cut_like_a_wish() -> None:
    assert ttl(a_policy("a", ttl=900, max_ttl=120)) == 120
    assert ttl(account={"ttl": 900}, service={"max_ttl": 100}) == 100


def test_a_single_use_token_may_buy_more_than_its_own_life() -> None:
    assert ttl(claims=github_claims(exp=NOW + 10), expires_in=3600) == 3600


@pytest.mark.parametrize("replay", [Replay.REUSABLE, Replay.PER_AUDIENCE])
@pytest.mark.parametrize(
    ("left", "bought"),
    [
        (1800, 1800),
        (1800.7, 1800),
        (301, 301),
        (300, MIN_REMAINING_LIFE),
        (10, MIN_REMAINING_LIFE),
        (-30, MIN_REMAINING_LIFE),
        (7200, 3600),
    ],
)
def test_a_token_of_more_uses_buys_at_most_the_life_it_has_left(
    replay: Replay, left: float, bought: int
) -> None:
    now = NOW + 0.0 if left == int(left) else NOW - 0.7
    policy_set = a_policy_set(a_policy("web"), issuers=[an_issuer("github", replay=replay)])
    claims = github_claims(exp=NOW + int(left))

    permit = the_decision(policy_set, claims, now=now, expires_in=3600)

    assert isinstance(permit, Permit)
    assert permit.ttl == bought


def test_the_five_minutes_are_no_floor_under_the_other_caps() -> None:
    dying = github_claims(exp=NOW + 1)

    assert ttl(a_policy("a", max_ttl=60), replay=Replay.REUSABLE, claims=dying) == 60
    assert ttl(replay=Replay.REUSABLE, claims=dying, expires_in=30) == 30
