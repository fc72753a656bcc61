"""The settings that docs/guides/credential-helpers.md tells people to paste."""

from collections.abc import Mapping

from tests.docs.markdown import Page, blocks

GUIDE = Page("docs/guides/credential-helpers.md")


def in_guide(
    heading: str, language: str, *, number: int = 0, replaced: Mapping[str, str] | None = None
) -> str:
    """Give a block below a heading, with the names of the page replaced by those of the test."""
    text = blocks(GUIDE.section(heading), language)[number].text
    for name, other in (replaced or {}).items():
        assert name in text, f"{name} is not in the block below '{heading}' any more"
        text = text.replace(name, other)
    return text
