"""Brokers whose policies are those of a page, for exchanges with the tokens it tells of."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.markdown import Page
from tests.docs.policies_in_pages import completed, policy_blocks
from tests.protected_service import protected_service
from tests.running_broker import RunningBroker

# The issuers as on the platforms, but for where their keys are; the audience is the broker's URL.
ISSUERS = """\
issuers:
  github: {{preset: github, jwks_uri: "{github}"}}
  gitlab: {{preset: gitlab, jwks_uri: "{gitlab}"}}
"""


def broker_of(folder: Path, page: str, more: str = "", *, issuers: str = ISSUERS) -> RunningBroker:
    """Make a broker of today with a page's policies, whose own tests run when it starts.

    What the page does not show is completed; `more` is a second file. `issuers` is the template of
    a third, with those that the page does not show.
    """
    files = completed(page) | {"more.yaml": more}
    files.pop("issuers.yaml", None)
    (folder / "policies").mkdir(parents=True)
    for name, text in files.items():
        (folder / "policies" / name).write_text(text)
    return RunningBroker(folder, issuers, now=time.time())


def guide(name: str) -> Page:
    """Give a guide by its name."""
    return Page(f"docs/guides/{name}.md")


def policies_of(name: str) -> str:
    """Give the only policy file of a guide."""
    (block,) = policy_blocks(guide(name))
    return block.text


class GuideBrokers:
    """A broker for each guide, with its policies, and a service that trusts it."""

    def __init__(self, factory: pytest.TempPathFactory, stack: ExitStack) -> None:
        self._factory = factory
        self._stack = stack
        self._brokers: dict[str, RunningBroker] = {}
        self._services: dict[str, str] = {}

    def of(self, name: str) -> RunningBroker:
        """Give the broker of a guide, at the time that other programs see."""
        if name not in self._brokers:
            broker = broker_of(self._factory.mktemp("broker"), policies_of(name))
            self._brokers[name] = self._stack.enter_context(broker.serving())
        clock = self._brokers[name].clock
        clock.advance(max(0.0, time.time() - clock.now()))
        return self._brokers[name]

    def service_of(self, name: str) -> str:
        """Give the URL of a service that trusts the broker of a guide."""
        if name not in self._services:
            service = protected_service(self.of(name).url)
            self._services[name] = self._stack.enter_context(service)
        return self._services[name]
