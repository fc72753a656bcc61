"""Whatever stands in a delegated folder: what loads grants and denies nothing beyond it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from broker.core.claims import Claims
from broker.core.decision import Decision, DecisionRequest, Deny, Permit, decide
from broker.core.delegation import Delegation
from broker.core.errors import ConfigurationError, Reason
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.testing import github_claims
from tests.policy_files.loading import load_alone

NOW = 1_795_300_000
SERVICES = ["deploy-api", "billing", "plain"]
ACCOUNTS = ["web-ci", "web-all", "website", "web", "ops", "web-new", "ops-new"]
REPOSITORIES = ["acme/web", "acme/ops"]
REFS = ["refs/heads/main", "refs/heads/x"]

PLATFORM = f"""\
issuers: {{github: {{preset: github}}}}
services:
  deploy-api: {{audience: https://d.example, scopes: {{deploy:read: See, deploy:write: Start}}}}
  billing: {{audience: https://b.example, scopes: {{billing:read: See}}}}
  plain: {{audience: https://p.example}}
service_accounts:
  web-ci: {{grants: {{deploy-api: [deploy:read, deploy:write]}}}}
  web-all: {{grants: {{deploy-api: [deploy:read], billing: [billing:read], plain: []}}}}
  website: {{grants: {{deploy-api: ["deploy:*"], billing: [billing:read]}}}}
  web: {{grants: {{billing: [billing:read]}}}}
  ops: {{grants: {{deploy-api: ["deploy:*"], billing: [billing:read], plain: []}}}}
policies:
  ops-all:
    service_account: ops
    issuer: github
    match: {{repository: {REPOSITORIES[1]}}}
  web-bills:
    service_account: web-all
    issuer: github
    match: {{repository: {REPOSITORIES[0]}}}
    grants: {{billing: [billing:read]}}
  no-x: {{effect: deny, issuer: github, match: {{ref: {REFS[1]}}}, services: [plain]}}
"""
BASE = IndexedPolicies.of(load_alone({"platform.yaml": PLATFORM}).policy_set)

READ = {"deploy-api": ["deploy:read"]}
WRITE = {"deploy-api": ["deploy:*"]}
BILLS = {"billing": ["billing:read"]}
PLAIN: dict[str, list[str]] = {"plain": []}
grants = st.sampled_from([READ, WRITE, PLAIN, READ | PLAIN, BILLS, WRITE | BILLS])
matches = st.fixed_dictionaries(
    {"repository": st.sampled_from(REPOSITORIES)}, optional={"ref": st.sampled_from(REFS)}
)
allows = st.fixed_dictionaries(
    {
        "issuer": st.just("github"),
        "match": matches,
        "service_account": st.sampled_from([*ACCOUNTS, "web-ci", "web-all", "web-new"]),
    },
    optional={"grants": grants, "ttl": st.just("1m"), "effect": st.just("allow")},
)
denies = st.fixed_dictionaries(
    {"issuer": st.just("github"), "match": matches, "effect": st.just("deny")},
    optional={
        "services": st.sampled_from(
            [["deploy-api"], ["plain"], ["deploy-api", "plain"], ["billing"], ["plain", "billing"]]
        )
    },
)
account_grants = st.dictionaries(st.sampled_from(["web-new", "ops-new"]), grants, max_size=2)
delegations = st.builds(
    Delegation,
    st.sampled_from(["teams", "teams/web"]),
    st.sampled_from([("policies",), ("policies", "service_accounts")]),
    st.sampled_from([("allow", "deny"), ("allow",), ("deny",)]),
    st.sampled_from([("web-*",), ("web-ci", "web-new"), ("web", "web-*")]),
    st.sampled_from([("deploy-api",), ("deploy-api", "plain")]),
)

TOKENS = [
    github_claims(repository=repository, ref=ref, exp=NOW + 600)
    for repository in REPOSITORIES
    for ref in REFS
]
REQUESTS = [
    (claims, DecisionRequest(targets, client_id=asked))
    for claims in TOKENS
    for targets in ((), *((service,) for service in SERVICES), ("https://b.example",))
    for asked in (None, *ACCOUNTS)
]
"""Each token with everything that it may ask for."""


@dataclass(frozen=True)
class Delegated:
    """A set that loads although somebody else wrote a part of it."""

    delegation: Delegation
    policies: IndexedPolicies
    theirs: frozenset[str]
    """The policies that stand in the delegated folder."""

    def decide(self, claims: Claims, request: DecisionRequest) -> Decision:
        return decided(self.policies, claims, request)


def decided(policies: IndexedPolicies, claims: Claims, request: DecisionRequest) -> Decision:
    return decide(claims, policies.policy_set.issuers["github"], request, policies, NOW)


def load(delegation: Delegation, content: Mapping[str, Any]) -> PolicySet:
    """Load a file in the folder. Raises `ConfigurationError` when the delegation forbids it."""
    texts = {"platform.yaml": PLATFORM, "teams/web/p.yaml": json.dumps(content)}
    return load_alone(texts, folders=[delegation]).policy_set


@st.composite
def delegated_sets(draw: st.DrawFn) -> Delegated:
    """Write a file of whatever the delegation lets pass, entry by entry."""
    delegation = draw(delegations)
    content: dict[str, Any] = {}
    held_by = draw(account_grants)
    policies = draw(st.lists(allows | denies, min_size=4, max_size=8))
    new: list[tuple[str, str, object]] = [
        *(("service_accounts", name, {"grants": held}) for name, held in held_by.items()),
        *(("policies", f"p{number}", policy) for number, policy in enumerate(policies)),
    ]
    for section, name, entry in new:
        with_it = content | {section: content.get(section, {}) | {name: entry}}
        with suppress(ConfigurationError):
            load(delegation, with_it)
            content = with_it
    event(f"policies: {len(content.get('policies', {}))}")
    indexed = IndexedPolicies.of(load(delegation, content))
    return Delegated(delegation, indexed, frozenset(content.get("policies", {})))


@given(delegated_sets())
def test_policies_of_a_delegated_folder_permit_and_deny_within_it_alone(found: Delegated) -> None:
    delegation = found.delegation
    for claims, request in REQUESTS:
        decision = found.decide(claims, request)
        if found.theirs.isdisjoint(decision.policies):
            continue
        if isinstance(decision, Permit):
            event("permitted by theirs")
            assert "allow" in delegation.effects
            assert decision.service.name in delegation.services
            assert delegation.admits_account(decision.service_account.client_id)
        elif decision.reason is Reason.DENIED_BY_POLICY:
            event("denied by theirs")
            assert "deny" in delegation.effects
            assert not request.targets or named(request) in delegation.services


@given(delegated_sets())
def test_for_every_service_beyond_it_all_stays_as_without_it(found: Delegated) -> None:
    for claims, request in REQUESTS:
        if request.targets and named(request) not in found.delegation.services:
            before, after = decided(BASE, claims, request), found.decide(claims, request)
            assert isinstance(before, Permit) is isinstance(after, Permit)
            assert after == before or not isinstance(before, Permit)


@given(delegated_sets())
def test_no_account_beyond_it_is_ever_given_more_than_without_it(found: Delegated) -> None:
    for claims, request in REQUESTS:
        decision = found.decide(claims, request)
        if isinstance(decision, Permit):
            account = decision.service_account.client_id
            if not found.delegation.admits_account(account):
                asked = replace(request, targets=(decision.service.name,), client_id=account)
                assert decision == decided(BASE, claims, asked)


def test_the_set_without_it_permits_and_denies_beyond_it() -> None:
    """Else there would be nothing that could change."""
    decisions = [decided(BASE, claims, request) for claims, request in REQUESTS]

    services = {each.service.name for each in decisions if isinstance(each, Permit)}
    assert services == set(SERVICES)
    assert {each.reason for each in decisions if isinstance(each, Deny)} >= {
        Reason.DENIED_BY_POLICY, Reason.NO_POLICY_MATCHED, Reason.TARGET_UNKNOWN
    }  # fmt: skip


def named(request: DecisionRequest) -> str:
    service = BASE.policy_set.service(request.targets[0])
    assert service is not None
    return service.name
