"""Row 103: a compromised action in the same job reads what ours leaves lying about."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.action_steps import MAIN, POST, end_step, environment, minting, node, run_step
from tests.github_runner import GithubRunner
from tests.running_broker import AUDIENCE, RunningBroker


@pytest.fixture
def runner(live_broker: RunningBroker, tmp_path: Path) -> Iterator[GithubRunner]:
    with GithubRunner(tmp_path, minting(live_broker, {})).serving() as serving:
        yield serving


def inputs(broker_url: str) -> dict[str, str]:
    return {"broker-url": broker_url, "service": "deploy-api", "audience": AUDIENCE}


def test_later_steps_get_no_token_unless_they_are_handed_it(
    live_broker: RunningBroker, runner: GithubRunner
) -> None:
    done = run_step(runner, inputs(live_broker.url))

    assert done.returncode == 0, done.stdout
    token = runner.outputs()["token"]
    assert runner.exported() == {}
    assert list(runner.temp.iterdir()) == []
    # Beside the outputs it stands in the state alone, which a runner gives to this action's end.
    holding = {
        file.name
        for file in runner.folder.rglob("*")
        if file.is_file() and token in file.read_text()
    }
    assert holding == {"output", "state"}
    assert not any(minted in file.read_text() for minted in runner.minted
                   for file in runner.folder.rglob("*") if file.is_file())  # fmt: skip


def test_after_the_job_no_file_holds_the_token(
    live_broker: RunningBroker, runner: GithubRunner
) -> None:
    run_step(runner, inputs(live_broker.url) | {"format": "json", "export": "env"})
    end_step(runner, inputs(live_broker.url))

    assert runner.exported() == {"BROKER_TOKEN": ""}
    assert list(runner.temp.iterdir()) == []


def test_no_command_line_holds_a_token_while_it_is_asked_for_or_revoked(
    live_broker: RunningBroker, runner: GithubRunner
) -> None:
    with spying_broker(live_broker) as (url, seen):
        done = run_step(runner, inputs(url))
        assert done.returncode == 0, done.stdout
        run_step(runner, inputs(url), POST, **runner.state())

    assert [name for name, _, _ in seen] == ["subject_token", "token"]
    for _, secret, command_lines in seen:
        assert any(str(MAIN.parent) in each for each in command_lines)
        assert not any(secret in each for each in command_lines)


def test_a_job_that_is_killed_in_the_middle_leaves_no_token_file(
    live_broker: RunningBroker, runner: GithubRunner
) -> None:
    asked = threading.Event()
    with spying_broker(live_broker, held=asked) as (url, _):
        with subprocess.Popen(
            [node(), str(MAIN)],
            env=environment(runner, inputs(url) | {"format": "raw"}),
            stdout=subprocess.DEVNULL,
        ) as process:
            assert asked.wait(60)
            process.terminate()
        ended = end_step(runner, inputs(url))

    assert process.returncode != 0
    assert ended.returncode == 0
    assert list(runner.temp.iterdir()) == []
    assert runner.outputs() == {}


@contextmanager
def spying_broker(
    broker: RunningBroker, held: threading.Event | None = None
) -> Iterator[tuple[str, list[tuple[str, str, list[str]]]]]:
    """Pass requests on to a broker, and note the command lines of all processes meanwhile.

    With `held` no request is answered: the event says that there is one.
    """
    seen: list[tuple[str, str, list[str]]] = []
    closing = threading.Event()

    class Spy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            if held is not None:
                held.set()
                closing.wait(60)
                return
            form = {name: values[0] for name, values in parse_qs(body).items()}
            name = "subject_token" if "subject_token" in form else "token"
            seen.append((name, form[name], command_lines()))
            answer = broker.request("POST", self.path, data=form)
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Spy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            closing.set()
            server.shutdown()
            thread.join()


def command_lines() -> list[str]:
    """Read the command line of every process, as any of them may."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((process / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    assert any(str(os.getpid()) == process.name for process in Path("/proc").glob("[0-9]*"))
    return lines
