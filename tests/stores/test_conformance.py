"""What every store promises, whatever it is made of (contract §7)."""

import asyncio
import os
from dataclasses import replace
from typing import Any

import pytest

from broker.core.audit import GENESIS, chain, chain_hash
from broker.core.audit_chain import START, Position, verify_chain
from broker.core.blocks import Block
from broker.core.errors import ConfigurationError, Problem, Reason, Unavailable
from broker.core.signing_keys import SigningSchedule
from broker.ports import (
    AlreadySpent,
    ChainPage,
    ClaimsFilter,
    Committed,
    Entry,
    EventFilter,
    KeptPolicySet,
    RowsUnderMasterKey,
    SigningKeyChange,
    Spend,
    Stale,
)
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.stores.conftest import OpenStore
from tests.stores.entries import (
    NOW,
    ReadableStore,
    a_key_row,
    a_spend,
    an_entry,
    an_event,
    assert_chained,
    put_keys,
)

# --- The ledger -----------------------------------------------------------------------------------


async def test_events_are_numbered_from_one_without_a_gap(store: ReadableStore) -> None:
    receipts = [await store.commit(an_entry()) for _ in range(3)]

    assert receipts == [Committed(1), Committed(2), Committed(3)]


async def test_a_committed_event_is_read_back_member_by_member(store: ReadableStore) -> None:
    event = an_event(
        subject='repo:acme/web:ref:"x"\\\n',
        issuer="github",
        claims={"repository": "acme/web", "run_id": 7, "ö": ["\U0001f600", None, True]},
        policies=("a", "b"),
        requested={"audience": ["deploy-api"], "scope": None},
        scopes=(),
        duration_ms=0.25,
        changes={"enabled": [True, False]},
    )
    await store.commit(Entry(event))

    [stored] = await store.events()
    assert stored.items() >= event.members().items()


async def test_the_chain_holds_over_many_commits_at_once(store: ReadableStore) -> None:
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(300)))
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(300)))

    events = await store.events(limit=1000)
    assert len(events) == 600
    assert_chained(events)


async def test_commits_are_numbered_in_the_order_in_which_they_came(store: ReadableStore) -> None:
    entries = [an_entry() for _ in range(50)]
    receipts = await asyncio.gather(*(store.commit(entry) for entry in entries))

    assert [Committed(place) for place in range(1, 51)] == receipts
    assert [event["id"] for event in await store.events()] == [entry.event.id for entry in entries]


async def test_the_first_spend_goes_through_and_the_second_does_not(store: ReadableStore) -> None:
    assert await store.commit(a_spend("token")) == Committed(1)
    assert await store.commit(a_spend("token")) == AlreadySpent(2)


async def test_a_second_spend_is_recorded_as_the_refusal_that_it_is(store: ReadableStore) -> None:
    await store.commit(a_spend("token"))
    await store.commit(a_spend("token"))

    success, refusal = await store.events()
    assert (success["type"], success["reason"]) == ("token.exchanged", None)
    assert (refusal["type"], refusal["reason"]) == ("token.refused", "token_already_used")
    assert_chained([success, refusal])


async def test_spends_of_different_keys_do_not_meet(store: ReadableStore) -> None:
    receipts = [await store.commit(a_spend(name)) for name in ("a", "b")]

    assert receipts == [Committed(1), Committed(2)]


async def test_of_fifty_spends_at_once_one_goes_through(store: ReadableStore) -> None:
    receipts = await asyncio.gather(*(store.commit(a_spend("token")) for _ in range(50)))

    assert sum(isinstance(receipt, Committed) for receipt in receipts) == 1
    places = [receipt.sequence for receipt in receipts if not isinstance(receipt, Stale)]
    assert sorted(places) == list(range(1, 51))
    outcomes = [event["outcome"] for event in await store.events()]
    assert outcomes == ["success"] + 49 * ["refused"]


async def test_of_fifty_spends_on_two_replicas_one_goes_through(open_store: OpenStore) -> None:
    replicas = [await open_store(), await open_store()]
    receipts = await asyncio.gather(
        *(replica.commit(a_spend("token")) for _ in range(25) for replica in replicas)
    )

    assert sum(isinstance(receipt, Committed) for receipt in receipts) == 1
    assert_chained(await replicas[0].events())


async def test_replicas_append_to_one_chain(open_store: OpenStore) -> None:
    replicas = [await open_store(), await open_store()]
    for _ in range(20):
        await asyncio.gather(*(replica.commit(an_entry()) for replica in replicas))

    events = await replicas[1].events()
    assert len(events) == 40
    assert_chained(events)


async def test_a_spend_is_remembered_by_the_next_start(open_store: OpenStore) -> None:
    first = await open_store()
    await first.commit(a_spend("token"))
    await first.close()
    second = await open_store()

    assert await second.commit(a_spend("token")) == AlreadySpent(2)
    assert_chained(await second.events())


