"""What reading settings says where rights are missing; called in a process that they bind."""

from pathlib import Path

from tests.settings.home import Home


def unreadable_policies(folder: Path) -> str:
    """Read the settings of a broker whose policies folder may not be read."""
    policies = folder / "policies"
    policies.mkdir()
    policies.chmod(0)
    said = Home(folder).says()
    policies.chmod(0o700)
    return said
