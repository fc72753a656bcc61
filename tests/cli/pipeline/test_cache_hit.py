"""A token from the cache before anything is imported: what the command would print, or nothing."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from broker.cli.app import app
from broker.cli.pipeline.cache_hit import from_cache
from broker.cli.pipeline.plain_request import plain_request, seconds
from broker.client.held_token import HeldToken
from broker.client.service_token import ServiceToken
from broker.client.token_cache import CacheKey, TokenCache, open_cache
from broker.client.token_files import boot_id, fingerprint_of_job
from broker.core.durations import seconds_of
from tests.client.stand_in import an_id_token

URL = "https://broker.invalid"
WORDS = st.sampled_from(
    [
        "deploy-api", "artifacts", "--scope", "--scope=a", "a", "--scope=", "", "--service-account",
        "m", "--service-account=m", "--format", "raw", "header", "curl-config", "json",
        "--format=raw", "--url", URL, f"{URL}/", f"--url={URL}", "--", "--no-cache", "--ttl=10m",
        "--help", "-h", "--sc", "--audience=x", "token", "--ttl", "10m", "600s", "--ttl=0m",
        "--ttl=1w", "--format=shell", "--format=env", "--no-cache=yes",
    ]
)  # fmt: skip
VARIABLES = st.fixed_dictionaries(
    {},
    optional={
        "BROKER_SERVICE": st.sampled_from(["", "deploy-api"]),
        "BROKER_SCOPE": st.sampled_from(["", "a"]),
        "BROKER_SERVICE_ACCOUNT": st.sampled_from(["", "m"]),
        "BROKER_AUTH": st.sampled_from(["", "oidc", "client-secret", "x"]),
        "BROKER_TTL": st.sampled_from(["", "10m"]),
        "BROKER_URL": st.sampled_from(["", URL, f"{URL}/"]),
        "BROKER_CLIENT_SECRET_FILE": st.sampled_from(["", "/no/such"]),
        "BROKER_ID_TOKEN_FILE": st.sampled_from(["", "/no/such"]),
    },
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a token for every service, scope and account that the tests ask for."""
    folder = tmp_path_factory.mktemp("run")
    environment = job(folder)
    cache = open_cache(environment)
    identity = fingerprint_of_job(environment)
    assert cache is not None
    assert identity is not None
    for service in ("deploy-api", "artifacts", "a", "m", "raw", "token"):
        for scope in ("", "a"):
            for account in ("", "m"):
                text = f"{service}.{scope}.{account}"
                token = ServiceToken(text, "Bearer", 80_000, 2_000_000_000)
                for ttl in (None, 600):
                    key = CacheKey(URL, service, scope, account, ttl, identity)
                    cache.keep(key, HeldToken(token, time.monotonic()))
    return folder


def job(folder: Path, **variables: str) -> dict[str, str]:
    return {
        "BROKER_URL": URL,
        "BROKER_ID_TOKEN": an_id_token(),
        "XDG_RUNTIME_DIR": str(folder),
        **variables,
    }


def cached(words: list[str], environment: Mapping[str, str]) -> str | None:
    """Do what `broker` does before it imports the command line."""
    wanted = plain_request(words, environment)
    return None if wanted is None else from_cache(wanted, environment)