async def test_a_spend_is_remembered_until_it_expires(
    store: ReadableStore, clock: FrozenClock
) -> None:
    await store.commit(a_spend("token", expires_at=NOW + 300))

    clock.advance(299)
    assert await store.commit(a_spend("token", expires_at=NOW + 900)) == AlreadySpent(2)


async def test_an_expired_spend_key_can_be_spent_again(
    store: ReadableStore, clock: FrozenClock
) -> None:
    await store.commit(a_spend("token", expires_at=NOW + 300))
    clock.advance(301)

    assert await store.commit(a_spend("token", expires_at=NOW + 900)) == Committed(2)
    assert await store.commit(a_spend("token", expires_at=NOW + 900)) == AlreadySpent(3)


async def test_a_spent_token_stays_spent_when_the_clock_was_ahead_for_a_while(
    store: ReadableStore, clock: FrozenClock
) -> None:
    await store.commit(a_spend("token", expires_at=NOW + 300))
    clock.advance(3600)
    # So many that whatever has expired is forgotten.
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(200)))
    clock.advance(-3600)

    receipt = await store.commit(a_spend("token", expires_at=NOW + 300))
    assert isinstance(receipt, AlreadySpent)


async def test_a_spent_token_stays_spent_when_the_clock_is_set_while_it_is_judged(
    store: ReadableStore, clock: FrozenClock
) -> None:
    await store.commit(a_spend("token", expires_at=NOW + 300))
    clock.advance(3600)

    assert await store.commit(a_spend("token", expires_at=NOW + 300)) == AlreadySpent(2)


async def test_what_was_forgotten_ahead_of_time_refuses_no_later_token(
    store: ReadableStore, clock: FrozenClock
) -> None:
    await store.commit(a_spend("token", expires_at=NOW + 300))
    clock.advance(3600)
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(200)))
    clock.advance(-3600)

    receipt = await store.commit(a_spend("another", expires_at=NOW + 301))
    assert isinstance(receipt, Committed)


async def test_what_expires_takes_no_living_spend_along(
    store: ReadableStore, clock: FrozenClock
) -> None:
    living = [a_spend(f"living-{number}", expires_at=NOW + 900) for number in range(50)]
    dying = [a_spend(f"dying-{number}", expires_at=NOW + 10) for number in range(50)]
    await asyncio.gather(*(store.commit(entry) for entry in [*living, *dying]))
    clock.advance(600)
    for _ in range(5):
        await store.commit(an_entry())

    again = [a_spend(f"living-{number}") for number in range(50)]
    receipts = await asyncio.gather(*(store.commit(entry) for entry in again))
    assert all(isinstance(receipt, AlreadySpent) for receipt in receipts)


async def test_a_caller_that_goes_away_is_recorded_all_the_same_and_once(
    store: ReadableStore,
) -> None:
    gone = asyncio.create_task(store.commit(a_spend("token", id="of the one who left")))
    await asyncio.sleep(0)
    gone.cancel()

    assert await store.commit(a_spend("token")) == AlreadySpent(2)
    assert gone.cancelled()
    assert len(await store.events(decision_id="of the one who left")) == 1


