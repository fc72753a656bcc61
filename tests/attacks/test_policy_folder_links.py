"""Row 85: links, pipes and half-written files in the policy folder of a broker that is running."""

import json
import os
from collections.abc import Iterator

import pytest

from broker.ports import Rejected
from tests.attacks.refusals import LOG, assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

EVIL = """\
policies:
  evil: {service_account: deploy-web, issuer: github, match: {repository: evil/repo}}
"""
SECRET = "api_key: s3cret-of-another-program\n"


@pytest.fixture
def broker(own_broker: RunningBroker) -> Iterator[RunningBroker]:
    """A broker, and beside its policy folder files that are none of its business."""
    outside = own_broker.folder / "outside"
    outside.mkdir()
    (outside / "evil.yaml").write_text(EVIL)
    (outside / "secret.yaml").write_text(SECRET)
    yield own_broker
    octo = own_broker.exchange(own_broker.github_token())
    verified(own_broker, octo)


def assert_taken_by_nobody(broker: RunningBroker, word: str) -> None:
    """Assert that a reload is refused for this reason, even forced, and that nothing changed."""
    before = broker.in_force()
    outcome = broker.reload(forced=True)

    assert isinstance(outcome, Rejected)
    assert any(word in each.message for each in outcome.problems), outcome.problems
    assert broker.in_force() is before
    answer = broker.exchange(broker.github_token(repository="evil/repo", repository_id="666"))
    assert_refused(broker, answer, "no_policy_matched")
    assert broker.request("GET", "/readyz").json() == {"status": "degraded"}


@pytest.mark.parametrize("target", ["../outside/evil.yaml", "../outside/secret.yaml"])
def test_a_link_out_of_the_folder_is_not_followed(broker: RunningBroker, target: str) -> None:
    (broker.folder / "policies" / "more.yaml").symlink_to(target)

    assert_taken_by_nobody(broker, "a link that leads out of the policy folder")
    for told in (LOG.text(), json.dumps(broker.events())):
        assert "s3cret" not in told


def test_a_link_to_a_folder_outside_is_not_followed(broker: RunningBroker) -> None:
    (broker.folder / "policies" / "more").symlink_to("../outside")

    assert_taken_by_nobody(broker, "a link to a folder")


def test_a_link_through_a_hidden_folder_is_not_followed(broker: RunningBroker) -> None:
    (broker.folder / "policies" / "..data").symlink_to("../outside")
    (broker.folder / "policies" / "more.yaml").symlink_to("..data/evil.yaml")

    assert_taken_by_nobody(broker, "a link that leads out of the policy folder")


def test_a_link_in_a_circle_is_told(broker: RunningBroker) -> None:
    (broker.folder / "policies" / "more.yaml").symlink_to("more.yaml")

    assert_taken_by_nobody(broker, "cannot be read")


def test_a_pipe_without_a_writer_holds_nothing_up(broker: RunningBroker) -> None:
    os.mkfifo(broker.folder / "policies" / "more.yaml")

    assert_taken_by_nobody(broker, "not a regular file")


def test_a_link_to_a_device_is_not_read(broker: RunningBroker) -> None:
    (broker.folder / "policies" / "more.yaml").symlink_to("/dev/zero")

    assert_taken_by_nobody(broker, "leads out")


def test_the_folder_itself_may_be_replaced_by_nothing_else(broker: RunningBroker) -> None:
    policies = broker.folder / "policies"
    policies.rename(broker.folder / "aside")
    policies.write_text(EVIL)

    assert_taken_by_nobody(broker, "there is no such folder")
