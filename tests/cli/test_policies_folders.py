"""The policy commands hold to the delegated folders of the configuration."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Broker = Callable[..., subprocess.CompletedProcess[str]]

CONFIGURATION = "folders: {teams/web/: {maps: [tests]}}\n"
SERVICES = "services: {s: {audience: https://s.example.com}}\n"


@pytest.mark.parametrize("path", [(), ("policies/teams/web/p.yaml",)])
def test_a_delegated_folder_may_not_hold_more_than_in_the_broker(
    broker: Broker, tmp_path: Path, path: tuple[str, ...]
) -> None:
    (tmp_path / "policies/teams/web").mkdir(parents=True)
    (tmp_path / "policies/teams/web/p.yaml").write_text(SERVICES)
    (tmp_path / "conf.yaml").write_text(CONFIGURATION)

    refused = broker("policies", "test", "--config", "conf.yaml", *path)
    free = broker("policies", "test", *path)

    assert refused.returncode == 2
    assert "policies/teams/web/p.yaml:1:1: `services` may not stand" in refused.stderr
    assert free.returncode == 0, free.stderr
