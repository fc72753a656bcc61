"""What takes a service's tokens, started with a snippet in a folder of its own."""

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from broker.testing.issuer_server import serving
from broker.testing.loopback import base_url, listen_on
from tests.consumers.programs_found import program
from tests.interop.node import HERE as INTEROP

ROOT: Final = Path(__file__).parents[2]
VENV: Final = ROOT / ".venv"
PATIENCE: Final = 60.0

Files = Mapping[str, str]


@contextmanager
def python(files: Files) -> Iterator[httpx.Client]:
    names: dict[str, Any] = {"__name__": "service"}
    exec(files["service.py"], names)  # noqa: S102 - our own text
    with serving_app(names["app"]) as url, client(url) as http:
        yield http


@contextmanager
def node(files: Files) -> Iterator[httpx.Client]:
    found = shutil.which("node", path=f"{VENV}/bin:{os.environ['PATH']}")
    assert found, "node is missing: `make test` sets it up"
    with folder(files) as here:
        (here / "node_modules").symlink_to(INTEROP / "node_modules")
        command = [found, "service.mjs"]
        with process(command, here, {"PORT": "0"}) as running:
            assert running.stdout is not None
            said = running.stdout.readline()
            assert said.startswith("listening on "), running.stderr.read()  # type: ignore[union-attr]
            with client(said.removeprefix("listening on ").strip()) as http:
                yield http


@contextmanager
def nginx(files: Files) -> Iterator[httpx.Client]:
    names: dict[str, Any] = {"__name__": "verifier"}
    exec(files["verifier.py"], names)  # noqa: S102 - our own text
    with folder(files) as here, serving_app(names["app"]) as verifier, behind() as upstream:
        edit(here / "service.conf", {
            "listen 8000": f"listen unix:{here}/socket",
            "http://127.0.0.1:9091/": f"{verifier}/",
            "http://127.0.0.1:8001": upstream,
        })  # fmt: skip
        (here / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {here}/pid; events {{}} http {{ access_log off;"
            + "".join(
                f" {kind}_temp_path {here}/{kind};"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            + " include service.conf; }"
        )
        command = [program("nginx"), "-p", str(here), "-e", "stderr", "-c", "nginx.conf"]
        with process(command, here, {}) as running, on_socket(here, running) as http:
            yield http


@contextmanager
def envoy(files: Files) -> Iterator[httpx.Client]:
    with folder(files) as here, behind() as upstream:
        edit(here / "envoy.yaml", {
            "socket_address: {address: 127.0.0.1, port_value: 8000}":
                f"pipe: {{path: {here}/socket}}",
            "port_value: 8001": f"port_value: {httpx.URL(upstream).port}",
        })  # fmt: skip
        command = [
            program_of_envoy(), "--config-path", "envoy.yaml", "--disable-hot-restart",
            "--concurrency", "1", "--log-level", "error",
        ]  # fmt: skip
        with process(command, here, {}) as running, on_socket(here, running) as http:
            yield http


def program_of_envoy() -> str:
    """Find the Envoy among the test tools, which have one for Linux on x86-64 alone."""
    if (VENV / "bin/envoy").exists():
        return str(VENV / "bin/envoy")
    if (sys.platform, platform.machine()) == ("linux", "x86_64"):
        pytest.fail("Envoy is missing: `scripts/setup dev` installs it")
    pytest.skip("there is no Envoy for this machine among the test tools")


def validated_by_envoy(here: Path) -> list[str]:
    """Give what Envoy says to a configuration that it only reads."""
    done = subprocess.run(
        [program_of_envoy(), "--config-path", "envoy.yaml", "--mode", "validate",
         "--log-level", "warning"],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    return done.stdout.splitlines()


SERVICES: Final[dict[str, Callable[[Files], Any]]] = {
    "python": python,
    "node": node,
    "nginx": nginx,
    "envoy": envoy,
}


@contextmanager
def folder(files: Files) -> Iterator[Path]:
    """A folder with these files, whose path is short enough for that of a socket."""
    here = Path(tempfile.mkdtemp(prefix="snippet-"))
    try:
        for name, text in files.items():
            (here / name).write_text(text)
        yield here
    finally:
        shutil.rmtree(here)


def edit(file: Path, changes: Mapping[str, str]) -> None:
    """Set what whoever pastes it would: where things listen."""
    text = file.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)


@contextmanager
def process(
    command: list[str], here: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command,
        cwd=here,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            # Node is started by a program of its package, and would outlive it.
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


@contextmanager
def on_socket(here: Path, running: subprocess.Popen[str]) -> Iterator[httpx.Client]:
    """Wait until it listens on its socket."""
    transport = httpx.HTTPTransport(uds=str(here / "socket"))
    deadline = time.monotonic() + PATIENCE
    while not accepts(here / "socket"):
        if running.poll() is not None or time.monotonic() > deadline:
            running.kill()
            pytest.fail(f"it did not start: {running.communicate(timeout=PATIENCE)}")
        time.sleep(0.02)
    with httpx.Client(base_url="http://service", transport=transport, timeout=PATIENCE) as http:
        yield http


def accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as trial:
        # Between being bound and listening a socket is there and refuses.
        return trial.connect_ex(str(path)) == 0


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE)


@contextmanager
def serving_app(app: Any) -> Iterator[str]:
    with listen_on("127.0.0.1", 0) as bound, serving(app, bound):
        yield base_url(bound)


@contextmanager
def behind() -> Iterator[str]:
    """A service that trusts what stands before it, and tells what it was told."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            # As WSGI and CGI name headers, `-` and `_` are the same.
            named = [
                (name.upper().replace("-", "_"), value) for name, value in self.headers.items()
            ]
            told = {
                "caller": ", ".join(value for name, value in named if name == "X_CALLER"),
                "token_seen": "authorization" in self.headers,
                "to_envoy": [name for name, _ in named if name == "X_ENVOY_ORIGINAL_PATH"],
            }
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
