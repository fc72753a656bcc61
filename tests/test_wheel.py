"""The installed package: what is in it, and what it says where the checkout's files are missing."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=120,
    )
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder / "content")
    return folder / "content"


def serve_dev(installed: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    ports = ("--listen", "127.0.0.1:0", "--dev-listen", "127.0.0.1:0")
    return subprocess.run(
        [sys.executable, "-m", "broker", "serve", "--dev", *ports],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_package_and_nothing_else_is_in_the_wheel(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()}

    assert "broker" in names
    assert [name for name in names - {"broker"} if not name.endswith(".dist-info")] == []
    assert (installed / "broker/py.typed").exists()


def test_every_module_is_in_the_wheel(installed: Path) -> None:
    here, there = (
        {path.relative_to(root).as_posix() for path in (root / "broker").rglob("*.py")}
        for root in (ROOT, installed)
    )

    assert here == there


def test_every_template_is_in_the_wheel(installed: Path) -> None:
    here, there = (
        {path.name: path.read_text() for path in (root / "broker/snippets/templates").iterdir()}
        for root in (ROOT, installed)
    )

    assert here == there


def test_without_any_policies_serve_dev_says_what_is_missing(
    installed: Path, tmp_path: Path
) -> None:
    done = serve_dev(installed, tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is no folder `{tmp_path}/policies`" in done.stderr


def test_without_the_development_policies_serve_dev_says_where_they_are(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "policies").mkdir()

    done = serve_dev(installed, tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "policies/dev: there is no such folder, and --dev takes from it" in done.stderr
    assert "copy it from the project's sources" in done.stderr
    assert "Traceback" not in done.stderr
