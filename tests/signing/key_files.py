"""Files of master keys, as tests write and look at them."""

from pathlib import Path

from broker.signing.master_key import MasterKey


def write(file: Path, master_key: MasterKey) -> None:
    file.write_text(master_key.text() + "\n")
    file.chmod(0o600)


def holds(file: Path, master_key: MasterKey) -> bool:
    return file.read_text() == master_key.text() + "\n" and file.stat().st_mode & 0o777 == 0o600


def names_beside(file: Path) -> list[str]:
    return sorted(each.name for each in file.parent.glob("master*"))


def remove(file: Path) -> None:
    file.unlink()
