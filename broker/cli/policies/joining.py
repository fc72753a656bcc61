"""The policy set that a text joins: whether it loads, its tests hold, and what lints say of it."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from broker.cli.policies.loading import read_sets

if TYPE_CHECKING:
    from broker.core.errors import Problem
    from broker.core.policy import Issuer
    from broker.policy_files import LoadedPolicies

JOINING: Final = "the translation"
STAND_IN: Final = "stand-in-of-import"
"""The service that stands in while nothing is granted."""

_FILE: Final = "the-translation.yaml"


@dataclass(frozen=True, slots=True)
class JoinedSet:
    """The sets of the files, with and without `dev/`; none where there are no files."""

    sets: "tuple[LoadedPolicies, ...]"

    def issuers(self) -> "Mapping[str, Issuer]":
        """Give the issuers by name."""
        return {name: each for loaded in self.sets for name, each in _issuers(loaded).items()}

    def issuer_name(self, url: str) -> str | None:
        """Find the name of the issuer with a URL."""
        named = (name for name, each in self.issuers().items() if each.url == url)
        return next(named, None)

    def accounts(self) -> frozenset[str]:
        """Give the ids of the accounts."""
        return frozenset(
            account for loaded in self.sets for account in loaded.policy_set.service_accounts
        )

    def failed_tests(self) -> "list[Problem]":
        """Give the tests of the text that fail in the whole."""
        from broker.policy_files import run

        return [
            replace(
                result.test.problem(f"test `{result.test.name}` fails: {result.fault}"),
                file=JOINING,
            )
            for loaded in self.sets
            for result in run(loaded, time.time())
            if result.test.file.endswith(_FILE) and not result.holds
        ]

    def findings(self) -> list[str]:
        """Give what lints find in the text, one sentence each."""
        from broker.policy_files.check import check

        return [
            f"{JOINING}:{found.line}:{found.column}:"
            f" {found.lint.severity.value}[{found.lint.code}] {found.message}"
            for found in check(self.sets, time.time()).findings
            if found.file.endswith(_FILE) and STAND_IN not in found.message
        ]


def joined_with(
    text: str | None,
    paths: Sequence[Path] | None,
    config: Path | None,
    *,
    stand_in: str | None = None,
) -> JoinedSet:
    """Load the files, and a text as if it were one of them, and one more that stands in.

    Without `paths` the configured folder, if there is one. Raises `ConfigurationError` with every
    problem.
    """
    import tempfile

    from broker.core.errors import ConfigurationError

    chosen = list(paths or _configured_folder(config))
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ((_FILE, text), ("stand-in.yaml", stand_in)):
            if content is not None:
                path = Path(folder, name)
                path.write_text(content, encoding="utf-8")
                chosen.append(path)
        if not chosen:
            return JoinedSet(())
        try:
            return JoinedSet(read_sets(chosen, config))
        except ConfigurationError as error:
            raise ConfigurationError(
                [
                    replace(each, file=JOINING) if each.file.endswith(_FILE) else each
                    for each in error.problems
                ]
            ) from None


def _configured_folder(config: Path | None) -> Iterator[Path]:
    from broker.settings import load

    settings = load(config, os.environ, working_directory=Path.cwd(), serving=False)
    if settings.policies.is_dir():
        here = Path.cwd()
        folder = settings.policies
        yield folder.relative_to(here) if folder.is_relative_to(here) else folder


def _issuers(loaded: "LoadedPolicies") -> "Mapping[str, Issuer]":
    return loaded.policy_set.issuers
