"""The scripts of templates/token.yml and explain.yml in the shells of jobs."""

from pathlib import Path

import pytest

from tests.gitlab.job_scripts import Script
from tests.gitlab.templates import job_of
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(programs: Path) -> None:
    """Put the `broker` command into the image."""
    (programs / "broker").symlink_to(ROOT / ".venv/bin/broker")


def before(url: str, **inputs: str) -> str:
    """Give the script that gets the token, and shows the test which."""
    (text,) = job_of("token", broker_url=url, **inputs)["before_script"]
    return f"{text}\nprintf 'token=%s' \"$BROKER_TOKEN\""


@pytest.mark.usefixtures("command")
def test_the_inputs_count_and_no_variable_that_a_pipeline_was_given(
    today_broker: RunningBroker, script: Script
) -> None:
    inputs = {"scope": "deploy:write", "service_account": "deploy-web", "ttl": "6m"}
    given = {
        "BROKER_URL": "http://127.0.0.1:1",
        "BROKER_AUTH": "client-secret",
        "BROKER_SCOPE": "deploy:read",
        "BROKER_SERVICE": "artifacts",
        "BROKER_SERVICE_ACCOUNT": "another",
        "BROKER_TTL": "1s",
    }

    done = script(before(today_broker.url, **inputs), **given)

    assert done.returncode == 0, done.stderr
    claims = verified_token(today_broker, done.stdout.partition("token=")[2])
    assert claims["scope"] == "deploy:write"
    assert claims["exp"] - claims["iat"] == 360
    plain = script(before(today_broker.url), **given)
    claims = verified_token(today_broker, plain.stdout.partition("token=")[2])
    assert claims["scope"] == "deploy:read deploy:write"


@pytest.mark.parametrize(
    ("template", "part", "other"),
    [
        ("token", "before_script", "token-curl"),
        ("explain", "script", "explain-curl"),
    ],
)
def test_an_image_without_the_command_is_told_what_to_include(
    today_broker: RunningBroker, script: Script, template: str, part: str, other: str
) -> None:
    (text,) = job_of(template, broker_url=today_broker.url)[part]

    done = script(text)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"broker: this image has no 'broker' command: install it, or include {other}.\n"
    )


def test_after_a_job_without_an_id_token_nothing_more_is_said(
    today_broker: RunningBroker, script: Script
) -> None:
    (text,) = job_of("token", broker_url=today_broker.url)["after_script"]

    done = script(text, "")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