async def test_callers_that_go_away_leave_the_others_of_their_batch_alone(
    store: ReadableStore,
) -> None:
    tasks = [asyncio.create_task(store.commit(an_entry())) for _ in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    receipts = await asyncio.gather(*tasks, return_exceptions=True)

    assert [Committed(place) for place in range(2, 101, 2)] == receipts[1::2]
    assert len(await store.events()) == 100


async def test_a_spend_without_the_event_of_its_refusal_is_not_taken(store: ReadableStore) -> None:
    with pytest.raises(ValueError, match="event_if_spent"):
        await store.commit(Entry(an_event(), Spend(b"key", int(NOW) + 300)))

    assert await store.events() == []


async def test_a_ledger_is_busy_while_an_entry_waits(store: ReadableStore) -> None:
    assert not store.busy()
    committing = asyncio.create_task(store.commit(an_entry()))
    await asyncio.sleep(0)
    assert store.busy()

    await committing
    assert not store.busy()


async def test_an_event_that_is_no_json_harms_nobody_else(store: ReadableStore) -> None:
    with pytest.raises(TypeError):
        await store.commit(an_entry(claims={"sub": b"bytes"}))

    assert await store.commit(an_entry()) == Committed(1)


# --- The state epoch ------------------------------------------------------------------------------


async def test_a_decision_by_the_current_state_is_written(store: ReadableStore) -> None:
    epoch = await store.state_epoch()

    assert await store.commit(replace(a_spend("token"), epoch=epoch)) == Committed(1)


async def test_a_decision_that_was_overtaken_writes_nothing(open_store: OpenStore) -> None:
    store, other = await open_store(), await open_store()
    epoch = await store.state_epoch()
    await other.keep_policy_set("another", b"content", NOW)
    overtaken = replace(a_spend("token"), epoch=epoch)

    assert await store.commit(overtaken) == Stale()
    assert await store.events() == []
    # Neither is the token spent.
    assert await store.commit(a_spend("token")) == Committed(1)


async def test_an_overtaken_decision_leaves_the_others_of_its_batch_alone(
    store: ReadableStore,
) -> None:
    epoch = await store.state_epoch()
    entries = [replace(an_entry(), epoch=epoch - number % 2) for number in range(6)]
    receipts = await asyncio.gather(*(store.commit(entry) for entry in entries))

    assert receipts == [Committed(1), Stale(), Committed(2), Stale(), Committed(3), Stale()]
    assert_chained(await store.events())


async def test_what_is_true_by_any_state_is_always_written(store: ReadableStore) -> None:
    await store.keep_policy_set("another", b"content", NOW)

    assert await store.commit(an_entry()) == Committed(1)


async def test_every_change_of_what_decides_raises_the_epoch(open_store: OpenStore) -> None:
    store, other = await open_store(), await open_store()
    seen = [await store.state_epoch()]
    await other.keep_policy_set("first", b"content", NOW)
    seen.append(await store.state_epoch())
    await other.keep_policy_set("second", b"content", NOW)
    seen.append(await store.state_epoch())
    assert await put_keys(other, a_key_row())
    seen.append(await store.state_epoch())

    assert seen == sorted(set(seen))


async def test_what_changes_nothing_leaves_the_epoch_alone(store: ReadableStore) -> None:
    await store.keep_policy_set("first", b"content", NOW)
    epoch = await store.state_epoch()
    await store.keep_policy_set("first", b"content", NOW)
    assert not await put_keys(store, a_key_row(), epoch=epoch - 1)
    await store.commit(an_entry())

    assert await store.state_epoch() == epoch


# --- Sealed rows ----------------------------------------------------------------------------------


async def test_a_sealed_row_is_found_by_its_name(open_store: OpenStore) -> None:
    writer, reader = await open_store(), await open_store()
    assert await writer.add_sealed_row("name", b"\x00content")

    assert await reader.sealed_row("name") == b"\x00content"
    assert await reader.sealed_row("Name") is None


async def test_the_first_sealed_row_of_a_name_stays(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    await first.add_sealed_row("name", b"first")

    assert not await second.add_sealed_row("name", b"second")
    assert await second.sealed_row("name") == b"first"


async def test_some_sealed_rows_are_found_at_once(open_store: OpenStore) -> None:
    writer, reader = await open_store(), await open_store()
    for name in ("a", "ä'\"\\", "c"):
        await writer.add_sealed_row(name, b"\x00" + name.encode())

    found = await reader.sealed_rows(["a", "ä'\"\\", "none"])
    assert found == {name: b"\x00" + name.encode() for name in ("a", "ä'\"\\")}
    assert await reader.sealed_rows([]) == {}


async def test_a_sealed_row_is_replaced_only_as_it_was_seen(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    await first.add_sealed_row("name", b"\x00before")
    epoch = await first.state_epoch()

    assert not await second.replace_sealed_row("name", b"another", b"after")
    assert not await second.replace_sealed_row("none", b"", b"after")
    assert await second.replace_sealed_row("name", b"\x00before", b"\xffafter")
    assert not await first.replace_sealed_row("name", b"\x00before", b"too late")
    assert await first.sealed_rows(["name", "none"]) == {"name": b"\xffafter"}
    # It says nothing that decides.
    assert await first.state_epoch() == epoch


async def test_of_many_that_replace_a_sealed_row_at_once_one_does(open_store: OpenStore) -> None:
    replicas = [await open_store(), await open_store()]
    await replicas[0].add_sealed_row("name", b"before")

    replaced = await asyncio.gather(
        *(
            replicas[number % 2].replace_sealed_row("name", b"before", b"%d" % number)
            for number in range(20)
        )
    )
    assert replaced.count(True) == 1
    assert await replicas[0].sealed_row("name") == b"%d" % replaced.index(True)


async def test_a_sealed_row_is_put_with_its_event_whatever_was_there(open_store: OpenStore) -> None:
    store, other = await open_store(), await open_store()
    epochs = [await store.state_epoch()]
    for content in (b"first", b"second"):
        await store.put_sealed_row("name", content, an_event(type="issuer.keys_uploaded"))
        assert await other.sealed_row("name") == content
        epochs.append(await other.state_epoch())

    assert epochs == sorted(set(epochs))
    events = await other.events()
    assert [each["type"] for each in events] == ["issuer.keys_uploaded"] * 2
    assert_chained(events)


# --- Reading events -------------------------------------------------------------------------------


async def test_an_event_is_found_by_the_id_of_its_decision(store: ReadableStore) -> None:
    for _ in range(3):
        await store.commit(an_entry())
    wanted = an_entry(id="wanted")
    await store.commit(wanted)

    assert [event["seq"] for event in await store.events(decision_id="wanted")] == [4]
    assert await store.events(decision_id="unknown") == []


async def test_events_are_read_in_pages_oldest_first(store: ReadableStore) -> None:
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(5)))

    assert [event["seq"] for event in await store.events(limit=2)] == [1, 2]
    assert [event["seq"] for event in await store.events(after_seq=2, limit=2)] == [3, 4]
    assert [event["seq"] for event in await store.events(after_seq=4, limit=2)] == [5]


# --- Searching events -----------------------------------------------------------------------------


async def found(store: ReadableStore, **wanted: Any) -> list[int]:
    """Give the numbers of what is found, which is the same in both directions."""
    events = await store.find_events(EventFilter(**wanted))
    page = await store.event_page(EventFilter(**wanted))
    assert list(page.events) == events[::-1]
    assert page.next_behind is None
    return [event.sequence for event in events]


async def test_events_are_found_by_each_of_their_facts(store: ReadableStore) -> None:
    facts: dict[str, Any] = {
        "service_account": "deploy-web",
        "sub": "repo-ci:repository_id:1",
        "issuer": "github",
        "type": "token.refused",
        "outcome": "refused",
        "reason": "blocked",
    }
    for name, value in facts.items():
        await store.commit(an_entry(**{name: value}))
    await store.commit(an_entry(policies=("a", "web-main")))
    await store.commit(an_entry(id="wanted"))

    assert [await found(store, **{name: value}) for name, value in facts.items()] == [
        [1], [2], [3], [4], [5], [6],
    ]  # fmt: skip
    assert await found(store, policy="web-main") == [7]
    assert await found(store, decision_id="wanted") == [8]
    assert await found(store, policy="web") == []
    assert await found(store, service_account="' OR 1=1 --") == []


async def test_events_are_found_by_their_time(store: ReadableStore) -> None:
    for seconds in range(4):
        at = NOW + seconds
        await store.commit(an_entry(id=UuidV7Identifiers().new(at), time=at))

    assert await found(store, since=NOW + 1) == [2, 3, 4]
    assert await found(store, until=NOW + 1) == [1]
    assert await found(store, since=NOW + 1, until=NOW + 3) == [2, 3]


async def test_of_several_facts_all_have_to_hold(store: ReadableStore) -> None:
    await store.commit(an_entry(issuer="github", reason="blocked"))
    await store.commit(an_entry(issuer="github"))
    await store.commit(an_entry(reason="blocked"))

    assert await found(store, issuer="github", reason="blocked") == [1]


async def test_a_search_goes_on_where_a_page_ended_in_both_directions(store: ReadableStore) -> None:
    await asyncio.gather(*(store.commit(an_entry(issuer="github")) for _ in range(5)))
    wanted = EventFilter(issuer="github")

    async def oldest(after: int) -> list[int]:
        found = await store.find_events(wanted, after=after, limit=2)
        return [each.sequence for each in found]

    async def newest(behind: str | None) -> tuple[list[int], str | None]:
        page = await store.event_page(wanted, behind=behind, limit=2)
        return [each.sequence for each in page.events], page.next_behind

    assert [await oldest(after) for after in (0, 2, 4)] == [[1, 2], [3, 4], [5]]
    first, behind = await newest(None)
    second, behind_that = await newest(behind)
    assert [first, second, await newest(behind_that)] == [[5, 4], [3, 2], ([1], None)]


async def test_what_comes_later_does_not_move_a_page(store: ReadableStore) -> None:
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(4)))
    first = await store.event_page(EventFilter(), limit=2)
    await store.commit(an_entry())

    second = await store.event_page(EventFilter(), behind=first.next_behind, limit=2)
    assert [each.sequence for each in (*first.events, *second.events)] == [4, 3, 2, 1]


