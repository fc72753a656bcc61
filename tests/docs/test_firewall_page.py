"""docs/guides/self-managed-behind-a-firewall.md quotes what the broker logs."""

import re

import pytest

from broker.issuer_keys.cache import MAX_AGE
from tests.docs.markdown import ROOT, Page, code, rows

PAGE = Page("docs/guides/self-managed-behind-a-firewall.md")
# What OpenSSL says is not in our code.
QUOTED = [text for row in rows(PAGE.text) if not (text := code(row[0])).isupper()]


@pytest.mark.parametrize("text", QUOTED)
def test_the_log_really_says_so(text: str) -> None:
    said = "".join(file.read_text() for file in (ROOT / "broker/issuer_keys").glob("*.py"))

    assert text in re.sub(r'"\s+f?"', "", said)


def test_held_keys_count_as_long_as_the_page_says() -> None:
    assert f"count for {MAX_AGE // 3600} hours" in PAGE.text
