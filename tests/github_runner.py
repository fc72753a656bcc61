"""What a job sees of GitHub: an endpoint for ID tokens on loopback, and the runner's files."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

REQUEST_TOKEN = "request-token-of-the-job"


@dataclass
class GithubRunner:
    """A runner whose jobs get the ID tokens that `mint` makes for an audience."""

    folder: Path
    mint: Callable[[str], str]
    url: str = ""
    minted: list[str] = field(default_factory=list)

    def variables(self) -> dict[str, str]:
        """Give the variables of a job that has the permission `id-token: write`."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/idtoken?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_OUTPUT": str(self.output_file),
            "GITHUB_REPOSITORY": "octo-org/octo-repo",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "37824901043",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_STATE": str(self.folder / "state"),
            "GITHUB_ENV": str(self.folder / "env"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.temp),
        }

    @property
    def output_file(self) -> Path:
        """The file that steps write their outputs to."""
        return self.folder / "output"

    @property
    def temp(self) -> Path:
        """The folder for temporary files of the job."""
        return self.folder / "temp"

    def summary(self) -> str:
        """Read what steps have added to the job's summary."""
        return self._read("summary")

    def outputs(self) -> dict[str, str]:
        """Read the outputs."""
        return self._values("output")

    def state(self) -> dict[str, str]:
        """Give what a step has kept for its end, as the variables that its end gets."""
        return {f"STATE_{name}": value for name, value in self._values("state").items()}

    def exported(self) -> dict[str, str]:
        """Read the variables for later steps."""
        return self._values("env")

    def _read(self, name: str) -> str:
        file = self.folder / name
        return file.read_text() if file.exists() else ""

    def _values(self, name: str) -> dict[str, str]:
        """Read a file in both forms, `name=value` and `name<<delimiter`."""
        found: dict[str, str] = {}
        lines = iter(self._read(name).splitlines())
        for line in lines:
            name, heredoc, delimiter = line.partition("<<")
            if heredoc:
                found[name] = "\n".join(iter(lines.__next__, delimiter))
            else:
                name, _, value = line.partition("=")
                found[name] = value
        return found

    @contextmanager
    def serving(self) -> Iterator["GithubRunner"]:
        """Serve the endpoint until the block ends."""
        self.output_file.touch()
        self.temp.mkdir(exist_ok=True)
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        runner = self

        class IdTokens(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = parse_qs(urlsplit(self.path).query)
                if self.headers.get("authorization") != f"Bearer {REQUEST_TOKEN}":
                    return self._answer(401, {"message": "not a job of this runner"})
                assert asked["api-version"] == ["2.0"]
                runner.minted.append(runner.mint(asked["audience"][0]))
                return self._answer(200, {"count": 1, "value": runner.minted[-1]})

            def _answer(self, status: int, body: dict[str, object]) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        return IdTokens
