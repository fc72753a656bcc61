"""The commands in docs/reference/formats.md, run by a shell in a job."""

import json
import re

import pytest

from tests.consumers.conftest import Job
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.docs.markdown import Page

PAGE = Page("docs/reference/formats.md")
SERVICE_URL = "https://deploy.example.com/deployments"
# What the page warns of has `…` in it.
COMMANDS = [
    each for each in re.findall(r"`([^`\n]*broker token [^`\n]*)`", PAGE.prose) if "…" not in each
]


def commands(form: str) -> list[str]:
    found = [each for each in COMMANDS if form in each]
    assert found, f"the page has no command with '{form}' any more"
    return found


def test_every_command_of_the_page_is_run_here() -> None:
    forms = ["TOKEN=$(", "BROKER_OUT=", "--format env ", "curl --fail"]
    run = {each for form in forms for each in commands(form)}

    assert set(COMMANDS) - run == {"broker token SERVICE --format FORMAT"}


def test_a_variable_holds_the_token(job: Job) -> None:
    (command,) = commands("TOKEN=$(")

    token = job.quiet("sh", "-u", stdin=f'{command}\nprintf %s "$TOKEN"\n')

    assert job.claims(token)["client_id"] == "deploy-web"


@pytest.mark.parametrize("form", ["TOKEN=$(", "BROKER_OUT="])
def test_without_a_token_the_job_ends(job: Job, form: str) -> None:
    (command,) = commands(form)
    done = job.run("sh", stdin=f"{command}\necho went on\n", BROKER_ID_TOKEN="")

    assert (done.returncode, done.stdout) == (3, "")


def test_eval_exports_the_token(job: Job) -> None:
    (command,) = commands("BROKER_OUT=")

    printed = job.quiet("sh", "-eu", stdin=f"{command}\nenv\n")

    variables = dict(line.split("=", 1) for line in printed.splitlines())
    assert job.claims(variables["BROKER_TOKEN"])["client_id"] == "deploy-web"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:]{8}Z", variables["BROKER_TOKEN_EXPIRES_AT"])
    assert "BROKER_OUT" not in variables


def test_a_file_of_variables_is_read(job: Job) -> None:
    (writing,) = commands("--format env ")
    (reading,) = re.findall(r"`(set -a;[^`]*)`", PAGE.prose)

    token = job.quiet(
        "sh", "-eu", stdin=f"{writing}\n{reading}\nsh -c 'printf %s \"$BROKER_TOKEN\"'\n"
    )

    assert job.claims(token)["client_id"] == "deploy-web"
    assert (job.folder / "token.env").stat().st_mode & 0o777 == 0o600


def test_a_step_hands_the_token_on_and_masks_it(job: Job) -> None:
    output = job.folder / "output"
    output.touch()
    mask = job.quiet(
        *("broker", "token", "deploy-api", "--format", "github"), GITHUB_OUTPUT=str(output)
    )

    token = output.read_text().splitlines()[1]
    assert job.claims(token)["client_id"] == "deploy-web"
    assert mask == f"::add-mask::{token}\n"


@pytest.mark.parametrize("command", [each for each in COMMANDS if "curl" in each])
def test_curl_sends_the_token(job: Job, command: str) -> None:
    def answer(request: Request) -> Answer:
        return Answer(json.dumps(request.headers.get("authorization")).encode())

    with LoopbackServer(answer).serving() as server:
        silent = command.replace(SERVICE_URL, server.url).replace("curl ", "curl --silent ")
        sent = job.quiet("sh", "-eu", stdin=f"{silent}\n")

    assert job.claims(json.loads(sent).removeprefix("Bearer "))["client_id"] == "deploy-web"
