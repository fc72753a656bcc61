"""A few seconds of `make chaos`, with the processes that it really starts and kills."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("store", "workers"), [("sqlite", "1"), ("sqlite", "2"), ("redis", "2")])
def test_nothing_is_lost_spent_twice_or_wrongly_accepted(store: str, workers: str) -> None:
    chosen = {
        "CHAOS_STORE": store,
        "CHAOS_SECONDS": "6",
        "CHAOS_CLIENTS": "4",
        "CHAOS_WORKERS": workers,
    }
    run = subprocess.run(
        [sys.executable, "-m", "chaos.run"],
        cwd=ROOT,
        env=os.environ | chosen,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert run.stdout.endswith("\nlost: 0, double-spent: 0, wrongly accepted: 0\n"), run.stdout
    assert run.returncode == 0, run.stdout + run.stderr
