"""`make demo`, run as a newcomer runs it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
A_WHOLE_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


@contextmanager
def demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demo at the head of a process group of its own, as a shell does."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            if is_left(process.pid):
                os.killpg(process.pid, signal.SIGKILL)


def is_left(group: int) -> bool:
    """Tell whether any process of the group still exists."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_demo_tells_its_whole_story_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        story, errors = process.communicate(timeout=120)
        left = is_left(process.pid)

    assert (process.returncode, errors) == (0, "")
    assert not left
    assert list(tmp_path.iterdir()) == []
    assert [f"\n{number}. " in story for number in range(1, 8)] == [True] * 7
    assert story.count("->  200") == 4
    assert "reason             token_already_used" in story
    assert story.count('"type": "token.exchanged"') == 2
    assert story.count('"type": "token.refused"') == 2
    assert not A_WHOLE_TOKEN.search(story)


@pytest.mark.parametrize("by", [os.kill, os.killpg])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_either(
    tmp_path: Path, by: Callable[[int, int], None], number: signal.Signals
) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("1. "):
                break
        by(process.pid, number)
        process.communicate(timeout=60)
        left = is_left(process.pid)

    assert process.returncode == 130
    assert not left
    assert list(tmp_path.iterdir()) == []


def test_a_demo_whose_broker_does_not_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    # Stands before the real package on the path of every Python that the demo starts.
    (broken / "sitecustomize.py").write_text("import sys\nsys.modules['starlette'] = None\n")
    process = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{broken}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert process.returncode == 1
    assert "The demo failed" in process.stderr
    assert "'starlette'" in process.stderr
