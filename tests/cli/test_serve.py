import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Broker = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("listen", ["0.0.0.0:8081", "10.1.2.3:8081", "[::]:8081", "8081"])
def test_the_fake_platforms_stay_on_loopback(broker: Broker, tmp_path: Path, listen: str) -> None:
    answer = broker("serve", "--dev", "--dev-listen", listen)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "--dev-listen" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_said_with_what_names_another(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = broker("serve", "--listen", listen)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        f"listen: cannot listen on {listen}: Address already in use; choose another with --listen\n"
    )


def test_a_taken_port_of_the_fake_platforms_is_said(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = broker("serve", "--dev", "--listen", "127.0.0.1:0", "--dev-listen", listen)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert f"--dev-listen: cannot listen on {listen}: Address already in use" in answer.stderr
    assert "choose another with --dev-listen" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_key_of_the_fake_platforms_that_others_can_read_is_said(
    broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "policies").mkdir()
    broker("dev", "token", "--platform", "github")
    (tmp_path / "data/dev/platform-key.pem").chmod(0o644)

    answer = broker("serve", "--dev", "--listen", "127.0.0.1:0", "--dev-listen", "127.0.0.1:0")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "can be read by others" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("workers", ["0", "-1", "65", "many"])
def test_a_number_of_workers_that_is_none_is_a_usage_error(broker: Broker, workers: str) -> None:
    assert broker("serve", "--workers", workers).returncode == 2


def test_all_problems_of_a_configuration_are_listed_and_nothing_starts(
    broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "broker.yaml").write_text("colour: blue\nleeway: 1h\n")

    answer = broker("serve", "--listen", "127.0.0.1:0")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "broker.yaml:1:" in answer.stderr
    assert "broker.yaml:2:" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("command", "package"),
    [
        (("serve",), "starlette"),
        (("serve", "--listen", "127.0.0.1:0"), "apsw"),
        (("serve", "--listen", "127.0.0.1:0"), "redis"),
        (("serve",), "yaml"),
        (("dev", "issuer"), "uvicorn"),
    ],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, environment: dict[str, str], command: tuple[str, ...], package: str
) -> None:
    # A store of each kind needs a package of its own.
    store = {"BROKER_STORE": "redis://127.0.0.1:1"} if package == "redis" else {}
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "acme.yaml").write_text("organizations: {acme: {description: Acme}}\n")
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    program = (
        f"import sys\nsys.modules[{package!r}] = None\nfrom broker.__main__ import main\nmain()\n"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=tmp_path,
        env=environment | store,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "needs the extra 'server'" in answer.stderr
    assert f"'{package}'" in answer.stderr
    assert "pip install '.[server]'" in answer.stderr
