"""`broker issuers check`: fetches each issuer's keys now, as the broker would."""

import asyncio
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli.common_options import AsJson, Config
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.policies.loading import load_sets
from broker.cli.terminal import show, signed
from broker.core.printable import printable

if TYPE_CHECKING:
    from broker.core.policy import Issuer
    from broker.ports import IssuerKeyStatus

_FAILED: Final = 1


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Issuers; without one, all of them.", show_default=False
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the keys of each issuer of the policy files now, and say what is found.

    Exit 0 when every issuer has keys that can be used, 1 when one has none, 2 when the files do not
    load. Issuers that are switched off are not asked. The store of the broker is left alone.
    """
    with server_extra("issuers check"), told_plainly():
        from broker.settings import load

        settings = load(config, os.environ, working_directory=Path.cwd(), serving=False)
        # Those of the dev platform are nobody's but of a broker that runs with it.
        issuers = load_sets(None, config)[0].policy_set.issuers
        chosen = [_named(issuers, name) for name in names or sorted(issuers)]
        statuses = asyncio.run(_statuses(chosen, broker_on_loopback=settings.loopback))
    found = [_members(issuer, statuses.get(issuer.name)) for issuer in chosen]
    if as_json:
        typer.echo(json.dumps({"items": found}))
    else:
        show(signed("".join(f"{line}\n" for each in found for line in _lines(each))))
    raise typer.Exit(_FAILED if any(each["usable"] is False for each in found) else 0)


def _named(issuers: "Mapping[str, Issuer]", name: str) -> "Issuer":
    issuer = issuers.get(name)
    if issuer is None:
        fail(f"there is no issuer '{name}'; known: {', '.join(sorted(issuers)) or 'none'}")
    return issuer


async def _statuses(
    issuers: "Sequence[Issuer]", *, broker_on_loopback: bool
) -> "dict[str, IssuerKeyStatus]":
    from broker.core.errors import Refusal
    from broker.issuer_keys import HttpIssuerKeys
    from broker.system import SystemClock

    # What it would tell is in the result.
    logging.getLogger("broker.issuer_keys").addHandler(logging.NullHandler())
    keys = HttpIssuerKeys(SystemClock(), broker_on_loopback=broker_on_loopback)

    async def ask(issuer: "Issuer") -> None:
        # No key has this id, so that its keys are fetched.
        with suppress(Refusal):
            await keys.find(issuer, "")

    await asyncio.gather(*(ask(each) for each in issuers if each.enabled))
    statuses = {each.issuer: each for each in keys.status()}
    await keys.close()
    return statuses


def _members(issuer: "Issuer", status: "IssuerKeyStatus | None") -> dict[str, Any]:
    source = "jwks_file" if issuer.keys.document is not None else issuer.keys.jwks_uri
    return {
        "name": issuer.name,
        "issuer": issuer.url,
        "enabled": issuer.enabled,
        "source": source or "discovery",
        "usable": None if status is None else status.usable,
        "kids": [] if status is None else list(status.key_ids),
        "skipped": [] if status is None else list(status.skipped),
        "failure": None if status is None else status.failure,
    }


def _lines(found: dict[str, Any]) -> Iterator[str]:
    name, place = found["name"], f"{found['issuer']} by {found['source']}"
    if found["usable"] is None:
        yield f"[--] {name}: switched off, not asked"
    elif found["usable"]:
        count = len(found["kids"])
        keys = f"{count} key{'' if count == 1 else 's'} can be used"
        yield f"[ok] {name}: {keys}: {printable(', '.join(found['kids']))} ({place})"
    else:
        yield f"[no] {name}: {found['failure']} ({place})"
    for sentence in found["skipped"]:
        yield f"     skipped: {sentence}"