async def test_events_of_several_accounts_are_found_in_their_order(store: ReadableStore) -> None:
    for account in ("a", "b", "c", "a", None, "b"):
        await store.commit(an_entry(service_account=account, reason="blocked"))

    assert await found(store, service_accounts=("a", "b")) == [1, 2, 4, 6]
    assert await found(store, service_accounts=("b", "c"), reason="blocked") == [2, 3, 6]
    assert await found(store, service_accounts=("a", "b"), service_account="b") == [2, 6]
    assert await found(store, service_accounts=("a",), service_account="b") == []
    assert await found(store, service_accounts=()) == []


async def test_a_found_event_is_the_line_that_was_committed(store: ReadableStore) -> None:
    event = an_event(claims={"name": 'q"\\\u2028', "n": [1, None]}, subject="\ud800")
    await store.commit(Entry(event))

    [stored] = await store.find_events(EventFilter())
    assert stored.line() == chain(event, 1, GENESIS).line()


# --- The chain ------------------------------------------------------------------------------------


async def whole(store: ReadableStore, begins_after: Position = START) -> bool:
    page = await store.chain_page(0, 1000)
    return verify_chain((event.link() for event in page.events), begins_after=begins_after).ok


async def test_the_chain_is_read_in_pages_up_to_its_end(store: ReadableStore) -> None:
    assert await store.chain_end() is None
    assert await store.chain_page(0, 10) == ChainPage(None, ())
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(5)))

    page = await store.chain_page(3, 10)
    assert [event.sequence for event in page.events] == [4, 5]
    assert await store.chain_end() == Position(5, page.events[-1].hash)
    assert len((await store.chain_page(0, 2)).events) == 2
    assert await whole(store)


