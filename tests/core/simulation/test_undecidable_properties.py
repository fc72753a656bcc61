"""What is called decidable comes out the same whatever the token had that is not on record."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.conditions import Condition, Equals, Not, Present
from broker.core.decision import decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.simulation.outcome import Outcome, Undecidable
from broker.core.simulation.redecision import Redecision
from tests.core.builders import NOW, a_deny_policy, a_policy, a_policy_set, a_service, an_issuer
from tests.core.simulation.recording import DEPLOY
from tests.core.simulation.test_remembered import ACCOUNTS, past

NAMES = ("team", "tier")
VALUES = (None, "a", "b", "c", ["a", "b"])

unknown = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(NAMES, st.sampled_from(["a", ["a", "b"], Not(Equals("a")), Present()])),
)
known = st.fixed_dictionaries(
    {"repository": st.sampled_from(["acme/web", "acme/api"])},
    optional={"environment": st.just("production")},
)
matches = st.builds(lambda one, other: {**one, **other}, known, unknown)
allows = st.builds(
    lambda match, account, scopes: a_policy(
        "", match, service_account=account, grants=scopes and {"deploy-api": scopes}
    ),
    matches,
    st.sampled_from(["deploy-web", "per-repo"]),
    st.sampled_from([None, ["deploy:read"]]),
)
denies = st.builds(
    lambda match, services: a_deny_policy("", match, services=services),
    matches,
    st.sampled_from([None, frozenset({"elsewhere"})]),
)
requires = st.sampled_from([(), (Condition("team", Equals("a")),)])


@settings(max_examples=150)
@given(
    policies=st.lists(allows | denies, max_size=4),
    of_issuer=requires,
    of_service=requires,
    environment=st.sampled_from(["production", ""]),
    tokens=st.lists(st.tuples(*(st.sampled_from(VALUES) for _ in NAMES)), min_size=2, max_size=6),
)
def test_what_is_decidable_does_not_hang_on_what_is_not_on_record(
    policies: list[Any],
    of_issuer: Any,
    of_service: Any,
    environment: str,
    tokens: list[tuple[Any, ...]],
) -> None:
    issuer = an_issuer("github", require=of_issuer)
    policy_set = a_policy_set(
        *(replace(each, name=f"p-{number}") for number, each in enumerate(policies)),
        issuers=[issuer],
        services=[a_service(require=of_service)],
        accounts=ACCOUNTS,
    )
    indexed = IndexedPolicies.of(replace(policy_set, version="2" * 64))
    job = {"repository": "acme/web", "environment": environment}

    decided = past(job, DEPLOY, NOW)
    found = Redecision(indexed).decide(decided)

    if isinstance(found, Undecidable):
        assert set(found.claims) <= set(NAMES)
        return
    for values in tokens:
        had = {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}
        itself = Outcome.of(decide({**(decided.claims or {}), **had}, issuer, DEPLOY, indexed, NOW))
        assert itself.permits == found.permits
        if found.permits:
            assert replace(itself, policies=()) == replace(found, policies=())
