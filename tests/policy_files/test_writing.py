"""Edited policy files take the place of those that were read: all of them, or none."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from broker.core.errors import ConfigurationError
from broker.policy_files.writing import write_all
from tests.unprivileged import run_unprivileged

if TYPE_CHECKING:
    from collections.abc import Mapping


def files(folder: Path, count: int = 3) -> dict[str, tuple[bytes, bytes]]:
    found = {}
    for number in range(count):
        file = folder / f"{number}.yaml"
        file.write_bytes(b"before\n")
        found[str(file)] = (b"before\n", b"after\n")
    return found


def held(folder: Path) -> list[bytes]:
    return [each.read_bytes() for each in sorted(folder.glob("*.yaml"))]


def left_over(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.startswith(".")]


def test_all_are_written_with_their_rights(tmp_path: Path) -> None:
    found = files(tmp_path)
    (tmp_path / "1.yaml").chmod(0o604)

    write_all(found)

    assert held(tmp_path) == [b"after\n"] * 3
    assert stat.S_IMODE((tmp_path / "1.yaml").stat().st_mode) == 0o604
    assert left_over(tmp_path) == []


def test_one_that_is_not_what_was_read_keeps_all_as_they_are(tmp_path: Path) -> None:
    found = files(tmp_path)
    (tmp_path / "2.yaml").write_bytes(b"mine\n")

    with pytest.raises(ConfigurationError, match=r"2\.yaml: was changed while this ran"):
        write_all(found)

    assert held(tmp_path) == [b"before\n", b"before\n", b"mine\n"]
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("number", [0, 2])
def test_one_that_is_gone_keeps_all_as_they_are(tmp_path: Path, number: int) -> None:
    found = files(tmp_path)
    (tmp_path / f"{number}.yaml").unlink()

    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        write_all(found)

    assert held(tmp_path) == [b"before\n"] * 2
    assert left_over(tmp_path) == []


def test_what_is_behind_a_link_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    [(real, texts)] = files(tmp_path / "real", 1).items()
    link = tmp_path / "link.yaml"
    link.symlink_to(real)

    write_all({str(link): texts})

    assert link.is_symlink()
    assert Path(real).read_bytes() == b"after\n"


def test_a_folder_that_may_not_be_written_keeps_all_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "shut").mkdir()
    files(tmp_path / "open")
    files(tmp_path / "shut")
    (tmp_path / "shut").chmod(0o555)
    try:
        said = run_unprivileged(_both, tmp_path)
    finally:
        (tmp_path / "shut").chmod(0o755)

    assert "cannot be written: Permission denied" in said
    assert held(tmp_path / "open") == held(tmp_path / "shut") == [b"before\n"] * 3
    assert left_over(tmp_path / "open") == []


def _both(folder: Path) -> Any:
    texts: Mapping[str, tuple[bytes, bytes]] = {
        str(file): (b"before\n", b"after\n") for file in sorted(folder.glob("*/*.yaml"))
    }
    try:
        write_all(texts)
    except ConfigurationError as error:
        return str(error)
    return ""


def test_what_was_put_in_place_is_put_back_when_a_later_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = files(tmp_path)
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if str(target).endswith("2.yaml"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    # The file system is what fails here.
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigurationError, match=r"2\.yaml: cannot be put in place: No space"):
        write_all(found)

    assert held(tmp_path) == [b"before\n"] * 3
    assert left_over(tmp_path) == []


def test_who_breaks_off_leaves_none_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = files(tmp_path)
    replace = os.replace

    def broken_off(source: Any, target: Any) -> None:
        if str(target).endswith("2.yaml"):
            raise KeyboardInterrupt
        replace(source, target)

    # As by Ctrl-C, at the worst moment.
    monkeypatch.setattr(os, "replace", broken_off)
    with pytest.raises(KeyboardInterrupt):
        write_all(found)

    assert held(tmp_path) == [b"before\n"] * 3
    assert left_over(tmp_path) == []


def test_what_others_did_meanwhile_is_not_undone_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = files(tmp_path)
    first, second, third = sorted(tmp_path.glob("*.yaml"))
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target) == third:
            first.write_bytes(b"other\n")
            second.unlink()
            raise OSError(28, "No space left on device")
        replace(source, target)

    # The file system is what fails here.
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigurationError) as refused:
        write_all(found)

    assert held(tmp_path) == [b"other\n", b"before\n"]
    assert [each.file for each in refused.value.problems] == [str(third), str(first), str(second)]
    assert "changed since: it stays as it is now" in str(refused.value)
    assert "cannot be put back: No such file" in str(refused.value)
    assert left_over(tmp_path) == []


def test_in_a_folder_that_may_not_be_listed_files_are_written_all_the_same(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    files(tmp_path / "open")
    (tmp_path / "open").chmod(0o333)
    try:
        said = run_unprivileged(_by_name, tmp_path)
    finally:
        (tmp_path / "open").chmod(0o755)

    assert said == ""
    assert held(tmp_path / "open") == [b"after\n"] * 3


def _by_name(folder: Path) -> Any:
    names = [str(folder / "open" / f"{number}.yaml") for number in range(3)]
    try:
        write_all(dict.fromkeys(names, (b"before\n", b"after\n")))
    except ConfigurationError as error:
        return str(error)
    return ""


def test_a_name_too_long_for_a_draft_beside_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / f"{'x' * 245}.yaml"
    file.write_bytes(b"before\n")

    with pytest.raises(ConfigurationError, match="cannot be written: File name too long"):
        write_all({str(file): (b"before\n", b"after\n")})
    assert held(tmp_path) == [b"before\n"]
