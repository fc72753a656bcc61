"""Policies that pin tenant A never serve tenant B (attacks rows 52, 61, 68, 69, 162)."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.conditions import (
    AnyOf,
    Condition,
    Equals,
    Glob,
    Matcher,
    Not,
    Present,
    Regex,
    Single,
)
from broker.core.decision import Deny
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import PRESETS, Platform
from broker.core.policy import Issuer, Policy
from broker.core.tenant_floor import pins_tenant
from tests.core.builders import (
    NOW,
    a_policy_set,
    an_issuer,
    github_claims,
    gitlab_claims,
    other_claims,
    the_decision,
)

Claims = dict[str, Any]
Conditions = tuple[Condition, ...]

A = [("acme", "1"), ("Acme-Kit", "12")]
REPOSITORIES = ["web", "acme"]
TAILS = ["", ":ref:refs/heads/main", ":environment:repo:acme/web"]
# Names and ids of B begin, end, contain and look like those of A.
OWNERS_B = [
    "acme-evil", "evil", "acm", "evil-acme", "xacme", "acme.io", "acme_", "acme-kit2",
    "acme-\u212ait",
]  # fmt: skip
IDS_B = ["2", "11", "121", "01", "1-2", "0", "acme"]
FREE = ["refs/heads/main", "main", "prod", "acme/web", "acme", "1", "repo:acme/web", "é"]


def claims_of(owner: str, number: str, repository: str, platform: str) -> Iterator[dict[str, str]]:
    """The tenant claims of a tenant's job, with every `sub` that its platform may write."""
    path = f"{owner}/{repository}"
    for tail in TAILS:
        if platform == "github":
            subs = [f"repo:{path}", f"repo:{owner}@{number}/{repository}@{number}",
                    f"repository_owner:{owner}", f"repository_id:{number}", "environment:prod",
                    f"job_workflow_ref:acme/web/x:repository_owner:{owner}"]  # fmt: skip
            names = {"repository": path, "repository_owner": owner}
            ids = {"repository_id": number, "repository_owner_id": number}
        elif platform == "gitlab":
            subs = [f"project_path:{path}", f"project_id:{number}", "ref_type:branch"]
            names = {"project_path": path, "namespace_path": owner}
            ids = {"project_id": number, "namespace_id": number}
        else:
            subs, names = [f"organization:{owner}"], {"organization_slug": owner}
            ids = {"organization_id": number}
        for sub in subs:
            yield {**names, **ids, "sub": sub + tail}


def matchers_over(value: str) -> list[Matcher]:
    """Matchers that someone may write for a value of A, careless ones among them."""
    owner, slash, _ = value.partition("/")
    globs = [value, "*", "**", f"{value}*", f"{owner}*", f"{owner}/*", f"{owner}{slash}**", "*/web",
             f"*{value}", f"?{value[1:]}", f"{owner}*/*", f"{owner.upper()}/**"]  # fmt: skip
    singles: list[Single] = [Equals(value), Regex(f"{value}.*"), Regex(".*"), *map(Glob, globs)]
    lists = [AnyOf((Equals(value), one)) for one in singles]
    return [*singles, *lists, Not(Equals("x")), Not(Glob("x*")), Present()]


def matches_for_a(platform: str) -> Iterator[Conditions]:
    """Every matcher over every claim of A, alone and beside a condition on a free claim."""
    preset = PRESETS.get(platform)
    folded = preset.folded if preset else frozenset()
    for owner, number in A:
        for claims in claims_of(owner, number, REPOSITORIES[0], platform):
            for claim, value in claims.items():
                for matcher in matchers_over(value):
                    condition = Condition(claim, matcher, folded=claim in folded)
                    yield (condition,)
                    yield (condition, Condition("ref", Glob("**")))
                    yield (Condition(f"/{claim}/x", matcher), Condition(claim, Present()))


def a_token(platform: Platform | None, **claims: Any) -> Claims:
    makers: dict[str, Callable[..., Claims]] = {"github": github_claims, "gitlab": gitlab_claims}
    make = makers[platform.name] if platform else other_claims
    return make(**claims)


def of_another_owner(name: str) -> bool:
    folded = re.sub("[A-Z]", lambda letter: letter[0].lower(), name)
    return folded not in ("acme", "acme-kit")


A_IDS = [number for _, number in A]
NAMES = (st.sampled_from(OWNERS_B) | st.text("acme-Kitvl\u212a", min_size=1, max_size=6)).filter(
    of_another_owner
)
NUMBERS = (st.sampled_from(IDS_B) | st.text("0123", min_size=1, max_size=3)).filter(
    lambda number: number not in A_IDS
)
CHANGES = st.dictionaries(
    st.sampled_from(["ref", "environment", "workflow", "deep"]), st.sampled_from(FREE), max_size=2
)


def tokens_of_b(platform: str) -> st.SearchStrategy[list[Claims]]:
    """Tokens of one tenant B with every `sub`; its author chooses the claims that are free."""

    def tokens(
        owner: str, number: str, repository: str, free: Claims, dropped: int
    ) -> list[Claims]:
        tenants = claims_of(owner, number, repository, platform)
        every = [a_token(PRESETS.get(platform), **free, **tenant) for tenant in tenants]
        names = [*sorted(next(claims_of("", "", "", platform))), "event_name"]
        without = names[dropped % len(names)]
        return [{k: v for k, v in claims.items() if k != without} for claims in every]

    return st.builds(
        tokens, NAMES, NUMBERS, st.sampled_from(REPOSITORIES), CHANGES, st.integers(0, 9)
    )


def pinning_matches(issuer: Issuer) -> list[Conditions]:
    found = (match for match in matches_for_a(issuer.name) if pins_tenant(match, issuer))
    return list(dict.fromkeys(found))


def policies_of(matches: list[Conditions], issuer: Issuer) -> IndexedPolicies:
    policies = [
        Policy(f"p{place}", issuer.name, match, service_account="deploy-web")
        for place, match in enumerate(matches)
    ]
    return IndexedPolicies.of(a_policy_set(*policies, issuers=[issuer]))


@pytest.mark.parametrize("platform", ["github", "gitlab", "ci"])
def test_no_policy_that_pins_one_tenant_holds_for_another(platform: str) -> None:
    issuer = an_issuer(platform)
    indexed = policies_of(pinning_matches(issuer), issuer)

    @settings(max_examples=100, deadline=None)
    @given(tokens=tokens_of_b(platform))
    def check(tokens: list[Claims]) -> None:
        for claims in tokens:
            assert indexed.allowing(issuer, claims, NOW) == []

    check()
    own = next(claims_of("acme", "1", "web", platform))
    assert indexed.allowing(issuer, a_token(issuer.platform, **own), NOW)


@pytest.mark.parametrize("platform", ["github", "gitlab", "ci"])
def test_an_issuer_that_pins_one_tenant_permits_no_other(platform: str) -> None:
    pinning = pinning_matches(an_issuer(platform))

    @settings(max_examples=100, deadline=None)
    @given(require=st.sampled_from(pinning), tokens=tokens_of_b(platform))
    def check(require: Conditions, tokens: list[Claims]) -> None:
        issuer = an_issuer(platform, require=require)
        anyone = Policy("anyone", platform, (), service_account="deploy-web")
        policy_set = a_policy_set(anyone, issuers=[issuer])

        assert pins_tenant((), issuer)
        for claims in tokens:
            assert isinstance(the_decision(policy_set, claims, issuer=platform), Deny)

    check()