async def positions(store: ReadableStore) -> list[Position]:
    page = await store.chain_page(0, 1000)
    return [Position(event.sequence, event.hash) for event in page.events]


async def test_pruning_deletes_up_to_an_event_and_keeps_what_was_signed(
    open_store: OpenStore,
) -> None:
    store, other = await open_store(), await open_store()
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(5)))
    places = await positions(store)

    assert await store.prune_events(places[2], "signed") == 3
    assert (await other.chain_page(0, 10)).beginning == "signed"
    assert await positions(other) == places[3:]
    assert await store.prune_events(places[3], "signed again") == 1
    assert (await other.chain_page(0, 10)).beginning == "signed again"


async def test_the_chain_goes_on_behind_what_was_pruned(store: ReadableStore) -> None:
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(3)))
    places = await positions(store)
    await store.prune_events(places[1], "signed")

    assert await store.commit(an_entry()) == Committed(4)
    assert await whole(store, places[1])


async def test_the_last_event_is_never_pruned(store: ReadableStore) -> None:
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(2)))
    places = await positions(store)

    assert await store.prune_events(places[1], "signed") == 0
    assert (await store.chain_page(0, 1)).beginning is None
    assert await positions(store) == places


async def test_what_is_no_event_of_the_chain_prunes_nothing(store: ReadableStore) -> None:
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(3)))

    assert await store.prune_events(Position(2, "f" * 64), "signed") == 0
    assert len(await positions(store)) == 3


# --- Erased claims --------------------------------------------------------------------------------


async def test_claims_are_erased_and_their_digest_stays(store: ReadableStore) -> None:
    for number in range(3):
        await store.commit(an_entry(claims={"actor": "octocat", "n": number}))
    [_, before, _] = await store.events()

    assert await store.erase_claims([2]) == 1
    [_, after, _] = await store.events()
    assert (after["claims"], after["hash"]) == (None, before["hash"])
    assert chain_hash(after) == before["hash"]
    assert await whole(store)


async def test_claims_are_erased_once_and_only_those_meant(store: ReadableStore) -> None:
    await store.commit(an_entry(claims={"actor": "octocat"}))
    await store.commit(an_entry(claims={"actor": "hubot"}))

    assert [await store.erase_claims([1, 7]) for _ in range(2)] == [1, 0]
    assert await store.erase_claims([]) == 0
    [_, kept] = await store.events()
    assert kept["claims"] == {"actor": "hubot"}


async def test_the_events_whose_claims_are_meant_are_found(store: ReadableStore) -> None:
    await store.commit(an_entry(id="first", claims={"actor": "octocat", "run_id": 7}))
    await store.commit(an_entry(claims={"actor": "hubot"}, time=NOW + 60))
    await store.commit(an_entry(claims=None))
    await store.commit(an_entry(claims={"actor": "octocat", "x": {"actor": "hubot"}}))

    async def meant(**wanted: Any) -> list[int]:
        return await store.events_with_claims(ClaimsFilter(**wanted))

    assert await meant() == [1, 2, 4]
    assert await meant(decision_id="first") == [1]
    assert await meant(before=NOW + 1) == [1, 4]
    assert await meant(claim=("actor", "octocat")) == [1, 4]
    assert await meant(claim=("actor", "hubot")) == [2]
    assert await meant(claim=("run_id", "7")) == [1]
    assert await meant(claim=("actor", "octocat"), decision_id="first") == [1]
    await store.erase_claims([1])
    assert await meant(claim=("actor", "octocat")) == [4]


# --- Policy sets that no event names --------------------------------------------------------------


async def test_sets_that_no_event_names_are_forgotten_but_the_last_ones(
    store: ReadableStore,
) -> None:
    for version in "abcdef":
        await store.keep_policy_set(version, version.encode(), NOW)
    await store.commit(an_entry(policy_set="b"))
    await store.commit(an_entry(policy_set="f"))

    assert await store.forget_policy_sets(2) == 3
    kept = [version for version in "abcdef" if await store.policy_set(version) is not None]
    assert kept == ["b", "e", "f"]
    assert await store.forget_policy_sets(2) == 0


async def test_a_set_that_ran_again_counts_by_its_last_time(store: ReadableStore) -> None:
    for version in "abca":
        await store.keep_policy_set(version, b"", NOW)

    assert await store.forget_policy_sets(1) == 2
    assert await store.last_policy_set() == KeptPolicySet("a", b"")


# --- Signing keys ---------------------------------------------------------------------------------


