import subprocess
import sys
from collections.abc import Callable

from broker import __version__

Broker = Callable[..., subprocess.CompletedProcess[str]]


def test_help_lists_the_commands(broker: Broker) -> None:
    answer = broker("--help")

    assert answer.returncode == 0
    assert "serve" in answer.stdout
    assert "dev" in answer.stdout
    assert answer.stderr == ""


def test_the_version_is_printed_alone(broker: Broker) -> None:
    answer = broker("--version")

    assert (answer.returncode, answer.stdout) == (0, f"broker {__version__}\n")


def test_an_unknown_command_is_a_usage_error(broker: Broker) -> None:
    answer = broker("sing")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "No such command 'sing'" in answer.stderr


def test_no_command_shows_the_help_as_a_usage_error(broker: Broker) -> None:
    answer = broker()

    assert answer.returncode == 2
    assert "serve" in answer.stdout + answer.stderr


def test_commands_start_without_loading_what_they_do_not_need(environment: dict[str, str]) -> None:
    program = "import sys, broker.cli.app; print(*{name.partition('.')[0] for name in sys.modules})"

    loaded = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.split()

    heavy = {"cryptography", "jwt", "httpx", "starlette", "uvicorn", "apsw", "yaml", "pydantic"}
    assert heavy.isdisjoint(loaded)
    assert "broker" in loaded
