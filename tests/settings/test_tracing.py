"""Where spans are exported to, and when they are not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT
from tests.settings.home import Home

BASE, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
OURS = "BROKER_OTEL__ENDPOINT"
BLOCKED = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, None),
        ({BASE: ""}, None),
        ({BASE: "http://collector:4318"}, "http://collector:4318/v1/traces"),
        ({BASE: "https://collector/otlp/"}, "https://collector/otlp/v1/traces"),
        ({TRACES: "http://collector:4318/in"}, "http://collector:4318/in"),
        ({TRACES: "http://a/in", BASE: "http://b"}, "http://a/in"),
        ({OURS: "http://c", TRACES: "http://a/in", BASE: "http://b"}, "http://c/v1/traces"),
        ({OURS: "http://[::1]:4318"}, "http://[::1]:4318/v1/traces"),
        ({OURS: "http://c", "OTEL_SDK_DISABLED": "true"}, None),
        ({BASE: "http://c", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({BASE: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://c/v1/traces"),
    ],
)
def test_the_endpoint_is_ours_or_the_standard_one(
    home: Home, environment: dict[str, str], endpoint: str | None
) -> None:
    assert home.load(environment=environment).traces_endpoint == endpoint


def test_the_file_names_it_as_well(home: Home) -> None:
    settings = home.load("otel: {endpoint: 'http://127.0.0.1:4318'}\n", {BASE: "http://b"})

    assert settings.traces_endpoint == "http://127.0.0.1:4318/v1/traces"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({BASE: "collector:4318"}, BASE),
        ({BASE: "grpc://collector:4317"}, BASE),
        ({TRACES: "http://collector:0"}, TRACES),
        ({OURS: "http://someone:s3cret@collector"}, OURS),
        ({OURS: "http://collector?key=s3cret"}, OURS),
        ({OURS: ""}, OURS),
        ({BASE: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
    ],
)
def test_what_cannot_be_an_endpoint_is_a_problem_that_shows_nothing_of_it(
    home: Home, environment: dict[str, str], named: str
) -> None:
    problems = home.problems(environment=environment)

    assert [each.file for each in problems] == [named]
    assert "s3cret" not in str(problems)


def run(tmp_path: Path, program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SERVE = "import sys; from broker.__main__ import main; sys.argv = ['broker', 'serve']; main()"


@pytest.mark.parametrize("named", [BASE, TRACES, OURS])
def test_without_the_extra_one_line_says_so_and_nothing_starts(tmp_path: Path, named: str) -> None:
    (tmp_path / "policies").mkdir()
    done = run(tmp_path, BLOCKED + SERVE, **{named: "http://127.0.0.1:4318"})

    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{named}: ")
    assert "pip install '.[otel]'" in line
    assert not (tmp_path / "data").exists()


def test_commands_that_do_not_serve_need_no_extra(tmp_path: Path) -> None:
    program = f"""{BLOCKED}
from pathlib import Path
from broker.settings import load
load(None, {{"{BASE}": "http://c"}}, working_directory=Path("."), serving=False)
"""
    assert run(tmp_path, program).returncode == 0


OFF = """
import asyncio, sys
from pathlib import Path
from broker import serving
from broker.bootstrap import running
from broker.settings import load

async def main():
    async with running(load(None, {}, working_directory=Path("."))):
        pass

asyncio.run(main())
print([each for each in sys.modules if each.partition(".")[0] in ("opentelemetry", "requests")])
"""


def test_where_nothing_is_traced_nothing_of_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/none.yaml").write_text("organizations: {acme: {description: x}}\n")
    done = run(tmp_path, OFF)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
