"""docs/concepts/reload.md says what the code does."""

from broker.core import policy_changes
from broker.reload import hang_up, policy_reload, reload_record, watch
from tests.docs.markdown import Page, rows

PAGE = Page("docs/concepts/reload.md")


def test_the_files_are_left_alone_as_long_as_the_page_says() -> None:
    assert f"once nothing has changed for {watch.SETTLE:g} seconds" in PAGE.text


def test_as_many_problems_are_logged_as_the_page_says() -> None:
    assert f"(the first {reload_record.LOGGED_PROBLEMS})" in PAGE.text


def test_the_actors_are_those_of_the_audit_page() -> None:
    (row,) = [each for each in rows(Page("docs/reference/audit.md").text) if each[0] == "`actor`"]

    for actor in (watch.ACTOR, hang_up.ACTOR, policy_reload.START):
        assert f"`{actor}`" in row[2]


def test_whoever_is_refused_is_told_what_the_page_tells() -> None:
    assert "send `SIGHUP`" in PAGE.section("What has to be meant")
    assert "send SIGHUP to the broker" in policy_changes.EMPTIES
