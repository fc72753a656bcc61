"""`broker token` as a job runs it: its answer, its exit codes, its file, and what it leaves."""

import json
import re
import signal
import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.pipeline.conftest import Start, wait_for
from tests.client.stand_in import a_token, an_id_token, answering, as_json, trouble
from tests.client_secrets import an_account, give
from tests.consumers.conftest import Job
from tests.consumers.loopback_server import Answer
from tests.github_runner import GithubRunner
from tests.service_tokens import DEPLOY_API

PAGE = Answer(b"<h1>Sign in</h1>", 403)
START = Answer(b"<h1>Welcome</h1>")


def test_the_value_alone_is_printed_and_the_next_time_nobody_is_asked(job: Job) -> None:
    before = job.exchanges()
    first = job.quiet("broker", "token", "deploy-api")
    assert job.claims(first.strip())["client_id"] == "deploy-web"
    assert first.count("\n") == 1

    assert job.quiet("broker", "token", "deploy-api", BROKER_URL=f"{job.broker.url}/") == first
    # What the fast path leaves to the command is a hit all the same.
    assert job.quiet("broker", "token", "--id-token-env", "BROKER_ID_TOKEN", "deploy-api") == first
    assert job.exchanges() == before + 1
    assert job.quiet("broker", "token", DEPLOY_API, "--no-cache") != first
    assert job.exchanges() == before + 2
    assert list((job.folder).iterdir()) == []
    assert list((job.folder.parents[1] / "home").iterdir()) == []


def test_a_hit_needs_no_broker_at_all(job: Job) -> None:
    with answering(a_token("one")) as server:
        assert job.quiet("broker", "token", "any", BROKER_URL=server.url) == "one\n"

    assert job.quiet("broker", "token", "any", BROKER_URL=server.url) == "one\n"
    shown = job.quiet("broker", "token", "any", "--format", "header", BROKER_URL=server.url)
    assert shown == "Authorization: Bearer one\n"
    shown = job.quiet("broker", "token", "any", "--format", "json", BROKER_URL=server.url)
    assert json.loads(shown)["access_token"] == "one"
    assert job.quiet("broker", "token", "any", "--json", BROKER_URL=server.url) == shown


def test_a_job_of_github_gets_a_token(github_job: tuple[Job, GithubRunner]) -> None:
    job, runner = github_job
    token = job.quiet(
        "broker", "token", "deploy-api", "--scope", "deploy:read", "--ttl", "5m",
        "--service-account", "deploy-web", "--audience", "https://broker.example",
    ).strip()  # fmt: skip
    claims = job.claims(token)

    assert (claims["scope"], claims["exp"] - claims["iat"]) == ("deploy:read", 300)
    assert len(runner.minted) == 1
    (folder,) = Path(job.variables["RUNNER_TEMP"]).iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("variables", "form"),
    [
        *(({}, form) for form in ("raw", "header", "curl-config", "shell", "env")),
        ({"BROKER_URL": ""}, "raw"),
        ({"BROKER_URL": "amqp://guest@rabbit"}, "raw"),
        ({"BROKER_ID_TOKEN": ""}, "raw"),
        ({"BROKER_ID_TOKEN": an_id_token(exp=1)}, "raw"),
        ({"BROKER_SCOPE": "no:such"}, "raw"),
        ({"BROKER_SERVICE_ACCOUNT": "nobody"}, "raw"),
        ({"BROKER_URL": "http://127.0.0.1:9/elsewhere?"}, "raw"),
    ],
)
def test_the_plain_way_and_the_command_answer_alike(
    job: Job, variables: dict[str, str], form: str
) -> None:
    plain, command = (
        job.run("broker", "token", "--format", form, "--no-cache", *words, more=variables)
        for words in (["deploy-api"], ["--", "deploy-api"])
    )

    assert (plain.returncode, same(plain.stdout)) == (command.returncode, same(command.stdout))
    assert same(plain.stderr) == same(command.stderr)
    assert (plain.stdout != "") == (plain.returncode == 0)


