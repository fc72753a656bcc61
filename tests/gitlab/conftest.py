"""A broker of today, a service that trusts it, the component project, and shells of jobs."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gitlab.component_project import ComponentProject, require_programs
from tests.gitlab.job_scripts import PROGRAMS, Script
from tests.protected_service import protected_service
from tests.running_broker import RunningBroker


@pytest.fixture(scope="module")
def today_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Run a broker at the time that the service's own clock shows."""
    folder = tmp_path_factory.mktemp("broker")
    with RunningBroker(folder, now=time.time()).serving() as broker:
        yield broker


@pytest.fixture(scope="module")
def deploy_api(today_broker: RunningBroker) -> Iterator[str]:
    """The URL of the service that deploys."""
    with protected_service(today_broker.url) as url:
        yield url


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> ComponentProject:
    """The component project; its pipeline is each test's own."""
    require_programs()
    return ComponentProject.cloned(tmp_path_factory.mktemp("gitlab") / "broker")


@pytest.fixture(params=["sh", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    """The path of a shell that jobs have."""
    found = shutil.which(str(request.param))
    assert found
    return found


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the programs that the scripts may use; curl notes its command lines."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    curl = (folder / "curl").readlink()
    (folder / "curl").unlink()
    (folder / "curl").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{tmp_path}/arguments"\nexec {curl} "$@"\n'
    )
    (folder / "curl").chmod(0o755)
    return folder


@pytest.fixture
def script(today_broker: RunningBroker, shell: str, programs: Path, tmp_path: Path) -> Script:
    """Run a script of a job as a runner does; unless said otherwise for a push to main."""
    usual = today_broker.gitlab_token()

    def run(text: str, id_token: str = usual, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [shell, "-e", "-c", text],
            env={
                "PATH": str(programs),
                "BROKER_ID_TOKEN": id_token,
                "CI_PROJECT_DIR": str(tmp_path / "project"),
                "CI_JOB_ID": "7",
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not id_token or id_token not in done.stdout + done.stderr
        return done

    return run
