"""`broker exec`: a command with a token, its exit code, its signals, and the token's end."""

import json
import signal
import sys
from pathlib import Path

import pytest

from broker.settings.unknown import CLIENT_VARIABLES
from tests.cli.pipeline.conftest import Start
from tests.client.stand_in import a_token, answering, refusal
from tests.consumers.conftest import Job
from tests.consumers.loopback_server import Answer, Request

SHOWS = """
import json, os, stat
path = os.environ["BROKER_TOKEN_FILE"]
print(json.dumps({
    "token": os.environ["BROKER_TOKEN"],
    "ends": os.environ["BROKER_TOKEN_EXPIRES_AT"],
    "path": path,
    "content": open(path).read(),
    "modes": [stat.S_IMODE(os.stat(each).st_mode) for each in (path, os.path.dirname(path))],
}))
"""


def revoked(job: Job) -> list[str]:
    return [str(each) for each in job.broker.events() if each["type"] == "token.revoked"]


def test_a_command_has_a_token_for_as_long_as_it_runs(job: Job) -> None:
    before = len(revoked(job))
    answer = json.loads(
        job.quiet("broker", "exec", "deploy-api", "--", sys.executable, "-c", SHOWS)
    )
    claims = job.claims(answer["token"])

    assert answer["content"] == answer["token"]
    assert answer["ends"].endswith("Z")
    assert answer["modes"] == [0o600, 0o700]
    assert not Path(answer["path"]).parent.exists()
    (event,) = revoked(job)[before:]
    assert str(claims["jti"]) in event
    assert list(job.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 0"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["no-such-command"], 127),
        (["/"], 126),
    ],
)
def test_its_exit_code_is_that_of_the_command(job: Job, command: list[str], code: int) -> None:
    before = len(revoked(job))
    done = job.run("broker", "exec", "deploy-api", "--", *command)

    assert (done.returncode, done.stdout) == (code, "")
    assert bool(done.stderr) is (code in (126, 127))
    assert len(revoked(job)) == before + 1


@pytest.mark.parametrize(
    ("variables", "code"),
    [({"BROKER_ID_TOKEN": ""}, 3), ({"BROKER_SCOPE": "no:such"}, 4), ({"BROKER_TTL": "x"}, 2)],
)
def test_without_a_token_nothing_runs(job: Job, variables: dict[str, str], code: int) -> None:
    done = job.run("broker", "exec", "deploy-api", "--", "touch", "ran", more=variables)

    assert (done.returncode, done.stdout) == (code, "")
    assert list(job.folder.iterdir()) == []


def test_what_is_to_run_has_to_be_named(job: Job) -> None:
    assert job.run("broker", "exec", "deploy-api").returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_go_to_the_command_and_no_file_stays(
    job: Job, start: Start, number: signal.Signals
) -> None:
    script = (
        "import os, signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(9))\n"
        "print(os.environ['BROKER_TOKEN_FILE'], flush=True)\n"
        "time.sleep(60)\n"
    )
    before = len(revoked(job))
    with start("broker", "exec", "deploy-api", "--", sys.executable, "-c", script) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        assert path.exists()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)

    assert (process.returncode, stderr) == (9, "")
    assert not path.parent.exists()
    assert len(revoked(job)) == before + 1


def test_a_command_that_a_signal_ends_leaves_no_file(job: Job, start: Start) -> None:
    with start(
        "broker", "exec", "deploy-api", "--", "sh", "-c", "echo $BROKER_TOKEN_FILE; exec sleep 60"
    ) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        process.terminate()
        process.communicate(timeout=60)

    assert process.returncode == 143
    assert not path.parent.exists()


def test_the_file_is_kept_fresh_through_a_trouble_that_passes(job: Job, start: Start) -> None:
    left = [a_token("t1", 2), Answer(b"<h1>Bad gateway</h1>", 403)]

    def answer(request: Request) -> Answer:
        if request.path.endswith("revoke"):
            return Answer()
        return left.pop(0) if left else a_token("last", 600)

    script = "while ! grep -q last $BROKER_TOKEN_FILE; do sleep 0.05; done; echo $BROKER_TOKEN"
    with (
        answering(answer) as server,
        start("broker", "exec", "any", "--", "sh", "-c", script, BROKER_URL=server.url) as process,
    ):
        stdout, stderr = process.communicate(timeout=60)

        assert (process.returncode, stdout) == (0, "t1\n")
        # On a busy machine the first token may be over before the second is asked for.
        assert "could not be renewed" in stderr or "is not fresh any more" in stderr
        (ended,) = [each.form for each in server.requests if each.path.endswith("revoke")]
        assert ended == {"token": "last"}


def test_a_token_that_is_not_revoked_is_told_and_changes_nothing(job: Job) -> None:
    with answering(a_token("one"), refusal(403)) as server:
        done = job.run("broker", "exec", "any", "--", "sh", "-c", "exit 3", BROKER_URL=server.url)

    assert (done.returncode, done.stdout) == (3, "")
    assert "the token was not revoked" in done.stderr


def test_a_broker_that_a_job_starts_knows_the_variables_of_the_client(job: Job) -> None:
    shown = job.quiet("broker", "exec", "deploy-api", "--", "env")
    names = {line.partition("=")[0] for line in shown.splitlines() if line.startswith("BROKER_")}

    assert {"BROKER_TOKEN", "BROKER_TOKEN_EXPIRES_AT", "BROKER_TOKEN_FILE"} <= names
    assert names <= CLIENT_VARIABLES