def same(text: str) -> str:
    """Leave out what differs from one request to the next."""
    text = re.sub(r"[0-9]+ seconds", "…", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|cli-[0-9a-f]{12}|ey[\w.-]+", "…", text)
    return re.sub(r"T[0-9:]{8}Z", "…", text)


FAILURES = [
    pytest.param({"BROKER_URL": ""}, [], 2, "which broker?", id="no broker"),
    pytest.param(
        {"BROKER_URL": "amqp://guest:s3cret@rabbit"}, [], 2, "Celery", id="a broker of Celery"
    ),
    pytest.param({}, ["--ttl", "soon"], 2, "ttl: must be one number", id="ttl"),
    pytest.param({}, ["--format", "yaml"], 2, "there is no format 'yaml'", id="format"),
    pytest.param({}, ["--json", "--format", "env"], 2, "leave one out", id="two formats"),
    pytest.param({}, ["--watch"], 2, "--output", id="watch without a file"),
    pytest.param({}, ["--auth", "client-secret"], 2, "--client-secret-file", id="no secret"),
    pytest.param({"BROKER_AUTH": "guess"}, [], 2, "guess", id="auth"),
    pytest.param(
        {"BROKER_CLIENT_SECRET_FILE": "/x"}, [], 2, "not asked for", id="a secret unasked"
    ),
    pytest.param({"BROKER_ID_TOKEN": ""}, [], 3, "id_tokens:", id="no ID token"),
    pytest.param(
        {"BROKER_ID_TOKEN": "", "GITLAB_CI": "", "GITHUB_ACTIONS": "true"}, [], 3,
        "id-token: write", id="no permission",
    ),
    pytest.param({}, ["--scope", "no:such"], 4, "reason: scope_not_allowed", id="refused"),
    pytest.param({"BROKER_URL": "{page}"}, [], 5, "<h1>Sign in</h1>", id="no broker's answer"),
    pytest.param({"BROKER_URL": "{start}"}, [], 5, "the broker's address?", id="a start page"),
    pytest.param(
        {"BROKER_URL": "{missing}"}, [], 4, "without the path of an endpoint", id="a path behind it"
    ),
    pytest.param({"BROKER_URL": "{trouble}"}, [], 5, "answered with 503", id="trouble"),
    pytest.param(
        {"BROKER_ID_TOKEN": an_id_token(exp=1000)}, [], 6, "raise the job's `timeout`", id="over"
    ),
    pytest.param(
        {}, ["--output", "/no/such/place"], 5, "/no/such/place cannot be", id="a file in no place"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "options", "code", "said"), FAILURES)
def test_the_exit_code_says_what_kind_of_failure_it_was(
    job: Job, variables: dict[str, str], options: list[str], code: int, said: str
) -> None:
    busy = trouble(503, **{"retry-after": "3600"})
    missing = as_json({"code": "NOT_FOUND", "detail": "there is no such endpoint"}, 404)
    answers = {"{page}": PAGE, "{start}": START, "{trouble}": busy, "{missing}": missing}
    with ExitStack() as stack:
        urls = {
            name: stack.enter_context(answering(answer)).url for name, answer in answers.items()
        }
        changed = {name: urls.get(value, value) for name, value in variables.items()}
        done = job.run("broker", "token", "deploy-api", *options, more=changed)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    for secret in ("s3cret", job.variables["BROKER_ID_TOKEN"]):
        assert secret not in done.stderr


def test_a_failure_under_errexit_ends_the_job(job: Job) -> None:
    script = 'out="$(broker token deploy-api --format shell)" || exit $?; eval "$out"; echo went on'
    assert "went on" in job.quiet("sh", "-c", script)

    done = job.run("sh", "-c", script, BROKER_ID_TOKEN="")
    assert (done.returncode, done.stdout) == (3, "")


def test_a_secret_comes_from_a_file_or_stdin_and_is_told_of(job: Job, tmp_path: Path) -> None:
    account = an_account(created_at=0.0, updated_at=0.0)
    secret = give(job.broker, account, created_at=0.0)
    (tmp_path / "secret").write_text(f"{secret}\n")
    words = ("broker", "token", "deploy-api", "--no-cache", "--auth", "client-secret",
             "--service-account", account.client_id, "--client-secret-file")  # fmt: skip
    for file, stdin in ((str(tmp_path / "secret"), ""), ("-", f"{secret}\n")):
        done = job.run(*words, file, stdin=stdin)
        assert done.returncode == 0
        assert job.claims(done.stdout.strip())["client_id"] == account.client_id
        assert "a job with an ID token needs none" in done.stderr
        assert secret not in done.stderr
    # What reads both streams is told nothing.
    assert job.quiet(*words, "-", "--format", "git", stdin=secret)


@pytest.mark.parametrize(("content", "said"), [("", "is empty"), (None, "cannot be read")])
def test_a_secret_that_is_none_is_told(
    job: Job, tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_text(content)
    done = job.run(
        *("broker", "token", "deploy-api", "--auth", "client-secret", "--service-account", "m"),
        *("--client-secret-file", str(tmp_path / "secret")),
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_file_is_written_for_its_owner_alone(job: Job) -> None:
    file = job.folder / "token"
    file.write_text("of before")
    file.chmod(0o644)
    with file.open() as reader:
        assert job.quiet("broker", "token", "deploy-api", "--output", str(file)) == ""
        assert reader.read() == "of before"

    assert job.claims(file.read_text().strip())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(job.folder.iterdir()) == [file]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_watched_file_is_kept_fresh_and_goes_with_its_job(
    job: Job, start: Start, number: signal.Signals
) -> None:
    file = job.folder / "token"
    with (
        answering(lambda _: a_token(f"t{len(server.requests)}", 2)) as server,
        start(
            *("broker", "token", "any", "--output", str(file), "--watch", "--no-cache"),
            BROKER_URL=server.url,
        ) as process,
    ):
        wait_for(file.exists)
        wait_for(lambda: file.read_text() != "t1\n")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)

    assert (process.returncode, stdout, stderr) == (128 + number, "", "")
    assert list(job.folder.iterdir()) == []


def test_a_watch_ends_with_what_no_later_try_could_better(job: Job, start: Start) -> None:
    file = job.folder / "token"
    refused = Answer(b'{"error": "invalid_grant"}', 400)
    with (
        answering(a_token("one", 2), refused) as server,
        start(
            *("broker", "token", "any", "--output", str(file), "--watch"), BROKER_URL=server.url
        ) as process,
    ):
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 4
    assert "invalid_grant" in stderr
    assert not file.exists()


def test_a_job_that_is_cancelled_while_it_asks_leaves_nothing(job: Job, start: Start) -> None:
    def slow(_: object) -> Answer:
        wait_for(lambda: process.poll() is not None)
        return a_token()

    with (
        answering(slow) as server,
        start(
            *("broker", "token", "any", "--output", str(job.folder / "token")),
            BROKER_URL=server.url,
        ) as process,
    ):
        wait_for(lambda: server.requests)
        process.terminate()
        process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGTERM
    assert list(job.folder.iterdir()) == []


def test_nothing_secret_is_on_any_command_line(job: Job, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/buildkite-agent"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >>{seen}\ntr "\\0" " " </proc/$PPID/cmdline >>{seen}\n'
        f"echo {job.broker.buildkite.token({}, audience='https://broker.example')}\n"
    )
    program.chmod(0o755)
    path = f"{tmp_path}/bin:{job.variables['PATH']}"
    variables = {"BROKER_ID_TOKEN": "", "GITLAB_CI": "", "BUILDKITE": "true", "PATH": path}
    done = job.run(
        *("broker", "token", "deploy-api", "--audience", "https://broker.example"), more=variables
    )

    assert done.returncode == 4
    assert "oidc request-token --audience https://broker.example" in seen.read_text()
    assert "eyJ" not in seen.read_text()
