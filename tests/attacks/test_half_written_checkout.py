"""Row 167: the policies are read in the middle of a checkout, a copy, or a commit that fails."""

import os
from pathlib import Path

import pytest

from broker.ports import Rejected, Reloaded
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

DENY = """\
policies:
  no-forks: {effect: deny, issuer: github, match: {event_name: {glob: "pull_request*"}}}
"""
ALLOW = """\
policies:
  fork-previews:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 456789, event_name: pull_request}
"""
TEST = """\
tests:
  - name: forks get nothing
    issuer: github
    claims: {repository: octo-org/octo-repo, repository_id: "456789", event_name: pull_request}
    request: {audience: deploy-api}
    expect: deny
"""


@pytest.fixture
def broker(own_broker: RunningBroker) -> RunningBroker:
    verified(own_broker, own_broker.exchange(own_broker.github_token()))
    return own_broker


def folder(broker: RunningBroker) -> Path:
    return broker.folder / "policies"


def assert_as_before(broker: RunningBroker) -> None:
    """Assert that what was allowed still is, and that a fork's request still is not."""
    verified(broker, broker.exchange(broker.github_token()))
    fork = broker.exchange(broker.github_token(event_name="pull_request"))
    assert_refused(broker, fork, "no_policy_matched")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_a_file_that_ends_too_early_is_not_taken(broker: RunningBroker, share: float) -> None:
    octo = folder(broker) / "octo.yaml"
    whole = octo.read_bytes()
    os.truncate(octo, int(len(whole) * share))

    # An operator who is impatient forces it in the middle of the copy.
    assert isinstance(broker.reload(forced=True), Rejected)
    assert_as_before(broker)
    octo.write_bytes(whole)
    assert not isinstance(broker.reload(forced=False), Rejected)
    assert broker.request("GET", "/readyz").json() == {"status": "ready"}


def test_files_of_two_commits_are_not_mixed(broker: RunningBroker) -> None:
    # The new commit moves a policy from one file to another; the first file is not yet rewritten.
    octo = folder(broker) / "octo.yaml"
    moved = octo.read_text().partition("  octo-gitlab:")[2].partition("  octo-gitlab-corp:")[0]
    (folder(broker) / "gitlab.yaml").write_text(f"policies:\n  octo-gitlab:{moved}")

    outcome = broker.reload(forced=True)
    assert isinstance(outcome, Rejected)
    assert "`octo-gitlab` is already defined" in outcome.problems[0].message
    assert_as_before(broker)


def test_an_allow_that_comes_before_its_deny_does_not_pass_the_tests_beside_it(
    broker: RunningBroker,
) -> None:
    (folder(broker) / "previews.yaml").write_text(ALLOW + TEST)

    outcome = broker.reload(forced=True)
    assert isinstance(outcome, Rejected)
    assert "test `forks get nothing` fails" in outcome.problems[0].message
    assert_as_before(broker)

    (folder(broker) / "forks.yaml").write_text(DENY)
    assert isinstance(broker.reload(forced=False), Reloaded)
    fork = broker.exchange(broker.github_token(event_name="pull_request"))
    assert_refused(broker, fork, "denied_by_policy")


def test_a_lock_file_or_a_draft_of_an_editor_is_no_policy(broker: RunningBroker) -> None:
    for name in (".octo.yaml.swp", ".#octo.yaml", "octo.yaml~", "octo.yaml.orig"):
        (folder(broker) / name).write_text(ALLOW)

    assert not isinstance(broker.reload(forced=False), Rejected)
    assert_as_before(broker)
