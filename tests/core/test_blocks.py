"""Blocks: what they hold for, whatever policies say (contract §5)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.blocks import NO_BLOCKS, Block, Blocks
from broker.core.claims import text_of
from broker.core.conditions import Condition, Equals
from broker.core.decision import DecisionRequest, Deny, Permit, decide
from broker.core.errors import Reason
from broker.core.explain import explain, for_caller
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import GITHUB
from broker.core.policy import Mode
from broker.core.registry.block_members import block_members, read_block
from broker.core.registry.refused import ChangeRefused
from tests.core.builders import (
    BROKER,
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
)

ISSUER = an_issuer()
POLICIES = IndexedPolicies.of(a_policy_set(a_policy("web")))
CLAIMS = github_claims()


def a_block(where: Mapping[str, str], number: int = 1, expires_at: float | None = None) -> Block:
    return Block(f"b-{number}", where, "INC-7", NOW, "admin", expires_at)


def decided(where: Mapping[str, str], claims: Mapping[str, Any] = CLAIMS, **block: Any) -> Any:
    policies = replace(POLICIES, blocks=Blocks([a_block(where, **block)]))
    return decide(claims, ISSUER, DecisionRequest(), policies, NOW)


def is_blocked(where: Mapping[str, str], claims: Mapping[str, Any] = CLAIMS, **block: Any) -> bool:
    decision = decided(where, claims, **block)
    if isinstance(decision, Permit):
        return False
    assert isinstance(decision, Deny)
    assert (decision.reason, decision.public_reason) == (Reason.BLOCKED, Reason.BLOCKED)
    assert decision.block == "b-1"
    return True


@pytest.mark.parametrize(
    "where",
    [
        {"repository_id": "456789"},
        {"repository": "acme/web"},
        {"repository": "ACME/Web"},
        {"issuer": "github"},
        {"service_account": "deploy-web"},
        {"policy": "web"},
        {"repository_id": "456789", "ref": "refs/heads/main"},
        {"repository_id": "456789", "service_account": "deploy-web", "issuer": "github"},
    ],
)
def test_what_a_block_names_is_refused(where: Mapping[str, str]) -> None:
    assert is_blocked(where, {**CLAIMS, "repository_id": 456789})


@pytest.mark.parametrize(
    "where",
    [
        {"repository_id": "1"},
        {"ref": "refs/heads/Main"},
        {"issuer": "gitlab"},
        {"service_account": "other"},
        {"policy": "other"},
        {"repository_id": "456789", "ref": "refs/heads/other"},
        {"absent": ""},
        {"absent": "None"},
    ],
)
def test_what_no_block_names_in_full_is_decided_by_the_policies(where: Mapping[str, str]) -> None:
    assert not is_blocked(where)


def test_an_instance_is_blocked_alone() -> None:
    account = an_account(instances=("repository_id",))
    policies = IndexedPolicies.of(a_policy_set(a_policy("web"), accounts=[account]))
    block = a_block({"service_account": "deploy-web:repository_id:456789"})
    policies = replace(policies, blocks=Blocks([block]))

    reasons = []
    for repository_id in ("456789", "456780"):
        claims = {**CLAIMS, "repository_id": repository_id}
        decision = decide(claims, ISSUER, DecisionRequest(), policies, NOW)
        reasons.append(decision.reason if isinstance(decision, Deny) else None)
    assert reasons == [Reason.BLOCKED, None]


def test_an_instance_is_blocked_by_a_name_in_the_case_of_its_job_or_folded() -> None:
    account = an_account(instances=("environment",))
    policies = IndexedPolicies.of(a_policy_set(a_policy("web"), accounts=[account]))
    claims = {**CLAIMS, "environment": "Production"}

    for named in ("Production", "production"):
        blocks = Blocks([a_block({"service_account": f"deploy-web:environment:{named}"})])
        asked = replace(policies, blocks=blocks)
        assert isinstance(decide(claims, ISSUER, DecisionRequest(), asked, NOW), Deny)
        event = an_event(claims=claims, sub="deploy-web:environment:production")
        assert blocks.of_event(event, NOW) is not None
        assert blocks.of_event(event | {"issuer": None, "claims": None}, NOW) is not None
        assert blocks.of_account(("deploy-web:environment:production",), NOW) is not None
        erased = event | {"claims": None, "claims_erased": "x"}
        assert blocks.of_event(erased, NOW) is not None


def test_a_list_is_blocked_by_each_of_its_elements() -> None:
    assert is_blocked({"groups": "ops"}, {**CLAIMS, "groups": ["dev", "ops"]})
    assert not is_blocked({"groups": "op"}, {**CLAIMS, "groups": ["dev", "ops"]})


def test_a_block_is_over_at_its_end() -> None:
    assert is_blocked({"issuer": "github"}, expires_at=NOW + 0.5)
    assert not is_blocked({"issuer": "github"}, expires_at=NOW)


def test_a_token_that_no_policy_is_for_is_blocked_all_the_same() -> None:
    assert is_blocked({"repository": "acme/other"}, {**CLAIMS, "repository": "acme/other"})


def test_where_no_block_holds_and_no_policy_does_the_reason_is_that_of_the_policies() -> None:
    decision = decided({"issuer": "gitlab"}, {**CLAIMS, "repository": "acme/other"})

    assert isinstance(decision, Deny)
    assert (decision.reason, decision.block) == (Reason.NO_POLICY_MATCHED, None)


def test_the_explanation_says_the_same_and_keeps_the_reason_of_the_block() -> None:
    policies = replace(POLICIES, blocks=Blocks([a_block({"issuer": "github"})]))

    to_operator = explain(CLAIMS, ISSUER, DecisionRequest(), policies, NOW)
    to_caller = for_caller(to_operator)

    assert (to_operator.reason, to_caller.reason) == ("blocked", "blocked")
    for explanation in (to_operator, to_caller):
        assert "b-1" in (explanation.fix or "")
        assert "INC-7" not in str(explanation.as_json())


NAMES = ["ref", "repository", "repository_id", "groups", "issuer", "service_account", "policy"]
VALUES = ["github", "web", "deploy-web", "Web", "1", "x"]
wheres = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), min_size=1, max_size=3)
claims_of_jobs = st.dictionaries(
    st.sampled_from(NAMES[:4]),
    st.sampled_from([*VALUES, 1, "", None, 1.5, ["x", "Web"], [], {"x": 1}]),
)


def naive(where: Mapping[str, str], claims: Mapping[str, Any]) -> bool:
    """Say what a block says, name by name."""
    facts: dict[str, Any] = {
        **claims,
        "issuer": "github",
        "service_account": ["deploy-web", "deploy-web:x"],
        "policy": ["web"],
    }
    for name, wanted in where.items():
        value = facts.get(name)
        texts = [text_of(each) for each in (value if isinstance(value, list) else [value])]
        if name == "repository":
            texts = [text.lower() if text else None for text in texts]
        if (wanted.lower() if name == "repository" else wanted) not in texts:
            return False
    return True


@given(st.lists(wheres, max_size=6), claims_of_jobs)
def test_the_index_finds_what_one_by_one_finds(
    several: list[dict[str, str]], claims: dict[str, Any]
) -> None:
    blocks = Blocks(a_block(where, number) for number, where in enumerate(several))

    of_token = blocks.of_token(claims, ISSUER, NOW)
    of_decision = blocks.of_decision(claims, ISSUER, ("deploy-web", "deploy-web:x"), ("web",), NOW)

    decided = {"service_account", "policy"}
    holding = [where for where in several if naive(where, claims)]
    assert (of_token is not None) == any(decided.isdisjoint(where) for where in holding)
    assert (of_decision is not None) == any(not decided.isdisjoint(where) for where in holding)
    assert len(blocks) == len(several)


# --- Tokens that were issued ----------------------------------------------------------------------


def an_event(**changes: Any) -> dict[str, Any]:
    of_exchange = {
        "issuer": "github",
        "claims": dict(CLAIMS),
        "service_account": "deploy-web",
        "sub": "deploy-web",
        "policies": ["web"],
    }
    return of_exchange | changes


OF_CREDENTIALS: dict[str, Any] = {"issuer": None, "claims": None, "policies": []}


@pytest.mark.parametrize(
    ("where", "event", "holds"),
    [
        ({"repository": "Acme/Web"}, {}, True),
        ({"repository": "acme/other"}, {}, False),
        ({"service_account": "deploy-web"}, {}, True),
        ({"service_account": "a:b"}, {"service_account": "a", "sub": "a:b"}, True),
        ({"policy": "web", "issuer": "github"}, {}, True),
        ({"policy": "other"}, {}, False),
        ({"issuer": "github"}, OF_CREDENTIALS, False),
        ({"service_account": "deploy-web"}, OF_CREDENTIALS, True),
        ({"service_account": "deploy-web", "repository": "acme/web"}, OF_CREDENTIALS, False),
        # Erased claims could have been any.
        ({"repository": "acme/other"}, {"claims": None, "claims_erased": "x"}, True),
        ({"repository": "x", "issuer": "gitlab"}, {"claims": None, "claims_erased": "x"}, False),
        # So could those that were too large to be kept, but no others.
        ({"groups": "ops"}, {"claims_left_out": ["groups"]}, True),
        ({"groups": "ops", "repository": "acme/web"}, {"claims_left_out": ["groups"]}, True),
        ({"groups": "ops", "policy": "web"}, {"claims_left_out": ["groups"]}, True),
        ({"groups": "ops"}, {"claims_left_out": ["teams"]}, False),
        ({"groups": "ops", "repository": "acme/other"}, {"claims_left_out": ["groups"]}, False),
        ({"policy": "other"}, {"claims_left_out": ["policy"]}, False),
    ],
)
def test_a_token_is_blocked_by_what_its_event_says(
    where: Mapping[str, str], event: Mapping[str, Any], holds: bool
) -> None:
    blocks = Blocks([a_block(where, expires_at=NOW + 60)])

    assert (blocks.of_event(an_event(**event), NOW) is not None) is holds
    assert blocks.of_event(an_event(**event), NOW + 60) is None
    assert NO_BLOCKS.of_event(an_event(**event), NOW) is None


# --- As requests write them -----------------------------------------------------------------------


def read(**members: Any) -> Block:
    return read_block(members, POLICIES, block_id="b-1", actor="admin", now=NOW)


def test_a_block_is_read_and_shown() -> None:
    block = read(where={"repository_id": 456789, "issuer": "github"}, reason="INC-7", ttl="24h")

    assert block_members(block) == {
        "id": "b-1",
        "where": {"issuer": "github", "repository_id": "456789"},
        "reason": "INC-7",
        "created_at": "2026-11-21T22:26:40.000Z",
        "created_by": "admin",
        "expires_at": "2026-11-22T22:26:40.000Z",
    }
    assert read(where={"issuer": "github"}, reason="x", ttl=60).expires_at == NOW + 60
    assert read(where={"issuer": "github"}, reason="x").expires_at is None


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({}, "where"),
        ({"where": {}}, "where"),
        ({"where": "issuer"}, "where"),
        ({"where": {"repositry_id": "1"}}, "where.repositry_id"),
        ({"where": {"issuer": "githob"}}, "where.issuer"),
        ({"where": {"policy": "wed"}}, "where.policy"),
        ({"where": {"ref": ""}}, "where.ref"),
        ({"where": {"ref": None}}, "where.ref"),
        ({"where": {"ref": ["a"]}}, "where.ref"),
        ({"where": {"ref": "a\nb"}}, "where.ref"),
        ({"where": {"ref": "a" * 1025}}, "where.ref"),
        ({"reason": None}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "a" * 201}, "reason"),
        ({"ttl": "1w"}, "ttl"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": -1}, "ttl"),
        ({"ttl": 1.5}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"ttl": "366d"}, "ttl"),
        ({"ttl": 10**30}, "ttl"),
        ({"ttl": "\u0661m"}, "ttl"),
        ({"ttl": float("inf")}, "ttl"),
        ({"until": "1h"}, "until"),
    ],
)
def test_what_holds_nothing_or_is_unclear_is_refused(members: dict[str, Any], field: str) -> None:
    good = {} if members == {} else {"where": {"issuer": "github"}, "reason": "INC-7"}
    with pytest.raises(ChangeRefused) as refused:
        read(**good | members)
    assert refused.value.field == field


NESTED = Condition("/job/name", Equals("web"))
SEVERAL = IndexedPolicies.of(
    a_policy_set(
        a_policy("web"),
        a_policy("old", expires_at=NOW - 1),
        a_deny_policy("no"),
        a_policy("tried", mode=Mode.OBSERVE),
        a_policy("lab", issuer="gitlab", match={"project_path": "acme/web", "groups": "ops"}),
        a_policy("other", issuer="other", match={"organization_id": "acme", "run_id": "x"}),
        replace(a_policy("inner"), conditions=(NESTED,)),
        issuers=[an_issuer("github"), an_issuer("gitlab"), an_issuer("other")],
    )
)


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ({"policy": "no"}, "where.policy"),
        ({"policy": "tried"}, "where.policy"),
        ({"policy": "web", "issuer": "gitlab"}, "where.policy"),
        ({"policy": "web", "service_account": "other"}, "where.policy"),
        ({"policy": "web", "project_id": "1"}, "where.project_id"),
        ({"issuer": "github", "project_id": "1"}, "where.project_id"),
        ({"issuer": "gitlab", "repository_id": "1"}, "where.repository_id"),
        ({"issuer": "github", "groups": "ops"}, "where.groups"),
        ({"issuer": "other", "ref": "refs/heads/main"}, "where.ref"),
        ({"repository_id": "1", "project_id": "1"}, "where"),
        ({"job": "web"}, "where.job"),
        ({"iss": "github"}, "where.iss"),
        ({"issuer": "gitlab", "iss": GITHUB.issuer}, "where.iss"),
        ({"aud": "https://elsewhere.example"}, "where.aud"),
        ({"repository_id": "acme/web"}, "where.repository_id"),
        ({"repository_id": "0456789"}, "where.repository_id"),
        ({"repository_id": "\u0664"}, "where.repository_id"),
        ({"issuer": "github", "run_id": "x"}, "where.run_id"),
        ({"repository": "\u0430cme/web"}, "where.repository"),
        ({"ref": " refs/heads/main"}, "where.ref"),
        ({"ref": "refs/heads/main\u00a0"}, "where.ref"),
        ({"ref": "refs/heads/main "}, "where.ref"),
    ],
)
def test_what_no_token_could_have_is_refused(where: dict[str, str], field: str) -> None:
    with pytest.raises(ChangeRefused) as refused:
        read_block({"where": where, "reason": "x"}, SEVERAL, block_id="b-1", actor="admin", now=NOW)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "where",
    [
        {"policy": "web", "issuer": "github", "repository_id": 456789},
        {"policy": "web", "service_account": "deploy-web"},
        {"policy": "web", "service_account": "deploy-web:repository_id:1"},
        # What it gave while it held lives for a while yet.
        {"policy": "old"},
        {"issuer": "gitlab", "groups": "ops"},
        {"sub": "x", "iss": GITHUB.issuer},
        {"aud": BROKER},
        {"run_id": "x"},
        {"issuer": "other", "run_id": "x"},
        {"issuer": "github", "run_id": 0},
        {"environment": "prüfung"},
    ],
)
def test_what_some_token_could_have_is_taken(where: dict[str, str]) -> None:
    block = read_block(
        {"where": where, "reason": "x"}, SEVERAL, block_id="b-1", actor="admin", now=NOW
    )
    assert block.where.keys() == where.keys()


def test_what_conditions_look_into_may_be_a_text_elsewhere() -> None:
    policies = IndexedPolicies.of(
        a_policy_set(
            replace(a_policy("inner"), conditions=(NESTED,)),
            issuers=[an_issuer("github", require=(Condition("job", Equals("web")),))],
            services=[a_service(require=(Condition("team", Equals("web")),))],
        )
    )
    for name in ("job", "team"):
        read_block(
            {"where": {name: "web"}, "reason": "x"},
            policies,
            block_id="b-1",
            actor="admin",
            now=NOW,
        )
