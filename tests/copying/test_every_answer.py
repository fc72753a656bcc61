"""A store that was copied answers everything as before, whichever kinds it went through."""

from itertools import pairwise
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.core.audit_chain import START, Position
from broker.core.blocks import Block
from broker.ports import AlreadySpent, Committed
from broker.ports.contents import (
    ACCOUNTS,
    BLOCKS,
    CLIENT_SECRETS,
    ISSUERS_OFF,
    LAST_USES,
    PARTS,
    POLICY_SETS,
    REVOCATIONS,
    SEALED,
    SIGNING_KEYS,
    SPENDS,
    Row,
    StoreState,
)
from broker.stores.content_rows import row_of_block
from broker.stores.opening import open_contents, open_draft, open_reading
from tests.copying.conftest import Opened, Place
from tests.copying.filled import SPENT, answers, fill, presented_again
from tests.copying.moving import moved


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize(
    "kinds",
    [("sqlite", "redis", "sqlite"), ("redis", "sqlite", "redis"), ("sqlite", "sqlite"),
     ("redis", "redis")],
)  # fmt: skip
async def test_a_copy_answers_everything_as_its_source(
    kinds: tuple[str, ...], opened: Opened, place: Place, *, pruned: bool
) -> None:
    places = [place(kind) for kind in kinds]
    source = await opened(places[0])
    await fill(source, pruned=pruned)
    before: dict[str, Any] = await answers(source)
    for here, there in pairwise(places):
        await moved(here, there)

    assert await answers(open_reading(places[-1])) == before
    copy = await opened(places[-1])
    assert await answers(copy) == before
    assert await copy.state_epoch() == await source.state_epoch()
    end = before["end"].sequence
    receipts = [await copy.commit(presented_again(name)) for name in (*SPENT, "another")]
    spent = [AlreadySpent(end + number + 1) for number in range(len(SPENT))]
    assert receipts == [*spent, Committed(end + len(SPENT) + 1)]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_a_copy_lives_on_as_any_store(kind: str, opened: Opened, place: Place) -> None:
    first, second = place("redis" if kind == "sqlite" else "sqlite"), place(kind)
    await fill(await opened(first), pruned=True)
    await moved(first, second)
    copy = await opened(second)

    page = await copy.chain_page(0, 1000)
    last = page.events[9]
    assert await copy.prune_events(Position(last.sequence, last.hash), "signed anew") == 10
    assert await copy.forget_policy_sets(1) == 1
    assert await copy.erase_claims([20, 21]) == 2
    assert await copy.lift_block("b-1", presented_again("lifts").event)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
SECOND = st.integers(0, 2**40)
INSTANT = st.floats(0, 1e11)
BYTES = st.binary(min_size=1, max_size=60)
MAYBE = st.none() | INSTANT
BLOCK = st.builds(
    Block,
    block_id=TEXT,
    where=st.dictionaries(TEXT, TEXT, max_size=3),
    reason=TEXT,
    created_at=INSTANT,
    created_by=TEXT,
    expires_at=MAYBE,
)


def distinct(row: st.SearchStrategy[Row], *columns: int) -> st.SearchStrategy[list[Row]]:
    """Give some rows that differ in each of these columns."""
    return st.lists(row, max_size=12, unique_by=tuple(map(itemgetter, columns)))


CONTENTS = st.fixed_dictionaries(
    {
        ACCOUNTS.name: distinct(
            st.tuples(
                TEXT,
                st.sampled_from(["account", "override"]),
                st.none() | TEXT,
                st.integers(0, 1),
                BYTES,
            ),
            0,
        ),
        CLIENT_SECRETS.name: distinct(
            st.tuples(TEXT, TEXT, st.binary(min_size=1, max_size=32), BYTES), 0, 2
        ),
        LAST_USES.name: distinct(st.tuples(TEXT, TEXT, INSTANT), 0),
        SIGNING_KEYS.name: distinct(
            st.tuples(
                st.sampled_from(["RS256", "ES256"]),
                SECOND, TEXT, INSTANT, INSTANT, MAYBE, MAYBE, BYTES,
            ), 1, 2,
        ),
        SEALED.name: distinct(st.tuples(TEXT, BYTES), 0),
        POLICY_SETS.name: distinct(st.tuples(TEXT, SECOND, INSTANT, BYTES), 0, 1),
        BLOCKS.name: distinct(st.builds(row_of_block, BLOCK), 0),
        ISSUERS_OFF.name: distinct(st.tuples(TEXT), 0),
        SPENDS.name: distinct(st.tuples(st.binary(min_size=1, max_size=32), SECOND), 0),
        REVOCATIONS.name: distinct(st.tuples(TEXT, SECOND), 0),
    }
)  # fmt: skip
STATES = st.builds(
    StoreState,
    epoch=st.integers(1, 2**40),
    end=st.just(START),
    beginning=st.none() | TEXT,
    forgotten_until=SECOND,
    revocations_forgotten_until=SECOND,
    refused_until=SECOND,
)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(contents=CONTENTS, state=STATES)
async def test_whatever_rows_there_are_come_back_as_they_were(
    kind: str, contents: dict[str, list[Row]], state: StoreState, place: Place
) -> None:
    location = place("sqlite") if kind == "sqlite" else place("first redis")
    draft = open_draft(location, replace=True)
    await draft.begin()
    try:
        for part in PARTS:
            if contents.get(part.name):
                await draft.put(part, contents[part.name])
        await draft.complete(state)
        reading = draft.reading()
        assert await reading.begin() == state
        for part in PARTS:
            found = [row async for page in reading.rows(part) for row in page]
            assert sorted(found, key=repr) == sorted(contents.get(part.name, []), key=repr)
            assert len(set(found)) == len(found)
        assert await reading.state() == state
        await reading.close()
    finally:
        await draft.abandon()


async def test_rows_of_one_second_are_read_once_however_they_fall_into_pages(place: Place) -> None:
    location = place("redis")
    draft = open_draft(location)
    await draft.begin()
    ends = [1] * 700 + [2] * 1300 + [3, 4] + [5] * 500
    rows: list[Row] = [(number.to_bytes(4, "big"), end) for number, end in enumerate(ends)]
    for begin in range(0, len(rows), 500):
        await draft.put(SPENDS, rows[begin : begin + 500])
    await draft.complete(StoreState(1, START))
    await draft.publish()

    reading = open_contents(location)
    await reading.begin()
    assert [row async for page in reading.rows(SPENDS) for row in page] == rows
    await reading.close()
