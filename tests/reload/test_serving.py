"""Exchanges over HTTP while the policies are reloaded: none fails, each is decided by one set."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reload.policy_folders import ConfigMap, replace
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

RELOADS = 5
SETTLE = 0.02

# Three parts of two files that only fit together within one set.
CATALOGUE = """\
services:
  stepping: {{audience: "https://stepping.example", scopes: {{"step:{step}": One}}, ttl: {step}m}}
service_accounts:
  stepper: {{grants: {{stepping: ["step:{step}"]}}}}
"""
POLICY = """\
policies:
  step-{step}:
    service_account: stepper
    issuer: github
    match: {{repository_id: 456789}}
    grants: {{stepping: ["step:{step}"]}}
"""
Change = Callable[[int], None]


class Steps:
    """A broker whose policies come in numbered steps."""

    def __init__(self, broker: RunningBroker) -> None:
        self.broker = broker

    def in_force(self) -> int:
        """Tell which step decides now."""
        [name] = [each for each in self.broker.in_force().policies if each.startswith("step-")]
        return int(name.removeprefix("step-"))

    def asked(self) -> int:
        """Exchange a token; give the step that decided, which must have done so whole."""
        answer = self.broker.exchange(self.broker.github_token(), audience="stepping")
        claims = verified(self.broker, answer, audience="https://stepping.example")
        step = int(claims["policy"].removeprefix("step-"))
        assert claims["scope"] == f"step:{step}"
        assert claims["exp"] - claims["iat"] == step * 60
        return step


@pytest.fixture(params=["rename", "ConfigMap"])
def steps(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Steps, Change]]:
    """A broker and the way in which its policies are changed."""
    folder = tmp_path / "policies"
    if request.param == "rename":
        folder.mkdir()

        def change(step: int) -> None:
            text = CATALOGUE.format(step=step) + POLICY.format(step=step)
            replace(folder / "steps.yaml", text)

        change(1)
    else:
        texts = {"catalogue_yaml": CATALOGUE, "policy_yaml": POLICY}
        mounted = ConfigMap(folder, **{each: text.format(step=1) for each, text in texts.items()})

        def change(step: int) -> None:
            mounted.update(**{each: text.format(step=step) for each, text in texts.items()})

    with RunningBroker(tmp_path, settle=SETTLE).serving() as broker:
        yield Steps(broker), change


def test_no_request_fails_while_policies_are_reloaded(steps: tuple[Steps, Change]) -> None:
    stepping, change = steps
    decided: list[int] = []
    failures: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                decided.append(stepping.asked())
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for step in range(2, RELOADS + 2):
            change(step)
            while stepping.in_force() != step and not failures:
                stop.wait(0.01)
            # Whatever is asked from now on is decided by the new set.
            assert stepping.asked() == step
            # Also by those who ask without end.
            while step not in decided and not failures:
                stop.wait(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert failures == []
    assert set(decided) >= set(range(2, RELOADS + 2))
    events = stepping.broker.events()
    assert {each["outcome"] for each in events} == {"success"}
    assert sum(each["type"] == "policy.reloaded" for each in events) == RELOADS


def test_every_event_names_the_set_that_decided(steps: tuple[Steps, Change]) -> None:
    stepping, change = steps
    versions = {}
    for step in (1, 2, 3):
        if step > 1:
            change(step)
            while stepping.in_force() != step:
                threading.Event().wait(0.01)
        versions[f"step-{step}"] = stepping.broker.in_force().version
        stepping.asked()

    exchanges = [each for each in stepping.broker.events() if each["type"] == "token.exchanged"]
    assert {each["policies"][0]: each["policy_set"] for each in exchanges} == versions
