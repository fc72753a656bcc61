"""deploy/systemd/broker.service is a unit that systemd takes, starts a broker, and is hardened."""

import base64
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from broker.settings import load as load_settings
from broker.workers.supervisor import STOP_SECONDS
from tests.deploy.dockerfiles import ROOT
from tests.serving_process import serving_process

FILE = ROOT / "deploy/systemd/broker.service"
ANALYZE = shutil.which("systemd-analyze")
MOST_EXPOSED = 20
"""Of 100: what `systemd-analyze security` may find; 15 at the time of writing."""


@pytest.fixture(scope="module")
def service() -> dict[str, str]:
    parser = RawConfigParser(delimiters="=", comment_prefixes="#", strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(FILE.read_text())
    assert parser.sections() == ["Unit", "Service", "Install"]
    return dict(parser["Service"])


def variables(service: dict[str, str], credentials: Path, state: Path) -> dict[str, str]:
    """Give what the unit puts into the environment, with systemd's specifiers replaced."""
    text = service["Environment"].replace("%d", str(credentials)).replace("%S", str(state))
    return dict(word.split("=", 1) for word in text.split())


def test_the_rights_of_the_service_are_few(service: dict[str, str]) -> None:
    assert service["User"] == "broker"
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectoryMode"] == "0700"
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome"):
        assert service[name] == "yes"
    # Nothing else may be written.
    assert "ReadWritePaths" not in service


def test_it_is_given_the_time_that_it_takes_itself(service: dict[str, str]) -> None:
    assert int(service["TimeoutStopSec"]) > STOP_SECONDS
    assert service["RestartPreventExitStatus"] == "2"


def test_what_it_starts_serves_with_the_credential(service: dict[str, str], tmp_path: Path) -> None:
    name, _, _ = service["LoadCredential"].partition(":")
    credentials, state = tmp_path / "credentials", tmp_path / "state"
    credentials.mkdir()
    (state / service["StateDirectory"]).mkdir(parents=True)
    (credentials / name).write_text(base64.b64encode(bytes(32)).decode())
    (credentials / name).chmod(0o400)
    environment = variables(service, credentials, state)
    settings = {"issuer": "https://broker.example.com", "policies": str(ROOT / "policies")}
    lines = [f"{key}: {value}" for key, value in settings.items()]
    # The test's process takes no variables: they stand in the file, as the broker reads them.
    loaded = load_settings(
        None,
        environment | {"BROKER_ISSUER": settings["issuer"]},
        working_directory=tmp_path,
        serving=False,
    )
    lines += [f"store: sqlite:{loaded.store.shown}", f"master_key_file: {loaded.master_key_file}"]
    (tmp_path / "broker.yaml").write_text("\n".join(lines) + "\n")
    program, command, option, file = service["ExecStart"].split()

    assert (program, command, option) == ("/opt/broker/bin/broker", "serve", "--config")
    assert Path(file).parent == Path(service["WorkingDirectory"])
    with serving_process(tmp_path, option, "broker.yaml", "--listen", "127.0.0.1:0") as broker:
        broker.stop()
    assert broker.process.returncode == 0
    assert (state / service["StateDirectory"] / "broker.db").exists()


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    # The program is not installed here; another stands for it.
    unit = tmp_path / "broker.service"
    unit.write_text(FILE.read_text().replace("/opt/broker/bin/broker", "/bin/sh"))
    done = run("verify", "--man=no", "--recursive-errors=no", str(unit))

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
def test_little_is_left_exposed() -> None:
    done = run("security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", str(FILE))

    assert done.returncode == 0, done.stdout + done.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run(
        [ANALYZE, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
