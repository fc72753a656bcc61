"""What takes a service's tokens, built and run with a snippet as it is printed."""

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import httpx

from broker.testing.loopback import free_port
from tests.interop.foreign.programs import HERE, built, serving
from tests.interop.foreign.vault import Vault

Files = Mapping[str, str]


@contextmanager
def go(files: Files) -> Iterator[httpx.Client]:
    """Compile main.go beside a go.mod that names go-oidc."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for text in ("go.mod", "go.sum"):
            shutil.copy(HERE / "verifiers" / text, folder)
        (folder / "main.go").write_text(files["main.go"])
        _run(folder, "go", "build", "-mod=readonly", "-buildvcs=false", "-o", "service", ".")
        port = free_port()
        environment = {**os.environ, "PORT": str(port)}
        with _answering([str(folder / "service")], port, folder, environment) as http:
            yield http


@contextmanager
def spring(files: Files, package: str = "example") -> Iterator[httpx.Client]:
    """Compile ServiceTokens.java beside an application of `example` that trusts nobody yet."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(built("spring/resource-server.jar")) as jar:
            jar.extractall(folder, [each for each in jar.namelist() if each.startswith("BOOT-INF")])
        classes, libraries = "BOOT-INF/classes", "BOOT-INF/lib/*"
        (folder / "application.yaml").write_text(files["application.yaml"])
        source = f"package {package};\n" + files["ServiceTokens.java"]
        (folder / "ServiceTokens.java").write_text(source)
        _run(folder, "javac", "-cp", libraries, "-d", classes, "ServiceTokens.java")
        port = free_port()
        command = ["java", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", f"{classes}:{libraries}"]
        command += ["example.ResourceServer", "--server.address=127.0.0.1", f"--server.port={port}"]
        with _answering(command, port, folder, dict(os.environ)) as http:
            yield http


SERVICES: Final[dict[str, Callable[[Files], AbstractContextManager[httpx.Client]]]] = {
    "go": go,
    "spring": spring,
}


def set_up(vault: Vault, script: str) -> None:
    """Run what is printed for Vault with the program's own command, as the root of it."""
    with tempfile.TemporaryDirectory() as name:
        # What is printed calls it `vault`, and says to write `bao` for OpenBao.
        Path(name, "vault").symlink_to(built(vault.program))
        environment = vault.environment()
        environment["PATH"] = f"{name}:{environment['PATH']}"
        _run(Path(name), "sh", "-eu", "-c", script, env=environment)


def _run(folder: Path, program: str, *arguments: str, env: dict[str, str] | None = None) -> None:
    executable = shutil.which(program)
    assert executable, f"{program} is missing"
    done = subprocess.run(
        [executable, *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _answering(
    command: list[str], port: int, folder: Path, environment: dict[str, str]
) -> Iterator[httpx.Client]:
    url = f"http://127.0.0.1:{port}"
    with (
        serving(command, folder / "log", url, cwd=folder, env=environment),
        httpx.Client(base_url=url, trust_env=False, timeout=60) as http,
    ):
        yield http