async def test_signing_keys_are_read_back_as_they_were_written(open_store: OpenStore) -> None:
    whole = SigningSchedule(NOW + 0.125, NOW + 1e-3, NOW + 2.5, NOW + 3)
    rows = [a_key_row("ES256", schedule=whole), a_key_row("RS256", wrapped=bytes(range(256)))]
    writer, reader = await open_store(), await open_store()
    for row in rows:
        assert await put_keys(writer, row)

    assert await reader.signing_key_rows() == rows


async def test_a_place_that_is_taken_is_no_other_key_s(store: ReadableStore) -> None:
    first, beside = a_key_row("RS256", 1), a_key_row("RS256", 2)

    assert await put_keys(store, first)
    assert not await put_keys(store, beside, a_key_row("RS256", 1))
    assert await store.signing_key_rows() == [first]


async def test_a_row_takes_the_place_of_the_same_key_s(store: ReadableStore) -> None:
    row = a_key_row("RS256", 1)
    await put_keys(store, row)
    longer = replace(row, schedule=SigningSchedule(NOW, NOW, NOW + 60, NOW + 120), wrapped=b"anew")

    assert await put_keys(store, longer)
    assert await store.signing_key_rows() == [longer]


async def test_of_racing_changes_of_the_keys_one_is_made(open_store: OpenStore) -> None:
    replicas = [await open_store(), await open_store()]
    epoch = await replicas[0].state_epoch()
    made = await asyncio.gather(
        *(put_keys(replica, a_key_row(), epoch=epoch) for _ in range(5) for replica in replicas)
    )

    assert sum(made) == 1
    assert len(await replicas[0].signing_key_rows()) == 1


async def test_a_change_of_the_keys_is_made_and_recorded_at_once(store: ReadableStore) -> None:
    gone, stays, new = a_key_row("ES256", 1), a_key_row("RS256", 1), a_key_row("ES256", 2)
    await put_keys(store, gone, stays)
    events = (an_event(type="key.created"), an_event(type="key.removed"))
    change = SigningKeyChange(await store.state_epoch(), (new,), (gone,), events)

    assert await store.change_signing_keys(change)
    assert await store.signing_key_rows() == [stays, new]
    assert [event["type"] for event in await store.events()] == ["key.created", "key.removed"]
    assert_chained(await store.events())


async def test_a_change_that_was_overtaken_leaves_no_trace(store: ReadableStore) -> None:
    row = a_key_row()
    await put_keys(store, row)
    overtaken = SigningKeyChange(
        await store.state_epoch() - 1, (a_key_row("EdDSA"),), (row,), (an_event(),)
    )

    assert not await store.change_signing_keys(overtaken)
    assert await store.signing_key_rows() == [row]
    assert await store.events() == []


async def test_every_row_under_the_master_key_is_put_under_another(open_store: OpenStore) -> None:
    store, other = await open_store(), await open_store()
    row = a_key_row(wrapped=b"old")
    await put_keys(store, row)
    await store.add_sealed_row("name", b"old")
    await store.keep_policy_set("version", b"old", NOW)
    epoch = await other.state_epoch()

    def anew(rows: RowsUnderMasterKey) -> RowsUnderMasterKey:
        assert rows == RowsUnderMasterKey((row,), {"name": b"old"}, {"version": b"old"})
        return RowsUnderMasterKey(
            (replace(row, wrapped=b"new"),), {"name": b"new", "more": b"more"}, {"version": b"new"}
        )

    await store.rewrap(anew, an_event(type="key.rewrapped"))

    assert await other.signing_key_rows() == [replace(row, wrapped=b"new")]
    assert await other.sealed_row("name") == b"new"
    assert await other.sealed_row("more") == b"more"
    assert await other.last_policy_set() == KeptPolicySet("version", b"new")
    assert [event["type"] for event in await other.events()] == ["key.rewrapped"]
    assert await other.state_epoch() > epoch


async def test_nothing_is_put_under_another_master_key_when_one_row_does_not_open(
    store: ReadableStore,
) -> None:
    await store.add_sealed_row("name", b"old")
    epoch = await store.state_epoch()

    def anew(_rows: RowsUnderMasterKey) -> RowsUnderMasterKey:
        raise ConfigurationError([Problem("store", 0, 0, "altered")])

    with pytest.raises(ConfigurationError, match="altered"):
        await store.rewrap(anew, an_event())
    assert await store.sealed_row("name") == b"old"
    assert await store.events() == []
    assert await store.state_epoch() == epoch


async def test_other_generations_and_algorithms_stand_beside(store: ReadableStore) -> None:
    rows = [a_key_row("RS256", 1), a_key_row("RS256", 2), a_key_row("ES256", 2)]
    assert await put_keys(store, *rows)

    assert set(await store.signing_key_rows()) == set(rows)


# --- Ready, and the end ---------------------------------------------------------------------------


async def test_an_open_store_is_ready(store: ReadableStore) -> None:
    assert await store.ready()


