"""Crowds of policies and tokens from which property tests pick a few: much in them coincides."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from broker.core.conditions import (
    AnyOf,
    Condition,
    Effect,
    Equals,
    Glob,
    Matcher,
    Not,
    Present,
    Regex,
)
from broker.core.platforms import GITHUB
from broker.core.policy import Mode, Policy
from tests.core.builders import NOW, some_grants

ACCOUNTS = ("deploy-web", "reader", "off", "missing")
SERVICES = ("deploy-api", "artifacts")

# What most tokens say, and what some say instead.
USUAL: dict[str, Any] = {
    "repository": "a/web",
    "repository_id": "1",
    "ref": "main",
    "environment": "prod",
    "event_name": "push",
    "groups": ["ops", "dev"],
    "deep": {"er": "main"},
}
UNUSUAL = [
    ..., None, "", "A/Web", "b/web", "PROD", "1", 1, True, 1.5, "pull_request", "dev", [], ["dev"],
    [None, "1"], ["ops", {}], ["A/web", "b"], {"er": "x"}, {"er": ["main", "x"]},
]  # fmt: skip
ONE_TEXT = {"groups": "ops", "deep": "x", "/deep/er": "main", "absent": "x"}


def tokens() -> list[dict[str, Any]]:
    """The usual token, and those with one or two unusual claims."""
    usual = {"iss": GITHUB.issuer, "sub": "repo:a/web:ref:main", "exp": NOW + 600, "iat": NOW}
    single = [{claim: value} for claim in USUAL for value in UNUSUAL]
    double = [one | other for one, other in combinations(single, 2)][::37]
    changed = [usual | USUAL | changes for changes in ({}, *single, *double)]
    return [{k: v for k, v in claims.items() if v is not ...} for claims in changed]


def matches() -> Iterator[tuple[Condition, ...]]:
    """No condition, one, and many pairs of conditions on different claims."""
    single = [
        Condition(claim, matcher, folded=claim in GITHUB.folded)
        for claim in (*USUAL, "/deep/er", "absent")
        for matcher in _matchers(ONE_TEXT.get(claim) or str(USUAL[claim]))
    ]
    yield ()
    yield from ((condition,) for condition in single)
    pairs = [(a, b) for a, b in combinations(single, 2) if a.claim != b.claim]
    yield from pairs[::9]


def _matchers(text: str) -> list[Matcher]:
    owner = text.partition("/")[0]
    return [
        Equals(text),
        Equals(text.upper()),
        AnyOf((Equals("dev"), Equals(text))),
        AnyOf((Equals("x"), Glob(f"{owner}*/*"))),
        Glob(f"{owner.upper()}/*"),
        Glob(f"{owner}**"),
        Regex(f"{owner}.*"),
        Present(),
        Not(Equals(text)),
        Not(Glob(f"{owner}*")),
        Not(AnyOf((Regex("d.*"), Equals("PROD")))),
    ]


def allow_policies(accounts: tuple[str, ...]) -> list[Policy]:
    """Policies of every match; what else they say changes from one to the next."""
    grants = [None, None, {"deploy-api": ["deploy:read"]}, {"artifacts": ["deploy:write"]},
              {"deploy-api": ["deploy:write"], "artifacts": ["deploy:read"]}]  # fmt: skip
    return [
        Policy(
            name=f"allow-{place}",
            issuer="github",
            conditions=match,
            service_account=accounts[place % len(accounts)],
            grants=None if (chosen := grants[place % 5]) is None else some_grants(chosen),
            ttl=(None, 60, 900)[place % 3],
            max_ttl=(None, None, 120, 700)[place % 4],
            expires_at=(None, None, None, NOW + 1, NOW)[place % 7 % 5],
            mode=Mode.OBSERVE if place % 11 == 0 else Mode.ENFORCE,
        )
        for place, match in enumerate(matches())
    ]


def deny_policies() -> list[Policy]:
    services = (None, frozenset({"deploy-api"}), frozenset({"artifacts"}))
    return [
        Policy(
            name=f"deny-{place}",
            issuer="github",
            conditions=match,
            effect=Effect.DENY,
            services=services[place % 3],
            expires_at=(None, None, NOW)[place % 7 % 3],
        )
        for place, match in enumerate(matches())
    ]
