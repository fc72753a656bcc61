"""The page says of relying parties in other languages what `make interop` builds, and no more.

What they let in is asked there (tests/interop/foreign): to build them takes too long for each run.
"""

from typing import Final

from tests.interop.foreign.versions import versions
from tests.interop.page_rows import PAGE

FOREIGN: Final = PAGE.section("In other languages")


def test_the_page_names_the_versions_that_the_lock_files_pin() -> None:
    rows = [line.strip("| ").split(" | ") for line in FOREIGN.splitlines() if line[:2] == "| "]

    assert {row[0]: row[1] for row in rows[1:]} == versions()