async def test_being_ready_leaves_no_trace(store: ReadableStore) -> None:
    await asyncio.gather(*(store.ready() for _ in range(10)))

    assert await store.events() == []


async def test_closing_writes_what_waits(open_store: OpenStore) -> None:
    closing = await open_store()
    waiting = [asyncio.create_task(closing.commit(an_entry())) for _ in range(1000)]
    await asyncio.sleep(0)
    await closing.close()
    receipts = await asyncio.gather(*waiting)

    assert [Committed(place) for place in range(1, 1001)] == receipts
    assert len(await (await open_store()).events(limit=2000)) == 1000


async def test_a_closed_store_refuses_and_says_so(store: ReadableStore) -> None:
    await store.close()

    with pytest.raises(Unavailable) as refused:
        await store.commit(an_entry())
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert refused.value.retry_after > 0
    assert not await store.ready()


async def test_closing_twice_is_closing_once(store: ReadableStore) -> None:
    await store.close()
    await store.close()


# --- Blocks ---------------------------------------------------------------------------------------


def a_block(block_id: str, expires_at: float | None = None) -> Block:
    where = {"repository_id": "456789", "ref": "refs/heads/ä"}
    return Block(block_id, where, "INC-7", NOW, "admin", expires_at)


async def test_blocks_are_seen_wherever_they_are_asked_for_and_raise_the_epoch(
    open_store: OpenStore,
) -> None:
    one, other = await open_store(), await open_store()
    before = await other.state_epoch()

    assert await one.set_block(a_block("b-2"), an_event(type="block.created"), at_most=10)
    assert await one.set_block(a_block("b-1", NOW + 60), an_event(type="x"), at_most=10)

    assert await other.blocks() == [a_block("b-1", NOW + 60), a_block("b-2")]
    assert await other.state_epoch() == before + 2
    assert await other.lift_block("b-2", an_event(type="block.deleted"))
    assert not await one.lift_block("b-2", an_event(type="block.deleted"))
    assert await one.blocks() == [a_block("b-1", NOW + 60)]
    assert await one.state_epoch() == before + 3
    assert [each["type"] for each in await one.events()] == [
        "block.created",
        "x",
        "block.deleted",
    ]


async def test_blocks_that_are_over_make_room_and_no_others_do(
    store: ReadableStore, clock: FrozenClock
) -> None:
    assert await store.set_block(a_block("b-1", NOW + 60), an_event(), at_most=1)
    assert not await store.set_block(a_block("b-2"), an_event(), at_most=1)

    clock.advance(60)

    assert await store.set_block(a_block("b-2"), an_event(), at_most=1)
    assert await store.blocks() == [a_block("b-2")]


async def test_issuers_are_switched_wherever_it_is_asked_for_and_raise_the_epoch(
    open_store: OpenStore,
) -> None:
    one, other = await open_store(), await open_store()
    before = await other.state_epoch()

    assert await one.switch_issuer("github", an_event(type="issuer.disabled"), enabled=False)
    assert not await other.switch_issuer("github", an_event(type="x"), enabled=False)
    assert await other.issuers_off() == ["github"]
    assert await other.state_epoch() == before + 1
    assert await other.switch_issuer("github", an_event(type="issuer.enabled"), enabled=True)
    assert not await one.switch_issuer("github", an_event(type="x"), enabled=True)
    assert await one.issuers_off() == []
    assert [each["type"] for each in await one.events()] == ["issuer.disabled", "issuer.enabled"]


async def test_the_event_of_a_token_s_issue_is_found_by_its_id(store: ReadableStore) -> None:
    identifiers = UuidV7Identifiers()
    token_id, event_id = identifiers.new(NOW), identifiers.new(NOW)
    await store.commit(an_entry(id=event_id, token_id=token_id))
    revoked = an_event(id=identifiers.new(NOW), type="token.revoked", token_id=token_id)
    await store.revoke_token(token_id, int(NOW) + 600, revoked)

    event = await store.event_of_token(token_id)

    assert event is not None
    assert event["id"] == event_id
    assert await store.event_of_token(identifiers.new(NOW)) is None


# --- Which tokens are on record -------------------------------------------------------------------


TOKEN_ENDS = int(NOW) + 600


async def test_a_token_is_active_once_its_event_is_on_record(store: ReadableStore) -> None:
    identifiers = UuidV7Identifiers()
    token_id = identifiers.new(NOW)
    assert not await store.token_is_active(token_id, TOKEN_ENDS)

    await store.commit(an_entry(id=identifiers.new(NOW), token_id=token_id))

    assert await store.token_is_active(token_id, TOKEN_ENDS)
    for other in (identifiers.new(NOW), "", "' OR 1=1 --"):
        assert not await store.token_is_active(other, TOKEN_ENDS)


