"""Row 168: a deny policy vanishes with its file, its folder or its effect."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.ports import Rejected, Reloaded
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import SpecialBroker

FORKS = """\
policies:
  fork-previews:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 456789, event_name: pull_request_target}
"""
DENY = """\
policies:
  no-forks: {effect: deny, issuer: github, match: {event_name: {glob: "pull_request*"}}}
"""


@contextmanager
def guarded(folder: Path) -> Iterator[RunningBroker]:
    """Serve a broker on which one deny policy is all that keeps forks out."""
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    with SpecialBroker(folder).serving() as broker:
        yield broker


def write_guard(folder: Path) -> None:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "forks.yaml").write_text(FORKS)
    (folder / "policies" / "guard.yaml").write_text(DENY)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    write_guard(tmp_path)
    with guarded(tmp_path) as broker:
        assert_guarded(broker)
        yield broker


def assert_guarded(broker: RunningBroker) -> None:
    fork = broker.exchange(broker.github_token(event_name="pull_request_target"))
    assert_refused(broker, fork, "denied_by_policy")


def delete(guard: Path) -> None:
    guard.unlink()


def truncate(guard: Path) -> None:
    guard.write_text("")


def comment_out(guard: Path) -> None:
    guard.write_text("".join(f"# {line}\n" for line in DENY.splitlines()))


def only_observe(guard: Path) -> None:
    guard.write_text(DENY.replace("effect: deny", "effect: deny, mode: observe"))


def let_expire(guard: Path) -> None:
    guard.write_text(DENY.replace("effect: deny", "effect: deny, expires: 2020-01-01"))


def rename_and_narrow(guard: Path) -> None:
    narrowed = DENY.replace('{glob: "pull_request*"}', "pull_request")
    guard.write_text(narrowed.replace("no-forks", "no-pull-requests"))


def hide(guard: Path) -> None:
    guard.rename(guard.with_name(f".{guard.name}"))


def give_another_suffix(guard: Path) -> None:
    guard.rename(guard.with_suffix(".yaml.bak"))


def shadow_by_an_allow(guard: Path) -> None:
    guard.write_text(FORKS.replace("fork-previews", "no-forks"))


HARMS = [
    delete,
    truncate,
    comment_out,
    only_observe,
    let_expire,
    rename_and_narrow,
    hide,
    give_another_suffix,
    shadow_by_an_allow,
]


@pytest.mark.parametrize("harm", HARMS)
def test_a_deny_policy_does_not_go_unasked(
    broker: RunningBroker, harm: Callable[[Path], None]
) -> None:
    harm(broker.folder / "policies" / "guard.yaml")

    outcome = broker.reload(forced=False)

    assert isinstance(outcome, Rejected)
    assert "deny policies would be gone: `no-forks`" in outcome.problems[0].message
    assert_guarded(broker)
    assert broker.request("GET", "/readyz").json() == {"status": "degraded"}
    types = [each["type"] for each in broker.events()]
    assert [each for each in types if each.startswith("policy.")] == ["policy.rejected"]


@pytest.mark.parametrize("harm", [delete, only_observe])
def test_an_operator_can_let_it_go_and_that_is_on_record(
    broker: RunningBroker, harm: Callable[[Path], None]
) -> None:
    harm(broker.folder / "policies" / "guard.yaml")

    assert isinstance(broker.reload(forced=True), Reloaded)
    verified(broker, broker.exchange(broker.github_token(event_name="pull_request_target")))
    [event] = [each for each in broker.events() if each["type"] == "policy.reloaded"]
    assert event["changes"]["dropped_denies"] == ["no-forks"]
    assert event["changes"]["forced"] is True


def test_an_emptied_folder_does_not_empty_the_broker(broker: RunningBroker) -> None:
    for file in (broker.folder / "policies").iterdir():
        file.unlink()

    outcome = broker.reload(forced=False)

    assert isinstance(outcome, Rejected)
    assert "no policy is left" in outcome.problems[0].message
    verified(broker, broker.exchange(broker.github_token()))
    assert_guarded(broker)


def test_an_unmounted_folder_is_not_taken_even_when_forced(broker: RunningBroker) -> None:
    (broker.folder / "policies").rename(broker.folder / "unmounted")

    for forced in (False, True):
        assert isinstance(broker.reload(forced=forced), Rejected)
    verified(broker, broker.exchange(broker.github_token()))
    assert_guarded(broker)


def test_a_restart_with_a_broken_folder_is_guarded_as_before(tmp_path: Path) -> None:
    write_guard(tmp_path)
    with guarded(tmp_path) as broker:
        before = broker.in_force().policies
    (tmp_path / "policies" / "guard.yaml").write_text(DENY[:40])
    with guarded(tmp_path) as broker:
        assert broker.request("GET", "/readyz").json() == {"status": "degraded"}
        assert broker.in_force().policies == before
        assert "no-forks" in before
