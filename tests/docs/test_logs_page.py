"""docs/reference/logs.md names every member that a line of the log may have."""

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from broker import logs
from broker.logs import MAX_TEXT
from tests.docs.markdown import ROOT, Page, rows

PAGE = Page("docs/reference/logs.md")
MEMBERS = {
    name
    for row in rows(PAGE.text)
    for name in re.findall(r"`(\w+)`", row[0])
}  # fmt: skip


def test_the_example_is_a_line_of_the_log() -> None:
    [block] = PAGE.blocks("json")
    [line] = block.text.splitlines()

    members = json.loads(line)
    assert members.keys() <= MEMBERS
    record = logging.makeLogRecord({"msg": members["message"], "levelname": "ERROR"})
    written = json.loads(logs.JsonFormatter({"worker": 1}).format(record))
    assert list(members)[: len(written)] == list(written)


def test_the_longest_text_is_the_real_one() -> None:
    assert f"{MAX_TEXT:,} characters" in PAGE.text


def test_every_member_that_the_code_adds_is_on_the_page() -> None:
    added = {name for path in (ROOT / "broker").rglob("*.py") for name in extras(path)}

    assert {"actor", "account", "key", "request_id"} <= added
    assert added - MEMBERS == set()


def extras(path: Path) -> Iterator[str]:
    """List the members that the calls of a module give as `extra`."""
    tree = ast.parse(path.read_text())
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        for keyword in call.keywords:
            if keyword.arg != "extra":
                continue
            if isinstance(keyword.value, ast.Dict):
                yield from names(keyword.value)
            elif isinstance(keyword.value, ast.Name):
                yield from assigned(tree, keyword.value.id)


def assigned(tree: ast.Module, variable: str) -> Iterator[str]:
    """List the members of the dictionaries that a variable of the module is given."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            targets = [each.id for each in statement.targets if isinstance(each, ast.Name)]
            yield from names(statement.value) if variable in targets else ()


def names(members: ast.Dict) -> Iterator[str]:
    for key in members.keys:
        if isinstance(key, ast.Constant):
            yield str(key.value)


def test_lines_are_one_json_object_each() -> None:
    stream = io.StringIO()
    handler = logs.JsonLines(stream)
    handler.setFormatter(logs.JsonFormatter({}))
    handler.emit(logging.makeLogRecord({"msg": "a\nb", "levelname": "INFO"}))

    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "a\nb"
