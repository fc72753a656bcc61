"""Making the review that a command works on: of the files, and of the store where there is one."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from broker.cli.access.commit import attached_to, commit_of
from broker.cli.audit.opening import instant
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.policies.loading import is_in_dev, load_sets, paths_for

if TYPE_CHECKING:
    from broker.core.access.grants import StoredState
    from broker.core.access.review import AccessReview
    from broker.core.policy import PolicySet, Service


def reviewed(
    command: str,
    paths: Sequence[Path] | None,
    config: Path | None,
    data: Path,
    *,
    since: str,
    offline: bool,
) -> "tuple[AccessReview, PolicySet]":
    """Review every grant, and give the set in force; end the command when that cannot be.

    It is that of the files, with what the store says of accounts and issuers where it was asked.
    """
    with server_extra(f"access {command}"), told_plainly():
        now = time.time()
        start = instant("--since", since) or 0.0
        # The files without `dev/`, where there are others; but what is named is not left out.
        sets = load_sets(paths, config)
        loaded = sets[-1] if any(map(is_in_dev, paths or ())) else sets[0]
        policy_set = loaded.policy_set
        review, in_force = asyncio.run(
            _review(policy_set, config, data, start, now, offline=offline)
        )
        from dataclasses import replace

        attached = [*attached_to({file: each.value for file, each in loaded.sources.items()})]
        commit = commit_of(paths_for(paths, config), loaded.sources.keys(), attached)
        return replace(review, commit=commit), in_force


async def _review(
    policy_set: "PolicySet",
    config: Path | None,
    data: Path,
    since: float,
    now: float,
    *,
    offline: bool,
) -> "tuple[AccessReview, PolicySet]":
    from broker.cli.access.stored import Stored
    from broker.core.access.grants import access_grants
    from broker.core.access.review import AccessReview

    stored = None if offline else await Stored.open(config, data)
    if stored is None:
        if not offline:
            _note_no_store()
        grants = access_grants(policy_set, None, now)
        return AccessReview(grants, now, policy_set.version), policy_set
    await stored.note_another_set(policy_set)
    state = await stored.state()
    grants = access_grants(policy_set, state, now)
    look_up = await stored.look_up(grants, policy_set, since, now)
    review = AccessReview(grants, now, policy_set.version, look_up=look_up)
    return review, state.applied(policy_set, now)


def stored_state(config: Path | None, data: Path, *, offline: bool) -> "StoredState | None":
    """Give what the store says beside the files; None when it is not asked.

    Raises `Unavailable`.
    """
    from broker.cli.access.stored import Stored

    async def read() -> "StoredState | None":
        stored = await Stored.open(config, data)
        return None if stored is None else await stored.state()

    if offline:
        return None
    found = asyncio.run(read())
    if found is None:
        _note_no_store()
    return found


def service_of(name: str, policy_set: "PolicySet", what: str) -> "Service":
    """Find a service by its name or audience; end the command where there is none."""
    service = policy_set.service(name)
    if service is None:
        fail_unknown(what, name, policy_set.services)
    return service


def fail_unknown(what: str, name: str, known: Iterable[str]) -> NoReturn:
    """End the command: something that was named is not there."""
    from broker.core.condition_text import shown
    from broker.policy_files.sentences import did_you_mean

    fail(f"{what} `{shown(name)}`{did_you_mean(name, known)}")


def _note_no_store() -> None:
    typer.echo(
        "broker: there is no store yet, so that uses, secrets and accounts made through the API are"
        " not looked up (--config names the configuration)",
        err=True,
    )
