"""botocore gets keys for a token in both ways: from the helper's process, and from a file."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.consumers.conftest import Job
from tests.consumers.guide import in_guide
from tests.consumers.loopback_server import LoopbackServer
from tests.consumers.programs_found import library_program
from tests.consumers.sts_stand_in import ROLE, Sts

SESSION = "arn:aws:sts::123456789012:assumed-role/deploy"


@pytest.fixture
def sts(job: Job) -> Sts:
    return Sts(job.claims, life=3600)


@pytest.fixture
def cloud(job: Job, sts: Sts) -> Iterator[LoopbackServer]:
    """Run STS, and let the environment of the job name it."""
    with LoopbackServer(sts.answer).serving() as server:
        job.variables |= {
            "AWS_ENDPOINT_URL_STS": server.url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield server


def identity(job: Job, stdin: str, *, role: str = ROLE) -> subprocess.CompletedProcess[str]:
    """Ask STS who it is, a line on stdin each time, configured as the guide says."""
    folder = job.folder / "home" / ".aws"
    folder.mkdir()
    (folder / "config").write_text(
        in_guide("AWS", "ini", replaced={"--service aws": "--service deploy-api"})
    )
    (job.folder / "calls").write_text(stdin)
    exports = in_guide("AWS", "sh", replaced={ROLE: role})
    command = " ".join(library_program("aws_identity.py"))
    return job.run("sh", "-eu", stdin=f"{exports}exec {command} <calls\n")


def test_botocore_gets_keys_from_the_helper(job: Job, sts: Sts, cloud: LoopbackServer) -> None:
    done = identity(job, "once\nonce more\nand again\n")

    assert done.returncode == 0, done.stderr
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert calls == [{"arn": f"{SESSION}/deploy-web", "method": "custom-process"}] * 3
    # An hour: one call of the helper serves all.
    assert sts.assumed == 1


def test_with_keys_of_a_quarter_of_an_hour_botocore_would_ask_at_every_use(
    job: Job, sts: Sts, cloud: LoopbackServer
) -> None:
    sts.life = 900
    done = identity(job, "once\nonce more\n")

    assert done.returncode == 0, done.stderr
    assert sts.assumed >= 2


def test_a_session_has_the_name_that_the_job_gives_it(
    job: Job, sts: Sts, cloud: LoopbackServer
) -> None:
    answer = job.quiet(
        *("broker", "credential-helper", "aws"),
        BROKER_SERVICE="deploy-api",
        AWS_ROLE_ARN=ROLE,
        AWS_ROLE_SESSION_NAME="job 42/7",
    )

    assert sts.session == "job-42-7"
    assert json.loads(answer)["SecretAccessKey"] == "c2VjcmV0+/<&>"


def test_botocore_is_told_why_there_are_no_keys(job: Job, cloud: LoopbackServer) -> None:
    done = identity(job, "once\n", role="arn:aws:iam::123456789012:role/other")

    assert done.returncode == 1
    assert "AccessDenied Not authorized to perform <the> action & more" in done.stderr


def test_botocore_reads_the_token_from_a_file(
    job: Job, sts: Sts, cloud: LoopbackServer, tmp_path: Path
) -> None:
    writing = ("--format", "aws-web-identity-file", "--output", str(tmp_path / "token"))
    exports = job.quiet("broker", "token", "deploy-api", *writing, AWS_ROLE_ARN=ROLE)
    (tmp_path / "calls").write_text("once\n")
    command = " ".join(library_program("aws_identity.py"))
    done = job.run("sh", "-eu", stdin=f"{exports}exec {command} <calls\n")

    assert done.returncode == 0, done.stderr
    call = json.loads(done.stdout)
    assert call["method"] == "assume-role-with-web-identity"
    assert call["arn"].startswith(f"{SESSION}/botocore-session-")
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert job.claims((tmp_path / "token").read_text())["client_id"] == "deploy-web"
