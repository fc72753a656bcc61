"""A page of accounts costs the same, however many accounts there are of others."""

import apsw
import pytest

from broker.ports import AccountRow
from broker.stores import sqlite_accounts
from broker.stores.sqlite_file import open_for_writing

CROWD = 5000


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> apsw.Connection:
    connection = open_for_writing(tmp_path_factory.mktemp("store") / "broker.db")
    rows = [
        AccountRow(f"m-{number:05}", "account", "umbrella", deleted=False, content=b"x")
        for number in range(CROWD)
    ]
    rows.append(AccountRow("m-99999", "account", "acme", deleted=False, content=b"x"))
    with connection:
        sqlite_accounts.put(connection, tuple(rows), ())
    return connection


@pytest.mark.parametrize("after", ["", "m-02500"])
@pytest.mark.parametrize("organization", [None, "acme", "umbrella", "nobody"])
def test_a_page_looks_at_no_more_rows_than_it_has(
    crowded: apsw.Connection, organization: str | None, after: str
) -> None:
    looked: list[None] = []

    def look() -> bool:
        looked.append(None)
        return False

    crowded.set_progress_handler(look, 100)
    page = sqlite_accounts.page(crowded, "account", organization, after, 10)
    crowded.set_progress_handler(None)

    assert len(page) == {None: 10, "umbrella": 10, "acme": 1, "nobody": 0}[organization]
    # Some twenty steps of SQLite's machine for each row.
    assert len(looked) < 10
