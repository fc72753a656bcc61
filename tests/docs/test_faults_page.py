from pathlib import Path

from broker.core.kept_keys import MAX_AGE
from broker.issuer_keys.cache import LONGEST_PAUSE, MISS_COOLDOWN, REFRESH_INTERVAL
from broker.issuer_keys.source import FETCH_DEADLINE
from broker.stores.redis_link import ANSWER_SECONDS
from broker.stores.sqlite_file import BUSY_TIMEOUT_SECONDS
from chaos.verdict import Verdict
from tests.docs.markdown import Page, code, rows

ROOT = Path(__file__).parents[2]
PAGE = Page("docs/reference/faults.md")
SECTIONS = ("On SQLite", "On Redis", "Issuers")
ROWS = [row for section in SECTIONS for row in rows(PAGE.section(section))]


def test_every_row_names_the_test_that_holds_it() -> None:
    named = [code(row[-1]) for row in ROWS]

    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_page_quotes_the_last_line_of_a_chaos_run() -> None:
    assert f"`{Verdict(0, 0, 0, ()).line}`" in PAGE.text


def test_the_times_of_issuers_are_the_real_ones() -> None:
    section = PAGE.section("Issuers")
    assert (MAX_AGE, MISS_COOLDOWN, LONGEST_PAUSE) == (24 * 3600, 30, 30)
    assert (REFRESH_INTERVAL, FETCH_DEADLINE) == (300, 10)
    for said in ("24 hours", "30 seconds", "five minutes", "ten seconds"):
        assert said in section


def test_the_time_that_a_lock_is_waited_for_is_the_real_one() -> None:
    assert BUSY_TIMEOUT_SECONDS == 5
    assert "Up to five seconds" in PAGE.text


def test_the_time_that_an_answer_is_waited_for_is_the_real_one() -> None:
    assert ANSWER_SECONDS == 2
    assert "waits for at most two seconds for an answer, asks once more" in PAGE.text
