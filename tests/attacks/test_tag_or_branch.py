"""Rows 99, 100: a tag with the name of a branch, a branch with the name of a tag, and no ref."""

from collections.abc import Iterator

import pytest

from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    from_github,
    from_gitlab,
    policies_of_own_tenants,
)
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

POLICIES = f"""\
policies:
{policies_of_own_tenants({
    "branch": "ref: refs/heads/main",
    "tag": 'ref: {glob: "refs/tags/v*"}, ref_type: tag',
    "any-branch": 'ref: {glob: "refs/heads/**"}',
    "star": 'ref: {glob: "*"}',
    "two-stars": 'ref: {glob: "**"}',
    "regex": 'ref: {regex: ".*"}',
    "not": "ref: {not: refs/heads/dev}",
    "present": "ref: {present: true}",
    "type-alone": "ref_type: branch",
})}
{policies_of_own_tenants({
    "path": "ref_path: refs/heads/main",
    "short-and-type": "ref: main, ref_type: branch",
    "short": "ref: main",
}, issuer="gitlab")}
"""  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


@pytest.mark.parametrize(
    ("policy", "ref"),
    [
        pytest.param("branch", "refs/tags/main", id="a tag called main"),
        pytest.param("branch", "main", id="a short name"),
        pytest.param("branch", "refs/heads/refs/heads/main", id="a branch called refs/heads/main"),
        pytest.param("branch", "refs/tags/refs/heads/main", id="a tag called refs/heads/main"),
        pytest.param("branch", "refs/remotes/origin/main", id="a remote's branch"),
        pytest.param("branch", "heads/main", id="half of a name"),
        pytest.param("branch", "refs/heads/main/", id="a slash too many"),
        pytest.param("branch", "refs//heads/main", id="two slashes"),
        pytest.param("tag", "refs/heads/refs/tags/v1", id="a branch called refs/tags/v1"),
        pytest.param("tag", "refs/heads/v1", id="a branch called v1"),
        pytest.param("tag", "refs/tags/x/v1", id="a tag in a folder"),
        pytest.param("any-branch", "refs/tags/refs/heads/x", id="a tag called refs/heads/x"),
        pytest.param("star", "refs/heads/main", id="a star over slashes"),
    ],
)
def test_a_ref_is_its_full_name(broker: RunningBroker, policy: str, ref: str) -> None:
    assert_no_policy(broker, from_github(broker, policy, ref=ref))


@pytest.mark.parametrize(
    ("policy", "ref"),
    [
        ("branch", "refs/heads/main"),
        ("tag", "refs/tags/v1.2"),
        ("any-branch", "refs/heads/refs/tags/v1"),
        ("two-stars", "refs/tags/main"),
    ],
)
def test_and_nothing_else(broker: RunningBroker, policy: str, ref: str) -> None:
    assert_permitted_by(broker, from_github(broker, policy, ref=ref), policy)


def test_a_tag_says_so_itself(broker: RunningBroker) -> None:
    answer = from_github(broker, "tag", ref="refs/tags/v1", ref_type="branch")

    assert_no_policy(broker, answer)


@pytest.mark.parametrize("policy", ["path", "short-and-type"])
@pytest.mark.parametrize(
    "claims",
    [
        {"ref": "main", "ref_type": "tag"},
        {"ref": "main", "ref_type": "tag", "ref_protected": "true"},
        {"ref": "refs/heads/main", "ref_type": "tag"},
        {"ref": "refs/heads/main", "ref_type": "branch"},
        {"ref": "heads/main", "ref_type": "branch"},
        {"ref": "main", "ref_path": "refs/tags/main", "ref_type": "tag"},
    ],
    ids=repr,
)
def test_a_short_name_of_gitlab_is_told_apart_by_path_or_type(
    broker: RunningBroker, policy: str, claims: dict[str, str]
) -> None:
    assert_no_policy(broker, from_gitlab(broker, policy, **claims))


def test_and_by_nothing_else(broker: RunningBroker) -> None:
    """A short name alone is both: the reason to write `ref_path`."""
    for ref_type in ("branch", "tag"):
        assert_permitted_by(broker, from_gitlab(broker, "short", ref_type=ref_type), "short")
    for policy in ("path", "short-and-type"):
        assert_permitted_by(broker, from_gitlab(broker, policy), policy)


@pytest.mark.parametrize("event", ["deployment", "push"])
@pytest.mark.parametrize(
    "policy", ["branch", "any-branch", "star", "two-stars", "regex", "not", "present"]
)
def test_an_empty_ref_is_none(broker: RunningBroker, policy: str, event: str) -> None:
    """The deployment of a commit has no ref, and is said to be of type `branch` nevertheless."""
    for ref in ("", None):
        answer = from_github(
            broker, policy, ref=ref, ref_type="branch", event_name=event, sub="repo:x/y"
        )
        assert_no_policy(broker, answer)


def test_its_type_is_no_ref(broker: RunningBroker) -> None:
    answer = from_github(broker, "type-alone", ref="", ref_type="branch", event_name="deployment")

    assert_permitted_by(broker, answer, "type-alone")
