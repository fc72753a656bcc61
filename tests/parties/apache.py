"""Apache of Debian, with a module that verifies tokens and a service behind it."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from broker.testing.loopback import free_port
from tests.ending import end
from tests.parties.debian import ROOT, environment, tree

EXAMPLES: Final = ROOT / "examples/services/apache"
START_SECONDS: Final = 60
MODULES: Final = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "auth_basic",
    "authz_user",
    "env",
    "headers",
    "proxy",
    "proxy_http",
)


@dataclass(frozen=True)
class Apache:
    url: str
    log: Path
    http: httpx.Client

    def status(
        self, token: str, method: str = "GET", *, headers: Mapping[str, str] | None = None
    ) -> int:
        """Send a request with a token, or with none; give how it was answered."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        status = self.http.request(method, self.url, headers=sent).status_code
        assert status in (200, 401, 403, 404), self.log.read_text()
        return status


@contextmanager
def apache(
    example: str, ca_file: Path, replaced: Mapping[str, str], *, behind: str = ""
) -> Iterator[Apache]:
    """Run a server on the configuration of an example until the block ends.

    `behind` is the service that it guards, where the configuration does not name it.
    """
    unpacked = tree("apache", "apache2-bin")
    modules = unpacked / "usr/lib/apache2/modules"
    text = (EXAMPLES / f"{example}.conf").read_text()
    # Where root starts it, it serves as a user who reads nothing in the folders of the tests.
    with tempfile.TemporaryDirectory(prefix="apache-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(ca_file, folder / "ca.pem")
        replaced = {"/etc/ssl/certs/ca-certificates.crt": str(folder / "ca.pem"), **replaced}
        for given, here in replaced.items():
            text = text.replace(given, here)
        port = free_port()
        module = "oauth2" if "OAuth2TokenVerify" in text else "auth_openidc"
        lines = [
            f"ServerRoot {folder}",
            f"DefaultRuntimeDir {folder}",
            f"PidFile {folder}/pid",
            f"ErrorLog {folder}/log",
            "LogLevel info",
            f"Listen 127.0.0.1:{port}",
            "ServerName localhost",
            *(f"LoadModule {each}_module {modules}/mod_{each}.so" for each in (*MODULES, module)),
            "User #65534",
            "Group #65534",
            "StartServers 1",
            "ThreadsPerChild 8",
            "MinSpareThreads 1",
            "MaxSpareThreads 16",
            "MaxRequestWorkers 16",
            "ServerLimit 2",
            *([f"ProxyPass / {behind}/"] if behind else []),
            text,
        ]
        (folder / "apache2.conf").write_text("\n".join(lines))
        command = [
            str(unpacked / "usr/sbin/apache2"),
            "-DFOREGROUND",
            "-f",
            f"{folder}/apache2.conf",
        ]
        with (
            (folder / "output").open("wb") as written,
            httpx.Client(trust_env=False, timeout=60) as http,
            subprocess.Popen(
                command, env=environment(unpacked), stdout=written, stderr=written
            ) as process,
        ):
            try:
                served = Apache(f"http://127.0.0.1:{port}", folder / "log", http)
                _wait_until_started(process, served, folder)
                yield served
            finally:
                end(process)


def _wait_until_started(process: subprocess.Popen[bytes], served: Apache, folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            served.status("")
        except httpx.ConnectError:
            if process.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
                continue
            said = [each.read_text() for each in folder.glob("[ol]*")]
            raise AssertionError("Apache does not start:\n" + "\n".join(said)) from None
        return
