"""What the image would run, started where nothing may be written but the folder for data."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.deploy.dockerfiles import read


def serve_as_the_image_would(folder: Path) -> dict[str, Any]:
    """Start the entrypoint, ask it, check its health as the image does, and stop it."""
    _, stages = read()
    image = stages[-1]
    command = [*image.exec_form("ENTRYPOINT"), *image.exec_form("CMD")]
    # Here loopback alone is listened on, at any port.
    command = ["127.0.0.1:0" if word == "0.0.0.0:8080" else word for word in command]
    home = folder / "home"
    environment = {
        **image.variables("ENV"),
        "PATH": f"{folder / 'opt/broker/bin'}:/usr/bin:/bin",
        "BROKER_ISSUER": "https://broker.example.com",
        "BROKER_STORE": f"sqlite:{folder / 'data/broker.db'}",
        "BROKER_MASTER_KEY": "k3y-" * 10 + "k3y=",
    }
    program = str(folder / "opt/broker/bin" / command[0])
    with subprocess.Popen(
        [program, *command[1:]],
        cwd=home,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            seen = []
            facts: dict[str, Any] = {}
            for line in process.stderr:
                seen.append(line)
                if line.startswith("{") and json.loads(line)["message"] == "serving":
                    facts = json.loads(line)
                    break
            assert facts, "".join(seen)
            with httpx.Client(trust_env=False, timeout=60) as http:
                ready = http.get(f"http://{facts['listen']}/readyz")
            port = facts["listen"].rpartition(":")[2]
            healthy = _check_health(folder, port, environment)
            process.terminate()
            process.communicate(timeout=60)
        finally:
            process.kill()
    return {
        "writable": _writable(folder / "opt"),
        "readyz": [ready.status_code, ready.json()],
        "healthy": healthy,
        "healthy_after_the_end": _check_health(folder, port, environment),
        "status": process.returncode,
    }


def _check_health(folder: Path, port: str, environment: dict[str, str]) -> int:
    _, stages = read()
    _, _, check = stages[-1].only("HEALTHCHECK").partition("CMD ")
    words = [word.replace(":8080/", f":{port}/") for word in json.loads(check)]
    return subprocess.run(
        [str(folder / "opt/broker/bin" / words[0]), *words[1:]],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    ).returncode


def _writable(folder: Path) -> bool:
    return any(os.access(each, os.W_OK) for each in (folder, *folder.rglob("*.py")))