async def test_a_revoked_token_is_active_no_more_wherever_it_is_asked_for(
    open_store: OpenStore,
) -> None:
    one, other = await open_store(), await open_store()
    identifiers = UuidV7Identifiers()
    revoked, stays = identifiers.new(NOW), identifiers.new(NOW)
    for token_id in (revoked, stays):
        await one.commit(an_entry(id=identifiers.new(NOW), token_id=token_id))

    assert await one.revoke_token(revoked, TOKEN_ENDS, an_event(type="token.revoked"))
    assert not await other.revoke_token(revoked, TOKEN_ENDS, an_event(type="token.revoked"))

    for store in (one, other):
        assert not await store.token_is_active(revoked, TOKEN_ENDS)
        assert await store.token_is_active(stays, TOKEN_ENDS)
    types = [each["type"] for each in await other.events()]
    assert types.count("token.revoked") == 1


async def test_tokens_that_are_asked_about_at_once_are_told_apart(store: ReadableStore) -> None:
    identifiers = UuidV7Identifiers()
    tokens = [identifiers.new(NOW) for _ in range(100)]
    for token_id in tokens[::2]:
        await store.commit(an_entry(id=identifiers.new(NOW), token_id=token_id))
    for token_id in tokens[::4]:
        await store.revoke_token(token_id, TOKEN_ENDS, an_event(type="token.revoked"))

    told = await asyncio.gather(*(store.token_is_active(each, TOKEN_ENDS) for each in tokens))

    assert [token for token, active in zip(tokens, told, strict=True) if active] == tokens[2::4]


async def test_an_event_that_names_a_token_in_its_claims_is_not_the_token_s(
    store: ReadableStore,
) -> None:
    """Claims are chosen by those who sign CI tokens."""
    identifiers = UuidV7Identifiers()
    token_id = identifiers.new(NOW)
    await store.commit(
        an_entry(
            id=identifiers.new(NOW),
            claims={"token_id": token_id},
            changes={"token_id": token_id},
        )
    )

    assert not await store.token_is_active(token_id, TOKEN_ENDS)
    assert await store.event_of_token(token_id) is None


async def test_a_closed_store_is_asked_about_no_token(store: ReadableStore) -> None:
    token_id = UuidV7Identifiers().new(NOW)
    await store.token_is_active(token_id, TOKEN_ENDS)
    await store.close()

    with pytest.raises(Unavailable):
        await store.token_is_active(token_id, TOKEN_ENDS)


async def test_revocations_are_forgotten_once_their_tokens_are_over_and_stay_over(
    open_store: OpenStore, clock: FrozenClock
) -> None:
    """Also for a clock that was ahead for a while: what may have been revoked is not active."""
    store, identifiers = await open_store(), UuidV7Identifiers()
    revoked = identifiers.new(NOW)
    await store.commit(an_entry(id=identifiers.new(NOW), token_id=revoked))
    await store.revoke_token(revoked, TOKEN_ENDS, an_event(type="token.revoked"))

    clock.advance(3600)
    later = identifiers.new(NOW)
    await store.commit(an_entry(id=identifiers.new(NOW), token_id=later))
    await store.revoke_token("another", TOKEN_ENDS + 6600, an_event(type="token.revoked"))
    clock.advance(-3600)

    assert not await store.token_is_active(revoked, TOKEN_ENDS)
    assert await store.token_is_active(later, TOKEN_ENDS + 1)


# --- Policy sets that ran -------------------------------------------------------------------------


async def test_a_kept_policy_set_is_found_by_its_version(open_store: OpenStore) -> None:
    writer, reader = await open_store(), await open_store()
    await writer.keep_policy_set("a" * 64, bytes(range(256)), NOW)
    await writer.keep_policy_set("b" * 64, b"other", NOW)

    assert await reader.policy_set("a" * 64) == bytes(range(256))
    assert await reader.policy_set("c" * 64) is None


async def test_the_last_policy_set_is_the_one_kept_last(store: ReadableStore) -> None:
    assert await store.last_policy_set() is None
    for version in ("b", "a", "c"):
        await store.keep_policy_set(version, version.encode(), NOW)

    assert await store.last_policy_set() == KeptPolicySet("c", b"c")


async def test_a_policy_set_that_runs_again_is_the_last_and_is_kept_once(
    open_store: OpenStore,
) -> None:
    store = await open_store()
    for version, content in (("a", b"first"), ("b", b"between"), ("a", b"again")):
        await store.keep_policy_set(version, content, NOW)
    await store.close()
    store = await open_store()

    assert await store.last_policy_set() == KeptPolicySet("a", b"again")
    assert await store.policy_set("a") == b"again"
    assert await store.policy_set("b") == b"between"


async def test_a_policy_set_of_some_megabytes_is_kept_whole(store: ReadableStore) -> None:
    content = os.urandom(5_000_000)
    await store.keep_policy_set("large", content, NOW)

    assert await store.policy_set("large") == content


async def test_a_closed_store_keeps_no_policy_set(store: ReadableStore) -> None:
    await store.close()

    with pytest.raises(Unavailable):
        await store.keep_policy_set("a", b"", NOW)
