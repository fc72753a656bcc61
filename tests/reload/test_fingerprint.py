"""Whether files changed shows in their fingerprint, however they were changed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.reload.fingerprint import fingerprint_now
from tests.reload.policy_folders import BASE, MAIN, ConfigMap, replace, write


def rewrite_unnoticeably(folder: Path) -> None:
    """Change a file in place, then set its times back; its size stays."""
    file = folder / "main.yaml"
    before = file.stat()
    file.write_text(file.read_text().replace("456789", "456788"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_a_twin(folder: Path) -> None:
    file = folder / "main.yaml"
    before = file.stat()
    replace(file, file.read_text())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def link_elsewhere(folder: Path) -> None:
    (folder / "main.yaml").rename(folder / "other.txt")
    (folder / "main.yaml").symlink_to("other.txt")


@pytest.mark.parametrize(
    "change",
    [
        rewrite_unnoticeably,
        replace_by_a_twin,
        link_elsewhere,
        lambda folder: (folder / "main.yaml").unlink(),
        lambda folder: (folder / "main.yaml").rename(folder / "other.yaml"),
        lambda folder: (folder / "new.yml").touch(),
        lambda folder: (folder / "NEW.YAML").touch(),
        lambda folder: (folder / "teams").mkdir(),
        lambda folder: (folder / "main.yaml").chmod(0o600),
        lambda folder: folder.rename(folder.with_name("elsewhere")),
    ],
)
def test_a_change_shows(tmp_path: Path, change: Callable[[Path], object]) -> None:
    folder = write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN)
    before = fingerprint_now(folder, ())
    change(folder)

    assert fingerprint_now(folder, ()) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "main.yaml").read_text(),
        lambda folder: (folder / "README.md").write_text("what is here"),
        lambda folder: (folder / ".main.yaml.swp").write_text("draft"),
        lambda folder: write(folder / ".git", index_yaml=""),
    ],
)
def test_what_is_not_read_does_not_show(tmp_path: Path, change: Callable[[Path], object]) -> None:
    folder = write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN)
    before = fingerprint_now(folder, ())
    change(folder)

    assert fingerprint_now(folder, ()) == before


def test_a_swapped_configmap_shows_and_so_does_its_way_back(tmp_path: Path) -> None:
    mounted = ConfigMap(tmp_path / "policies", main_yaml=MAIN)
    first, before = mounted.moment, fingerprint_now(mounted.folder, ())
    mounted.update(main_yaml=MAIN)
    between = fingerprint_now(mounted.folder, ())
    mounted.point_to(first)

    assert before != between != fingerprint_now(mounted.folder, ())


def test_a_folder_that_is_not_there_has_a_fingerprint_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    missing = fingerprint_now(folder, ())
    folder.mkdir()

    assert fingerprint_now(folder, ()) != missing


def test_named_files_show_even_before_they_exist(tmp_path: Path) -> None:
    folder, named = write(tmp_path / "policies"), tmp_path / "jwks.json"
    seen = [fingerprint_now(folder, [str(named)])]
    for text in ("{}", "{ }"):
        named.write_text(text)
        seen.append(fingerprint_now(folder, [str(named)]))

    assert len(set(seen)) == 3
