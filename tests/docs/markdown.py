"""Reading the project's Markdown: pages, headings, links, tables and blocks of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = {".venv", "node_modules", "build", "dist", "data"}

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code: its language and its text, without the indentation of the fence."""

    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """One page, by its path from the project's root."""

    path: str

    @property
    def text(self) -> str:
        """The whole page."""
        return (ROOT / self.path).read_text()

    @property
    def prose(self) -> str:
        """The page without its blocks of code."""
        return _FENCE.sub("", self.text)

    def blocks(self, language: str | None = None) -> list[Block]:
        """List the blocks of code, all or those of a language."""
        return blocks(self.text, language)

    def headings(self, level: int | None = None) -> list[str]:
        """List the headings, all or those of one level."""
        found = [(len(each[1]), each[2]) for each in _HEADING.finditer(self.prose)]
        return [text for depth, text in found if level in (None, depth)]

    def anchors(self) -> set[str]:
        """Give the names by which links reach the headings, as GitHub makes them."""
        anchors: set[str] = set()
        for heading in self.headings():
            name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
            count = sum(
                each == name or re.fullmatch(rf"{name}-\d+", each) is not None for each in anchors
            )
            anchors.add(f"{name}-{count}" if count else name)
        return anchors

    def links(self) -> list[str]:
        """List the targets of all links."""
        return _LINK.findall(self.prose)

    def section(self, heading: str) -> str:
        """Give the text below a heading, up to the next one of its level or above."""
        matches = list(_HEADING.finditer(self.text))
        for place, match in enumerate(matches):
            if match[2] == heading:
                ends = (
                    each.start() for each in matches[place + 1 :] if len(each[1]) <= len(match[1])
                )
                return self.text[match.end() : next(ends, None)]
        raise AssertionError(f"{self.path} has no heading '{heading}'")


def blocks(text: str, language: str | None = None) -> list[Block]:
    """List the blocks of code in a text, all or those of a language."""
    found = [
        Block(each[2], re.sub(f"^{each[1]}", "", each[3], flags=re.MULTILINE))
        for each in _FENCE.finditer(text)
    ]
    return [each for each in found if language in (None, each.language)]


def rows(text: str) -> list[list[str]]:
    """Read the rows of the tables in a text, heads and rules left out."""
    found = [[cell.strip() for cell in each[1].split("|")] for each in _ROW.finditer(text)]
    rules = [place for place, cells in enumerate(found) if set("".join(cells)) <= set("-: ")]
    heads = {place - 1 for place in rules}
    return [cells for place, cells in enumerate(found) if place not in {*rules, *heads}]


def code(cell: str) -> str:
    """Give the text between the first pair of backticks."""
    return cell.split("`")[1]


def pages() -> Iterator[Page]:
    """List every page of the project."""
    for path in sorted(ROOT.rglob("*.md")):
        parts = path.relative_to(ROOT).parts
        if LEFT_OUT.isdisjoint(parts) and not any(part.startswith(".") for part in parts):
            yield Page(path.relative_to(ROOT).as_posix())
