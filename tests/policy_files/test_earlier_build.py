"""A build that takes over what an earlier one made gives what a first build would give."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import ConfigurationError
from broker.core.policy import PolicySet
from broker.policy_files import Deployment
from broker.policy_files.build import build
from broker.policy_files.earlier_build import EarlierBuild
from broker.policy_files.positions import as_named
from broker.reload.known_texts import KnownTexts

DEPLOYMENT = Deployment(
    broker_issuer="https://broker.example",
    ttl=600,
    max_ttl=3600,
    signing_algorithms=("RS256", "ES256"),
    loopback=False,
    folders=(),
    positions_of=as_named,
)

ISSUERS = [
    "issuers: {ci: {preset: github}}",
    "issuers: {ci: {preset: gitlab}}",
    "issuers: {ci: {issuer: 'https://ci.example', tenant: [repository]}}",
    "issuers: {other: {preset: github}}",
    "issuers: {ci: {preset: nothing}}",
]
SERVICES = [
    "services: {api: {audience: 'https://api.example', scopes: {a:x: one, a:y: two}}}",
    "services: {api: {audience: 'https://api.example', scopes: {a:x: one}}}",
    "services: {web: {audience: 'https://api.example', scopes: {a:x: one}}}",
]
ACCOUNTS = [
    "service_accounts: {one: {grants: {api: [a:x]}}}",
    "service_accounts: {one: {grants: {api: [a:x]}, instances: [ref]}}",
    "service_accounts: {two: {grants: {api: [a:x]}}}",
]
POLICIES = [
    "policies: {p: {service_account: one, issuer: ci, match: {repository: Acme/web}}}",
    "policies: {p: {service_account: one, issuer: ci, match: {repository: acme/web, ref: main}}}",
    """policies: {q: {issuer: ci, service_account: one, grants: {api: ["a:*"]},
        match: {repository: a/b}}}""",
    "policies: {p: {effect: deny, issuer: ci, services: [api], match: {ref: x}}}",
    "policies: {p: {service_account: one, issuer: ci, match: {repository: {glob: '*'}}}}",
    "policies: {p: 7}",
    "policies: [",
]

folders = st.fixed_dictionaries(
    {
        "issuers.yaml": st.sampled_from(ISSUERS),
        "services.yaml": st.sampled_from(SERVICES),
        "accounts.yaml": st.sampled_from(ACCOUNTS),
        "policies.yaml": st.sampled_from(POLICIES),
    },
    optional={
        "more.yaml": st.sampled_from(POLICIES),
        # The same lines as a file of another name.
        "again.yaml": st.sampled_from(POLICIES),
    },
)


Outcome = PolicySet | list[str]


def outcome(texts: Mapping[str, str], known: KnownTexts, earlier: EarlierBuild) -> Outcome:
    try:
        loaded = build(texts, DEPLOYMENT, read_text=known.read, earlier=earlier)
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems]
    return loaded.policy_set


def assert_built_as_afresh(*states: Mapping[str, str]) -> None:
    known, earlier = KnownTexts(), EarlierBuild()
    for texts in states:
        result = outcome(texts, known, earlier)
        afresh = outcome(texts, KnownTexts(), EarlierBuild())

        assert result == afresh
        assert places(result) == places(afresh)


def places(result: Outcome) -> object:
    """Tell what equality passes over: where the policies stand."""
    return result if isinstance(result, list) else {k: v.place for k, v in result.policies.items()}


@given(st.lists(folders, min_size=2, max_size=5))
def test_it_makes_no_difference_what_was_built_before(states: list[dict[str, str]]) -> None:
    assert_built_as_afresh(*states)


SOUND = {"i": ISSUERS[0], "s": SERVICES[0], "a": ACCOUNTS[0], "p": POLICIES[0]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SOUND, {**SOUND, "i": ISSUERS[1]}),
        (SOUND, {**SOUND, "i": ISSUERS[3]}),
        (SOUND, {**SOUND, "s": SERVICES[2], "a": ""}),
        (SOUND, {**SOUND, "a": ACCOUNTS[1]}),
        (SOUND, {**SOUND, "a": ACCOUNTS[2]}),
        ({**SOUND, "p": POLICIES[2]}, {**SOUND, "p": POLICIES[2], "s": SERVICES[1]}),
        # What is defined, but badly, is not missing.
        ({**SOUND, "i": ISSUERS[4]}, {**SOUND, "i": ""}),
        # While a file cannot be read, nobody knows what it defines.
        ({**SOUND, "i": "issuers: ["}, {**SOUND, "i": ""}),
    ],
)
def test_a_policy_is_judged_anew_when_what_it_refers_to_has_changed(
    before: dict[str, str], after: dict[str, str]
) -> None:
    assert_built_as_afresh(before, after)


def test_a_policy_is_made_once_as_long_as_what_it_refers_to_is_the_same() -> None:
    texts = dict(SOUND)
    known, earlier = KnownTexts(), EarlierBuild()

    def policy() -> object:
        result = outcome(texts, known, earlier)
        assert isinstance(result, PolicySet)
        return result.policies["p"]

    first = policy()
    texts["q"] = POLICIES[2]
    assert policy() is first

    texts["s"] = SERVICES[1]
    assert policy() is not first
