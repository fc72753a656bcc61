"""Row 174: names that strangers choose, and the broker's words, as commands or Markdown in CI."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.action_steps import EXPLAIN, MAIN, minting, run_step
from tests.actions.policy_check_steps import installed, run_steps
from tests.github_runner import GithubRunner
from tests.running_broker import AUDIENCE, RunningBroker

HOSTILE = [
    "refs/heads/::error::forged",
    "refs/heads/x%0A::add-mask::e%0D%0A::stop-commands::x",
    "refs/heads/##[set-env name=PATH]/tmp",
    "refs/heads/<img/src=x/onerror=alert(1)>",
    "refs/heads/</pre></code><script>alert(1)</script>",
    "refs/heads/[log-in](https://evil.example)",
    "refs/heads/`a`|b|![x](https://evil.example/x.png)",
    "refs/heads/@acme/security-#1",
]
_COMMAND = re.compile(r"^\s*::([a-z-]+)|##\[([a-z-]+)")


@pytest.fixture(scope="module", params=HOSTILE)
def ref(request: pytest.FixtureRequest) -> str:
    """A branch's name, which whoever opens a pull request chooses."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def runner(live_broker: RunningBroker, ref: str, tmp_path: Path) -> Iterator[GithubRunner]:
    claims: dict[str, Any] = {"ref": ref, "sub": f"repo:octo-org/octo-repo:ref:{ref}"}
    with GithubRunner(tmp_path, minting(live_broker, claims)).serving() as serving:
        yield serving


@pytest.mark.parametrize("file", [MAIN, EXPLAIN], ids=["token", "explain"])
def test_a_branchs_name_is_only_a_text(
    live_broker: RunningBroker, runner: GithubRunner, ref: str, file: Path
) -> None:
    inputs = {"broker-url": live_broker.url, "service": "deploy-api", "audience": AUDIENCE}

    done = run_step(runner, inputs, file)

    assert runner.outputs()["reason"] == "no_policy_matched"
    told = "error" if file == MAIN else "warning"
    assert commands(done.stdout) <= {"add-mask", told, "group", "endgroup"}
    assert done.stdout.count(f"\n::{told} ") == 1
    # The only things that are masked are the ID token's own.
    masked = [each for each in done.stdout.splitlines() if each.startswith("::add-mask::")]
    assert masked == [f"::add-mask::{minted}" for minted in runner.minted]
    page = Summary(runner.summary())
    assert page.tags <= {"h3", "pre", "table", "tr", "th", "td", "code"}
    assert ref in page.text
    assert page.markdown == ""


@pytest.mark.parametrize("file", [MAIN, EXPLAIN], ids=["token", "explain"])
def test_a_brokers_words_are_only_texts(
    live_broker: RunningBroker, tmp_path: Path, file: Path
) -> None:
    words = "\n".join(["::error::forged", *HOSTILE, "\u2028::error::x\u0085\u001b[2K\u202e"])
    with (
        GithubRunner(tmp_path, minting(live_broker, {})).serving() as runner,
        hostile_broker(words) as url,
    ):
        done = run_step(runner, {"broker-url": url, "service": "x", "audience": AUDIENCE}, file)

    told = "error" if file == MAIN else "warning"
    assert commands(done.stdout) <= {"add-mask", told, "group", "endgroup"}
    assert done.stdout.count(f"\n::{told} ") == 1
    assert re.search(r"[\r\u2028\u0085\u001b\u202e]", done.stdout + runner.summary()) is None
    page = Summary(runner.summary())
    assert page.tags <= {"h3", "pre", "table", "tr", "th", "td", "code"}
    assert page.markdown == ""


@contextmanager
def hostile_broker(words: str) -> Iterator[str]:
    """Serve a broker that refuses whatever it is asked, in these words; give its URL."""
    conditions = [{"claim": words, "operator": words, "expected": words, "got": [words]}]
    members = dict.fromkeys(("error", "error_description", "reason", "decision_id"), words)
    body = json.dumps({**members, "conditions": conditions, "service_accounts": [words]}).encode()

    class Hostile(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(400)
            self.send_header("x-request-id", "::error::x")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "name", ["x\\n::error::forged", "##[error]x", "%0A::add-mask::x", "</pre><img src=x>", "a,b:c"]
)
def test_what_stands_in_a_policy_file_is_only_a_text(tmp_path: Path, name: str) -> None:
    installed(tmp_path / "temp")
    policies = tmp_path / "workspace/policies"
    policies.mkdir(parents=True)
    (policies / f"a,b%0A::error::{len(name)}.yaml").write_text(
        f'"{name}": {{}}\nservices:\n  "{name}": {{audience: "{name}"}}\n'
    )

    done = run_steps(tmp_path / "workspace", tmp_path / "temp")

    assert done.returncode == 1
    assert done.stderr == ""
    assert commands(done.stdout) == {"error"}
    for line in done.stdout.splitlines()[:-1]:
        assert line.startswith("::error file=policies/a%2Cb%250A%3A%3Aerror%3A%3A")
    page = Summary((tmp_path / "temp/summary").read_text())
    assert page.tags <= {"h3", "pre"}
    assert page.markdown == "The files do not load: N problem(s)."


def test_a_policys_own_repository_is_not_run(tmp_path: Path) -> None:
    installed(tmp_path / "temp")
    workspace = tmp_path / "workspace"
    (workspace / "policies").mkdir(parents=True)
    for module in ("broker/__init__", "html", "json", "sitecustomize", "venv", "yaml"):
        file = workspace / f"{module}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({module!r})\n")

    done = run_steps(workspace, tmp_path / "temp")

    assert "0 policies" in done.stdout or "do not load" in done.stdout, done.stdout
    assert not (tmp_path / "ran").exists()


def commands(log: str) -> set[str]:
    """List the commands that a runner would find, in both forms, one in each line."""
    found = (_COMMAND.search(line) for line in log.splitlines())
    return {each[1] or each[2] for each in found if each}


class Summary(HTMLParser):
    """A summary as a browser takes it: its tags, its text, and what would be read as Markdown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        blocks = re.sub(r"<(h3|pre|table)>.*?</\1>", "", text, flags=re.DOTALL)
        self.markdown = re.sub(r"\d+", "N", blocks).strip()
        # In a table a line without anything would begin Markdown again.
        for table in re.findall(r"<table>.*?</table>", text, re.DOTALL):
            assert "\n\n" not in table

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert attrs == []
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data
