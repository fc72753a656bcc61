"""Rows 64-66, 68: a regular expression that holds for more than was meant, or never ends."""

from collections.abc import Iterator

import pytest

from tests.attacks.configuration import load_policies, problem_of
from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    from_github,
    policies_of_own_tenants,
)
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

CONDITIONS = {
    "name-inside": 'repository: {regex: "octo-org/octo-repo"}',
    "own-anchors": 'repository: {regex: "^octo-org/octo-repo$"}',
    "own-anchors-of-ref": 'ref: {regex: "^refs/heads/main$"}',
    "every-line": 'ref: {regex: "(?m)^refs/heads/main$"}',
    "dot-and-newline": 'workflow: {regex: "(?s)Deploy.*"}',
    "dot": 'workflow: {regex: "Deploy.*"}',
    "either": 'sub: {regex: "repo:octo-org/.*|repo:octo-lab/web"}',
    "either-anchored": 'sub: {regex: "^repo:octo-org/x|repo:octo-lab/web$"}',
    "case": 'ref: {regex: "refs/heads/main"}',
    "nested-plus": 'workflow: {regex: "(a+)+$"}',
    "nested-star": 'workflow: {regex: "([a-z-]+)*:"}',
    "overlapping": 'workflow: {regex: "(a|a)*b"}',
    "excluded": 'workflow: {not: {regex: "(a+)+$"}}',
    "not-a-word": 'workflow: {not: {regex: ".*untrusted.*"}}',
    "not-one-of-two": 'workflow: {not: [other, {regex: "x.+"}]}',
    "not-a-glob": 'workflow: {not: {glob: "**untrusted**"}}',
    "denied-word": "",
    "denied-glob": "",
}