def printed(words: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run the command itself."""
    cleared = {name: None for name in os.environ if name.startswith(("BROKER_", "GITHUB", "CI_"))}
    result = CliRunner().invoke(app, words, env={**cleared, "RUNNER_TEMP": None, **environment})
    return result.exit_code, result.output


@given(words=st.lists(WORDS, max_size=5), variables=VARIABLES)
def test_a_hit_is_what_the_command_prints(
    folder: Path, words: list[str], variables: dict[str, str]
) -> None:
    environment = job(folder, **variables)
    hit = cached(["token", *words], environment)

    if hit is not None:
        assert printed(["token", *words], environment) == (0, hit)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["deploy-api"], "deploy-api..\n"),
        (["deploy-api", "--scope", "a"], "deploy-api.a.\n"),
        (["--service-account=m", "deploy-api"], "deploy-api..m\n"),
        (["deploy-api", "--format=header"], "Authorization: Bearer deploy-api..\n"),
        (
            ["deploy-api", "--format", "curl-config"],
            'header = "Authorization: Bearer deploy-api.."\n',
        ),
        (["deploy-api", "--url", f"{URL}/"], "deploy-api..\n"),
        (["deploy-api", "--ttl", "10m"], "deploy-api..\n"),
        (
            ["deploy-api", "--format", "shell"],
            (
                "export BROKER_TOKEN='deploy-api..'\n"
                "export BROKER_TOKEN_EXPIRES_AT='2033-05-18T03:33:20Z'\n"
            ),
        ),
    ],
)
def test_the_plain_ways_to_ask_are_hits(folder: Path, words: list[str], text: str) -> None:
    assert cached(["token", *words], job(folder)) == text
    assert printed(["token", *words], job(folder)) == (0, text)


@pytest.mark.parametrize(
    "words",
    [
        [], ["token"], ["exec", "deploy-api"], ["token", "deploy-api", "--no-cache"],
        ["token", "deploy-api", "--ttl", "5m"], ["token", "deploy-api", "--format", "json"],
        ["token", "deploy-api", "artifacts"], ["token", "deploy-api", "--scope"],
        ["token", "deploy-api", "--scope", "a", "--scope", "b"], ["token", "--", "deploy-api"],
        ["token", "deploy-api", "--url", "https://other.example"], ["token", "other"],
    ],
)  # fmt: skip
def test_whatever_is_less_plain_is_left_to_the_command(folder: Path, words: list[str]) -> None:
    assert cached(words, job(folder)) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"BROKER_ID_TOKEN": ""}, {"BROKER_ID_TOKEN": " "}, {"BROKER_ID_TOKEN": "another"},
        {"BROKER_ID_TOKEN_FILE": "/x"}, {"BROKER_TTL": "5m"}, {"BROKER_AUTH": "client-secret"},
        {"XDG_RUNTIME_DIR": ""}, {"BROKER_URL": "https://other.example"},
        {"BROKER_SCOPE": "b"}, {"BROKER_CLIENT_SECRET_FILE": "/x"},
    ],
)  # fmt: skip
def test_another_job_or_wish_is_no_hit(folder: Path, variables: dict[str, str]) -> None:
    assert cached(["token", "deploy-api"], job(folder, **variables)) is None


@given(st.from_regex(r"[0-9]{0,6}[smhdw]?", fullmatch=True) | st.text(max_size=4))
def test_a_ttl_is_read_as_the_command_reads_it_or_left_to_it(text: str) -> None:
    read = seconds(text)

    if read:
        assert seconds_of(text, minimum=1, maximum=86_400) == read
    else:
        assert read == (None if text == "" else 0)


@pytest.mark.parametrize("left", [-1.0, 0.0, 100.0, 119.0, 601.0])
def test_a_token_to_be_renewed_is_left_to_the_command(tmp_path: Path, left: float) -> None:
    environment = job(tmp_path)
    cache = open_cache(environment)
    identity = fingerprint_of_job(environment)
    assert isinstance(cache, TokenCache)
    assert (cache.boot, identity is not None) == (boot_id(), True)
    key = CacheKey(URL, "deploy-api", "", "", None, str(identity))
    cache.keep(key, HeldToken(ServiceToken("t", "Bearer", 600, 0), time.monotonic() - 600 + left))

    assert cached(["token", "deploy-api"], environment) is None


def test_a_hit_imports_neither_the_commands_nor_the_http_client(folder: Path) -> None:
    script = (
        "import sys, json; sys.argv = ['broker', 'token', 'deploy-api']\n"
        "from broker.__main__ import main\nmain()\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=job(folder, PYTHONPATH=str(Path(__file__).parents[3])),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    token, modules = done.stdout.splitlines()

    assert token == "deploy-api.."
    slow = {"typer", "httpx", "cryptography", "jwt", "ssl", "asyncio", "subprocess", "pydantic"}
    assert slow.isdisjoint(json.loads(modules))


def test_a_helper_by_its_own_name_is_no_command(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "terraform-credentials-broker"
    link.symlink_to(Path(sys.executable).with_name("broker"))
    done = subprocess.run(
        [link, "token", "deploy-api"],
        env=job(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
