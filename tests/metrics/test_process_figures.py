"""What the operating system says of a process."""

import os
import sys
import time
from pathlib import Path

import pytest

from broker.metrics.process_figures import figures_of


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
def test_a_process_that_runs_has_figures() -> None:
    figures = figures_of(os.getpid())

    assert figures is not None
    assert figures.cpu > 0
    assert figures.memory > 1_000_000
    assert 0 < figures.started <= time.time() + 1


def test_a_name_with_brackets_and_spaces_moves_nothing(tmp_path: Path) -> None:
    rest = "S 1 1 1 0 -1 4194304 1 0 0 0 200 100 0 0 20 0 1 0 300 9999 7 18446744073709551615"
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "stat").write_text(f"42 (a) b (c) {rest}\n")
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1000\n")

    figures = figures_of(42, tmp_path)

    assert figures is not None
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    assert figures.cpu == 300 / ticks
    assert figures.memory == 7 * page
    assert figures.started == 1000 + 300 / ticks


@pytest.mark.parametrize("content", ["", "42 (a) S 1", "42 (a) " + "x " * 30])
def test_what_cannot_be_read_is_not_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "stat").write_text(content)
    (tmp_path / "stat").write_text("btime 1000\n")

    assert figures_of(42, tmp_path) is None
    assert figures_of(43, tmp_path) is None
    (tmp_path / "stat").write_text("cpu 1 2 3\n")
    assert figures_of(42, tmp_path) is None
