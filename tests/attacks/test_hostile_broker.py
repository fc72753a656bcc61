"""A broker that was taken over, or a machine in its place, after the tokens of the jobs.

It may have one ID token that is for it. It must not get one that counts elsewhere, nor lead a
token or a secret to another place, nor the job's terminal.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from broker.client import BrokerTrouble, ClientError, Misuse
from broker.client.refusal import told
from tests.client.stand_in import a_token, an_id_token, answering, as_json, source_at
from tests.consumers.loopback_server import Answer
from tests.github_runner import GithubRunner


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("secret", ["an ID token", "a client secret"])
def test_a_token_is_not_led_elsewhere(status: int, secret: str) -> None:
    members: dict[str, Any] = (
        {} if secret == "an ID token" else {"client_secret": "s3cret", "service_account": "deploy"}
    )
    with (
        answering(a_token()) as thief,
        answering(Answer(b"", status, {"location": f"{thief.url}/oauth/token"})) as broker,
    ):
        with source_at(broker.url, **members) as source, pytest.raises(BrokerTrouble):
            source.token()

        assert thief.requests == []
        assert len(broker.requests) == 1


@pytest.mark.parametrize(
    "audience",
    [
        "sts.amazonaws.com",
        "https://vault.example",
        "https://broker.example.evil.example",
        "http://127.0.0.1:1",
        "api://AzureADTokenExchange",
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
    ],
)
def test_no_id_token_is_made_for_another(audience: str, tmp_path: Path) -> None:
    metadata = as_json({"issuer": audience, "subject_token_audiences": [audience]})
    runner = GithubRunner(tmp_path, lambda asked: an_id_token(aud=asked))
    with (
        runner.serving(),
        answering(metadata) as broker,
        source_at(broker.url, environment=runner.variables()) as source,
        pytest.raises(Misuse, match="say it yourself"),
    ):
        source.token()

    assert runner.minted == []


def test_metadata_are_not_had_from_elsewhere(tmp_path: Path) -> None:
    runner = GithubRunner(tmp_path, lambda asked: an_id_token(aud=asked))
    with (
        runner.serving(),
        answering(as_json({"issuer": "https://vault.example"})) as thief,
        answering(Answer(b"", 302, {"location": thief.url})) as broker,
        source_at(broker.url, environment=runner.variables()) as source,
        pytest.raises(BrokerTrouble),
    ):
        source.token()

    assert (runner.minted, thief.requests) == ([], [])


@pytest.mark.parametrize(
    "token",
    [
        "one\ntwo",
        "one\r\nX-Admin: yes",
        "$(touch /tmp/x)",
        "`id`",
        "'; id; '",
        "\x1b[2J",
        "::set-output name=x::y",
        'a"b',
        "",
    ],
)
def test_a_token_that_is_no_token_reaches_no_shell_and_no_header(token: str) -> None:
    with (
        answering(a_token(token)) as broker,
        source_at(broker.url) as source,
        pytest.raises(BrokerTrouble),
    ):
        source.token()


def test_what_it_says_is_shown_on_its_own_line_and_no_other() -> None:
    hostile = {
        "error": "invalid_grant",
        "error_description": "no\n::add-mask::x\n\x1b[1A\x1b[2Kbroker: all is well",
        "reason": "x\r\n::error::y",
        "decision_id": "\u202e",
    }
    with (
        answering(Answer(json.dumps(hostile).encode(), 400)) as broker,
        source_at(broker.url) as source,
        pytest.raises(ClientError) as failed,
    ):
        source.token()

    lines = told(failed.value).split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("::") for line in lines)
