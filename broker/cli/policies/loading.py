"""The policy sets that a command works on: those a broker would make of the files it names."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from broker.cli.endings import USAGE

if TYPE_CHECKING:
    from broker.policy_files import LoadedPolicies
    from broker.settings import Settings

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATH",
        help="Policy files and folders; without one the configured folder, else policies/.",
        show_default=False,
    ),
]

DEV_FOLDER: Final = "dev"
DEV_ISSUERS: Final = {
    "dev-github": "http://127.0.0.1:8081/github",
    "dev-gitlab": "http://127.0.0.1:8081/gitlab",
}
DEV_BROKER: Final = "http://127.0.0.1:8080"


def load_sets(paths: Sequence[Path] | None, config: Path | None) -> "tuple[LoadedPolicies, ...]":
    """Load as `read_sets` does; end the command with every problem when a set does not load.

    Raises `ModuleNotFoundError` without the extra `server`.
    """
    from broker.core.errors import ConfigurationError

    try:
        return read_sets(paths, config)
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(USAGE) from None


def read_sets(
    paths: Sequence[Path] | None,
    config: Path | None,
    edited: Mapping[str, bytes] = MappingProxyType({}),
) -> "tuple[LoadedPolicies, ...]":
    """Load what a broker would run on: the files without `dev/`, and with it where there is one.

    The last of the sets holds all files. `edited` are texts, by file, that stand in for what some
    of them hold. Raises `ConfigurationError` with every problem of the first set that does not
    load, and `ModuleNotFoundError` without the extra `server`.
    """
    settings = settings_for(config)
    chosen = paths_for(paths, config)
    production = [path for path in chosen if not is_in_dev(path)]
    sets = [_load(production, settings, edited, dev=False)] if production else []
    if production != chosen or any((path / DEV_FOLDER).is_dir() for path in production):
        sets.append(_load(chosen, settings, edited, dev=True))
    return tuple(sets)


def paths_for(paths: Sequence[Path] | None, config: Path | None) -> list[Path]:
    """Give the files and folders that are meant. Raises `ConfigurationError`."""
    return list(paths or [_from_here(settings_for(config).policies)])


def settings_for(config: Path | None) -> "Settings":
    """Read the configuration as far as it is about policies. Raises `ConfigurationError`."""
    from broker.settings import load

    return load(config, os.environ, working_directory=Path.cwd(), serving=False)


def _load(
    paths: Sequence[Path], settings: "Settings", edited: Mapping[str, bytes], *, dev: bool
) -> "LoadedPolicies":
    from broker.policy_files import load_paths

    # The dev platform is trusted on loopback alone, wherever the configured broker runs.
    elsewhere = dev and not settings.loopback
    return load_paths(
        paths,
        broker_issuer=DEV_BROKER if elsewhere else settings.issuer,
        token_defaults=(settings.tokens.ttl, settings.tokens.max_ttl),
        signing_algorithms=settings.signing.algorithms,
        loopback=dev or settings.loopback,
        dev_issuers=DEV_ISSUERS if dev else None,
        policy_folder=settings.policies,
        folders=settings.folders,
        edited=edited,
    )


def is_in_dev(path: Path) -> bool:
    """Tell whether a file or folder is of the dev platform alone."""
    whole = path.absolute()
    return (whole if whole.is_dir() else whole.parent).name == DEV_FOLDER


def _from_here(path: Path) -> Path:
    """Name a path as a user of this folder would."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
