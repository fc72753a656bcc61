"""docs/reference/audit.md and the events that a broker writes say the same."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from broker.audit.retention import BATCH, KEPT_SETS, LEAST
from broker.cli.app import app
from broker.core.audit import AuditEvent
from broker.core.platforms import AUDIT_CLAIMS_WITHOUT_PRESET
from broker.core.recorded_claims import MAX_CLAIM_BYTES, MAX_CLAIMS_BYTES
from broker.core.refusal_counts import MAX_EVENTS_PER_WINDOW, WINDOW_SECONDS
from broker.core.vocabulary import TOKEN_TYPE_JWT
from broker.signing.master_key import MasterKey
from broker.signing.rewrap import Rewrap
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.audited_broker import AuditedStore
from tests.client_secrets import an_account, ask, give
from tests.docs.markdown import Page, code, rows
from tests.registry.opened import nobody_else, opened_registry
from tests.running_broker import RunningBroker
from tests.signing.conftest import DAY, NOW, opened_keys
from tests.stores.entries import an_event

PAGE = Page("docs/reference/audit.md")
MEMBERS = {code(row[0]): row[1] for row in rows(PAGE.section("Members"))}
TYPES = [code(row[0]) for row in rows(PAGE.section("Types"))]
JSON_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


@pytest.fixture(scope="module")
def live_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker whose policies this page may change."""
    with RunningBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker


@pytest.fixture(scope="module")
def events(live_broker: RunningBroker) -> list[dict[str, Any]]:
    """Events of every kind: permitted, refused after the signature, counted, and about policies."""
    granted = live_broker.exchange(live_broker.github_token()).json()
    live_broker.request("POST", "/oauth/revoke", data={"token": granted["access_token"]})
    live_broker.exchange(live_broker.github_token(ref="refs/heads/ä"))
    live_broker.exchange("no token")
    explained = {"subject_token": live_broker.github_token(), "subject_token_type": TOKEN_TYPE_JWT}
    live_broker.request("POST", "/oauth/explain", data=explained)
    account = an_account(grants={"broker": ("broker:blocks:write", "broker:issuers:write")})
    secret = give(live_broker, account)
    ask(live_broker, account.client_id, secret, audience="broker")
    _set_and_lift_a_block(live_broker, secret)
    for text in ("organizations: {more: {description: One more}}", "no: [policy"):
        (live_broker.folder / "policies" / "more.yaml").write_text(text)
        live_broker.reload(forced=False)
    [first, *_] = live_broker.decisions()
    AuditedStore(live_broker).audit("erase-claims", "--decision", first["id"], "--yes")
    return live_broker.events()