DENIES = """\
  no-untrusted:
    effect: deny
    issuer: github
    match: {workflow: {regex: ".*untrusted.*"}, repository_id: denied-word}
  no-untrusted-glob:
    effect: deny
    issuer: github
    match: {workflow: {glob: "**untrusted**"}, repository_id: denied-glob}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    policies = "policies:\n" + policies_of_own_tenants(CONDITIONS) + DENIES
    with special_broker(tmp_path_factory.mktemp("broker"), policies) as broker:
        yield broker


@pytest.mark.parametrize("policy", ["name-inside", "own-anchors"])
@pytest.mark.parametrize(
    "repository",
    [
        "evil/octo-org/octo-repo-x",
        "evil/octo-org/octo-repo",
        "octo-org/octo-repo-x",
        "xocto-org/octo-repo",
        "octo-org/octo-repo/x",
        "octo-org/octo-rep",
    ],
)
def test_a_regex_means_the_whole_value(broker: RunningBroker, policy: str, repository: str) -> None:
    assert_no_policy(broker, from_github(broker, policy, repository=repository))


@pytest.mark.parametrize("policy", ["name-inside", "own-anchors", "own-anchors-of-ref", "case"])
def test_and_holds_for_that(broker: RunningBroker, policy: str) -> None:
    assert_permitted_by(broker, from_github(broker, policy), policy)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u0085", "\u2028", "\x00", " "], ids=repr)
@pytest.mark.parametrize("policy", ["own-anchors-of-ref", "every-line", "case"])
def test_a_dollar_does_not_stop_before_a_line_end(
    broker: RunningBroker, policy: str, end: str
) -> None:
    answer = from_github(broker, policy, ref=f"refs/heads/main{end}", sub="repo:octo-org/octo-repo")

    assert_no_policy(broker, answer)


def test_no_line_of_several_is_the_value(broker: RunningBroker) -> None:
    ref = "refs/heads/x\nrefs/heads/main\nrefs/heads/y"

    answer = from_github(broker, "every-line", ref=ref, sub="repo:octo-org/octo-repo")

    assert_no_policy(broker, answer)


def test_a_dot_is_no_line_end_unless_asked_to(broker: RunningBroker) -> None:
    assert_no_policy(broker, from_github(broker, "dot", workflow="Deploy\nx"))
    answer = from_github(broker, "dot-and-newline", workflow="Deploy\nx")
    assert_permitted_by(broker, answer, "dot-and-newline")


@pytest.mark.parametrize("workflow", ["untrusted", "x untrusted y", "x\nuntrusted", "untrusted\n"])
@pytest.mark.parametrize("tenant", ["not-a-word", "not-a-glob", "denied-word", "denied-glob"])
def test_a_line_end_leads_past_nothing_that_is_refused(
    broker: RunningBroker, tenant: str, workflow: str
) -> None:
    answer = from_github(broker, tenant, workflow=workflow)

    if tenant.startswith("not"):
        assert_no_policy(broker, answer)
    else:
        assert_refused(broker, answer, "denied_by_policy")


@pytest.mark.parametrize("tenant", ["not-a-word", "not-a-glob", "denied-word", "denied-glob"])
def test_and_what_is_not_meant_is_not_refused(broker: RunningBroker, tenant: str) -> None:
    assert_permitted_by(broker, from_github(broker, tenant, workflow="trusted\nx"), tenant)


def test_nor_past_one_of_several_that_are(broker: RunningBroker) -> None:
    assert_no_policy(broker, from_github(broker, "not-one-of-two", workflow="x\n"))
    answer = from_github(broker, "not-one-of-two", workflow="x")
    assert_permitted_by(broker, answer, "not-one-of-two")


@pytest.mark.parametrize("claim", ["repository", "sub"])
def test_what_names_the_tenant_has_no_line_end_at_all(broker: RunningBroker, claim: str) -> None:
    answer = from_github(broker, "own-anchors", **{claim: "octo-org/octo-repo\n"})

    assert_refused(broker, answer, "claim_invalid")


@pytest.mark.parametrize(
    ("policy", "sub"),
    [
        ("either", "repo:octo-lab/web-x"),
        ("either", "x-repo:octo-lab/web"),
        ("either", "x-repo:octo-org/web"),
        ("either", "repo:octo-orgs/web"),
        ("either-anchored", "repo:octo-org/x-evil"),
        ("either-anchored", "repo:evil/repo:octo-lab/web"),
        ("either-anchored", "repo:octo-org/xrepo:octo-lab/web"),
    ],
)
def test_every_alternative_is_the_whole_value(broker: RunningBroker, policy: str, sub: str) -> None:
    assert_no_policy(broker, from_github(broker, policy, sub=sub))


@pytest.mark.parametrize(
    ("policy", "sub"),
    [
        ("either", "repo:octo-org/anything:ref:x"),
        ("either", "repo:octo-lab/web"),
        ("either-anchored", "repo:octo-org/x"),
        ("either-anchored", "repo:octo-lab/web"),
    ],
)
def test_and_each_of_them_holds(broker: RunningBroker, policy: str, sub: str) -> None:
    assert_permitted_by(broker, from_github(broker, policy, sub=sub), policy)


@pytest.mark.parametrize("ref", ["refs/heads/MAIN", "REFS/HEADS/MAIN"])
def test_a_regex_compares_case_where_the_platform_does(broker: RunningBroker, ref: str) -> None:
    assert_no_policy(broker, from_github(broker, "case", ref=ref))


@pytest.mark.parametrize("policy", ["nested-plus", "nested-star", "overlapping"])
def test_a_pattern_that_explodes_elsewhere_answers_here(broker: RunningBroker, policy: str) -> None:
    """Doubling with every character, such a value would take longer than the world has stood."""
    assert_no_policy(broker, from_github(broker, policy, workflow="a" * 8000 + "!"))


def test_nor_does_it_explode_inside_not(broker: RunningBroker) -> None:
    answer = from_github(broker, "excluded", workflow="a" * 8000 + "!")

    assert_permitted_by(broker, answer, "excluded")


FILE = """\
issuers:
  github: {{preset: github}}
services:
  deploy-api: {{audience: https://deploy.example.com, scopes: {{deploy:read: See}}}}
service_accounts:
  deploy-web: {{grants: {{deploy-api: [deploy:read]}}}}
policies:
  main:
    service_account: deploy-web
    issuer: github
    match:
      repository_id: 456789
      ref: {{regex: '{pattern}'}}
"""


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("a)|(", "RE2"),
        ("a)|(b", "RE2"),
        (")", "RE2"),
        ("(?=main)", "RE2"),
        ("(a)\\1", "RE2"),
        ("(?P<a>x)(?P=a)", "RE2"),
        ("((a{100}){100}){100}", "RE2"),
        ("main" * 1000, "1000"),
    ],
)
def test_a_pattern_that_does_not_stand_alone_does_not_load(pattern: str, word: str) -> None:
    problem = problem_of(FILE.format(pattern=pattern))

    assert problem.startswith("policies.yaml:13:20: ")
    assert word in problem


@pytest.mark.parametrize("pattern", ["(a|b)", "(?:a)|(?:b)", "a{100}", "m" * 1000])
def test_one_that_does_loads(pattern: str) -> None:
    load_policies(FILE.format(pattern=pattern))
