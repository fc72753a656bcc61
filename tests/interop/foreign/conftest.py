"""One Vault and one OpenBao for all, and the table that was found, printed at the end."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.interop.foreign.vault import Vault, running_vault

ROWS: Final = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = terminalreporter.config.stash[ROWS]
    if rows:
        terminalreporter.section("what they let in")
        for row in sorted(rows):
            terminalreporter.write_line(row)


@pytest.fixture(scope="session")
def rows(pytestconfig: pytest.Config) -> list[str]:
    return pytestconfig.stash[ROWS]


@pytest.fixture(scope="session")
def vaults() -> Iterator[dict[str, Vault]]:
    with running_vault("vault") as vault, running_vault("bao") as bao:
        for running in (vault, bao):
            running.command("auth", "enable", "jwt")
        yield {"Vault": vault, "OpenBao": bao}
