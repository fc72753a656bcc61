"""curl sends the token that it reads from stdin, so that it stands on no command line."""

import json
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.client.formats import FormatOptions, render
from tests.client.formats.tokens import HOSTILE, holding
from tests.consumers.conftest import Job
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.consumers.programs_found import program

OPTIONS = FormatOptions()


def echo(request: Request) -> Answer:
    return Answer(json.dumps(request.headers.get("authorization")).encode() + b"\n")


@pytest.mark.parametrize("name", ["header", "curl-config"])
def test_a_service_takes_what_curl_sends(job: Job, name: str) -> None:
    option = {"header": "--header=@-", "curl-config": "--config=-"}[name].split("=")
    with LoopbackServer(echo).serving() as server:
        sent = job.quiet(
            program("curl"),
            "-sS",
            *option,
            server.url,
            stdin=render(name, job.token(), OPTIONS).text,
        )

    assert job.claims(json.loads(sent).removeprefix("Bearer "))["client_id"] == "deploy-web"


@settings(max_examples=10)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=20))
@example(texts=['"', '\\"', "\\", "\\n", "'", "#", "@file", "a:b", "${x}", "--url"])
def test_every_token_survives_a_configuration_of_curl(texts: list[str]) -> None:
    with LoopbackServer(echo).serving() as server:
        requests = [
            f'{render("curl-config", holding(text), OPTIONS).text}url = "{server.url}"\n'
            for text in texts
        ]
        done = subprocess.run(
            [program("curl"), "-q", "-sS", "--noproxy", "*", "--config", "-"],
            input="next\n".join(requests),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    sent = done.stdout.splitlines()
    assert [json.loads(each) for each in sent] == [f"Bearer {text}" for text in texts]