def _set_and_lift_a_block(broker: RunningBroker, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    body = {"where": {"issuer": "gitlab"}, "reason": "INC-7"}
    block = broker.request("POST", "/api/v1/blocks", json=body, headers=headers).json()
    broker.request("DELETE", f"/api/v1/blocks/{block['id']}", headers=headers)
    for enabled in (False, True):
        switch = {"enabled": enabled}
        broker.request("PATCH", "/api/v1/issuers/buildkite", json=switch, headers=headers)
    jwks = broker.buildkite.jwks()
    broker.request("PUT", "/api/v1/issuers/buildkite/jwks", json=jwks, headers=headers)


@pytest.fixture(scope="module")
def key_events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What is recorded of the keys of a store over its life."""
    return asyncio.run(_key_events(tmp_path_factory.mktemp("keys") / "broker.db"))


async def _key_events(path: Path) -> list[dict[str, Any]]:
    clock = FrozenClock(NOW)
    store = await SqliteStore.open(path, clock)
    old, new = MasterKey(bytes(32)), MasterKey(bytes([1] * 32))
    keyring, upkeep = await opened_keys(store, old, clock, "ES256")
    await upkeep.rotate(at_once=True, actor="test")
    await upkeep.retire(keyring.signing_key("ES256", NOW).key_id, "test")
    clock.advance(2 * DAY)
    await upkeep.keep_up()
    event = an_event(type="key.rewrapped", actor="test", target="master key", changes={})
    await Rewrap(old, new, lambda _version, content: content).in_store(store, event)
    events = await store.events()
    await store.close()
    return events


@pytest.fixture(scope="module")
def account_events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What is recorded of an account and its secrets over their life."""
    return asyncio.run(_account_events(tmp_path_factory.mktemp("accounts") / "broker.db"))


async def _account_events(path: Path) -> list[dict[str, Any]]:
    async with opened_registry(path) as opened:
        registry = opened.registry
        await registry.create(nobody_else, {"name": "x", "client_id": "nightly"}, with_secret=True)
        for patch in ({"ttl": 60}, {"enabled": False}, {"enabled": True}):
            await registry.patch(nobody_else, "nightly", patch)
        await registry.rotate_secret(nobody_else, "nightly", {})
        await registry.cancel_rotation(nobody_else, "nightly")
        rotated = await registry.rotate_secret(nobody_else, "nightly", {})
        await registry.complete_rotation(nobody_else, "nightly")
        await registry.revoke_secret(nobody_else, "nightly", rotated.members["id"])
        await registry.delete(nobody_else, "nightly")
        return await opened.store.events()


def verify(lines: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program of the page."""
    (program,) = PAGE.blocks("python")
    return subprocess.run(
        [sys.executable, "-c", program.text, *arguments],
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def written(events: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)


def test_every_member_has_a_row_in_the_order_of_the_event() -> None:
    named = ["seq", *(field.name for field in fields(AuditEvent)), "prev", "hash"]

    assert list(MEMBERS) == named


def test_every_event_has_every_member(
    events: list[dict[str, Any]],
    key_events: list[dict[str, Any]],
    account_events: list[dict[str, Any]],
) -> None:
    always = [name for name in MEMBERS if name not in {"would", "claims_left_out"}]
    assert all(list(event) == always for event in [*events, *key_events, *account_events])


def test_every_member_is_of_a_type_that_its_row_names(
    events: list[dict[str, Any]],
    key_events: list[dict[str, Any]],
    account_events: list[dict[str, Any]],
) -> None:
    everything = [*events, *key_events, *account_events]
    seen = {(name, JSON_TYPES[type(value)]) for each in everything for name, value in each.items()}

    assert {(name, kind) for name, kind in seen if kind not in MEMBERS[name].split(" or ")} == set()


def test_every_type_has_a_row(
    events: list[dict[str, Any]],
    key_events: list[dict[str, Any]],
    account_events: list[dict[str, Any]],
) -> None:
    of_moved_stores = {"store.restored", "store.copied"}  # tests/cli/test_store.py
    of_simulations = {"policy.simulated"}  # tests/http/test_simulation_api.py
    seen = {event["type"] for event in [*events, *key_events, *account_events]}
    assert seen | of_moved_stores | of_simulations == set(TYPES)


def test_the_bounds_are_those_of_the_code() -> None:
    assert (MAX_CLAIM_BYTES, MAX_CLAIMS_BYTES) == (1024, 8192)
    assert "over 1 KB is left out" in PAGE.text
    assert "over 8 KB" in PAGE.text
    assert f"From {MAX_EVENTS_PER_WINDOW:,} open counts" in PAGE.text
    assert (WINDOW_SECONDS, "per minute" in PAGE.text) == (60, True)


def test_the_claims_recorded_without_a_preset_are_named() -> None:
    sentence = re.search(r"of an issuer without preset (.+) and the named ones", PAGE.text)

    assert sentence is not None
    assert set(re.findall(r"`(\w+)`", sentence[1])) == AUDIT_CLAIMS_WITHOUT_PRESET


def test_the_program_accepts_what_a_broker_writes(events: list[dict[str, Any]]) -> None:
    done = verify(written(events), "0" * 64)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"whole, up to {events[-1]['hash']}\n"


def test_the_program_accepts_a_part_that_begins_later(events: list[dict[str, Any]]) -> None:
    assert verify(written(events[1:]), events[0]["hash"]).returncode == 0
    assert verify(written(events[1:])).returncode == 0


@pytest.mark.parametrize("member", ["reason", "claims", "policies", "client_address", "count"])
def test_the_program_finds_an_edit(events: list[dict[str, Any]], member: str) -> None:
    # The second decision; the claims of the first are erased.
    at = [number for number, each in enumerate(events) if each["type"].startswith("token.")][1]
    edited = [*events[:at], {**events[at], member: ["edited"]}, *events[at + 1 :]]

    done = verify(written(edited))

    assert (done.returncode, done.stderr) == (1, f"broken at seq {events[at]['seq']}\n")


def test_the_program_finds_a_gap_and_a_reorder(events: list[dict[str, Any]]) -> None:
    first, second, third, *_ = events

    assert verify(written([first, third])).returncode == 1
    assert verify(written([first, third, second])).returncode == 1
    assert verify(written([second, third]), "0" * 64).returncode == 1


def test_the_program_verifies_what_commands_export(
    live_broker: RunningBroker, events: list[dict[str, Any]]
) -> None:
    store = AuditedStore(live_broker)
    exported = store.audit("export").stdout + store.audit("head").stdout

    assert '"claims_erased":"' in exported
    assert verify(exported, "0" * 64).stdout == f"whole, up to {events[-1]['hash']}\n"
    edited = exported.replace('"claims":null,"claims_erased"', '"claims":{},"claims_erased"', 1)
    assert verify(edited, "0" * 64).returncode == 1


def test_every_member_of_a_head_has_a_row(live_broker: RunningBroker) -> None:
    head = json.loads(AuditedStore(live_broker).audit("head").stdout)

    table = rows(PAGE.section("Heads"))
    assert [code(row[0]) for row in table] == list(head)
    assert [row[1] for row in table] == [JSON_TYPES[type(value)] for value in head.values()]


def test_every_command_and_option_is_named() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    audit = group.commands["audit"]
    assert isinstance(audit, TyperGroup)
    section = PAGE.section("Commands")
    for name, command in audit.commands.items():
        assert f"broker audit {name}" in section
        options = {option for each in command.params for option in each.opts}
        for option in options - {"--config", "--json", "file"}:
            assert option in section


def test_the_members_of_a_verification_are_named(live_broker: RunningBroker) -> None:
    found = AuditedStore(live_broker).verified()

    section = PAGE.section("Commands")
    assert [name for name in [*found, "first_broken", "fault"] if f"`{name}`" not in section] == []


def test_the_bounds_of_retention_are_those_of_the_code() -> None:
    section = PAGE.section("Retention")
    assert (LEAST, "two days at least" in section) == (2 * 86_400, True)
    assert f"{BATCH} at a time" in section
    assert (KEPT_SETS, "the three that ran last" in section) == (3, True)
