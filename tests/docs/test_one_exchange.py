"""docs/concepts/one-exchange.md and the grant that it describes say the same."""

import re

from tests.docs.markdown import ROOT, Page, rows

PAGE = Page("docs/concepts/one-exchange.md")
STEPS = rows(PAGE.text.partition("## ")[0])
GRANT = (ROOT / "broker/grants/token_exchange.py").read_text()


def test_there_are_nine_steps() -> None:
    assert [int(row[0]) for row in STEPS] == list(range(1, 10))


def test_the_grant_has_these_steps_under_these_names() -> None:
    assert [f"{row[0]} {row[1]}" for row in STEPS if f"{row[0]} {row[1]}" not in GRANT] == []


def test_the_grant_has_no_other_steps() -> None:
    numbered = re.findall(r'(?:# |"""|and )(\d) [a-z]', GRANT)

    assert sorted(numbered) == [row[0] for row in STEPS]


def test_every_step_names_a_file_or_a_room_that_exists() -> None:
    for row in STEPS:
        shown, link = re.findall(r"\[`(.+?)`\]\(\.\./\.\./(.+?)\)", row[2])[0]

        assert (ROOT / link).is_file()
        assert link.startswith(shown)
