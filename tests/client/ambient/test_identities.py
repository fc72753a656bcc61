"""How each platform gives its ID tokens, and what is said where it gives none."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client import IdentityExpired, NoIdentity
from broker.client.ambient import command_line
from broker.client.ambient.command_line import buildkite, circleci
from broker.client.ambient.github import GithubActions, with_audience
from broker.client.ambient.given_token import TokenInFile, TokenInVariable
from broker.client.ambient.google import GoogleMetadata
from broker.client.http import new_client
from broker.client.patience import TryAgain
from tests.client.stand_in import an_id_token, answering, as_json, trouble
from tests.consumers.loopback_server import Answer

TOKEN = an_id_token()


# --- GitHub -------------------------------------------------------------------------------------


def github(url: str) -> GithubActions:
    variables = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/id?api-version=2.0&x=",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
    }
    return GithubActions.of(variables, new_client)


def test_github_is_asked_for_the_audience_beside_what_its_url_holds() -> None:
    with answering(as_json({"value": TOKEN})) as server:
        identity = github(server.url)
        assert identity.fetch("https://b.example/?a=b&c") == TOKEN

        (request,) = server.requests
        assert request.target == (
            "/id?api-version=2.0&x=&audience=https%3A%2F%2Fb.example%2F%3Fa%3Db%26c"
        )
        assert request.headers["authorization"] == "Bearer request-token"
        assert identity.renewable
        assert "request-token" not in repr(identity)


@pytest.mark.parametrize(
    "answer",
    [as_json({}, 401), as_json({}), as_json({"value": "no token"}), as_json([]), Answer(b"<html>")],
)
def test_github_may_give_none(answer: Answer) -> None:
    with answering(answer) as server:
        with pytest.raises(NoIdentity, match="`permissions`"):
            github(server.url).fetch("https://broker.example")

        assert len(server.requests) == 1


def test_github_may_be_in_trouble() -> None:
    with (
        answering(trouble()) as server,
        pytest.raises(TryAgain, match="GitHub's ID token endpoint"),
    ):
        github(server.url).fetch("https://broker.example")


QUERY = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=4)


@given(query=QUERY, audience=st.text(max_size=20))
def test_no_audience_changes_what_else_is_asked(query: dict[str, str], audience: str) -> None:
    query.pop("audience", None)
    url = str(httpx.URL("https://runner.example/id", params=query))
    asked = httpx.URL(with_audience(url, audience))

    assert (asked.host, asked.path) == ("runner.example", "/id")
    assert dict(asked.params) == {**query, "audience": audience}


# --- CircleCI and Buildkite ---------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a program on the PATH; its arguments stand in `arguments`, one a line."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def made(name: str, script: str) -> Path:
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/arguments\n{script}\n')
        path.chmod(0o755)
        return tmp_path / "arguments"

    return made


PLATFORMS = {
    "circleci": (
        circleci("1"),
        ["run", "oidc", "get", "--claims", '{"aud": "https://b.example"}', "--root-issuer"],
    ),
    "buildkite-agent": (
        buildkite("1"),
        ["oidc", "request-token", "--audience", "https://b.example"],
    ),
}
EACH = pytest.mark.parametrize("name", PLATFORMS)


@EACH
def test_a_command_of_the_platform_gives_the_token(name: str, program: Any) -> None:
    identity, words = PLATFORMS[name]
    arguments = program(name, f"echo noise >&2; echo {TOKEN}")

    assert identity.fetch("https://b.example") == TOKEN
    assert arguments.read_text().splitlines() == words
    assert identity.renewable
    assert identity.wants_audience()


@EACH
@pytest.mark.parametrize(
    "script",
    [
        "printf 'no \\033[31mlogin\\377' >&2; exit 1",
        f"echo {TOKEN}; echo 'no login' >&2; exit 3",
        "echo 'no login' >&2",
        "echo 'no token'; echo 'no login' >&2",
        "printf '\\377\\376'; echo 'no login' >&2",
    ],
)
def test_a_command_that_gives_none_is_quoted(name: str, script: str, program: Any) -> None:
    identity, _ = PLATFORMS[name]
    program(name, script)
    with pytest.raises(NoIdentity) as nobody:
        identity.fetch("https://b.example")

    assert "login" in str(nobody.value)
    assert str(nobody.value).isprintable()
    assert TOKEN not in str(nobody.value)


@EACH
def test_a_command_that_is_missing_is_named(name: str, program: Any, tmp_path: Path) -> None:
    identity, _ = PLATFORMS[name]
    with pytest.raises(NoIdentity, match=f"there is no `{name}` on PATH"):
        identity.fetch("https://b.example")

    program(name, "")
    (tmp_path / name).write_bytes(b"\x7fELF is no program")
    with pytest.raises(NoIdentity, match="cannot be run"):
        identity.fetch("https://b.example")


def test_a_command_that_hangs_is_ended(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_SECONDS", 0.2)
    program("circleci", "exec sleep 30")
    with pytest.raises(TryAgain, match="did not end"):
        circleci("1").fetch("https://b.example")


# --- Google -------------------------------------------------------------------------------------


def test_the_metadata_server_gives_the_token() -> None:
    with answering(Answer(f"{TOKEN}\n".encode())) as server:
        identity = GoogleMetadata.of({"GCE_METADATA_HOST": server.host}, new_client)
        assert identity.fetch("https://b.example") == TOKEN

        (request,) = server.requests
        assert request.path == "/computeMetadata/v1/instance/service-accounts/default/identity"
        assert request.query == {"audience": "https://b.example", "format": "full"}
        assert request.headers["metadata-flavor"] == "Google"
        assert identity.wants_audience()


@pytest.mark.parametrize("answer", [Answer(b"", 404), Answer(b"no token"), Answer(b"\xff")])
def test_the_metadata_server_may_give_none(answer: Answer) -> None:
    with answering(answer) as server, pytest.raises(NoIdentity, match="has the machine"):
        GoogleMetadata.of({"GCE_METADATA_HOST": server.host}, new_client).fetch("https://b.example")


# --- given tokens -------------------------------------------------------------------------------


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "token"
    identity = TokenInFile("Kubernetes", path)
    for number in (1, 2):
        path.write_text(f"{an_id_token(jti=number)}\n")
        assert identity.fetch("") == an_id_token(jti=number)


def test_a_token_that_is_kept_fresh_has_one_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "token"
    identity = TokenInFile("Kubernetes", path)

    def of(**claims: object) -> str:
        path.write_text(an_id_token(**claims))
        return identity.fingerprint()

    assert of(exp=1, iat=0, nbf=0, jti="a") == of(exp=2, iat=1, nbf=1, jti="b")
    assert of(job_id="1") != of(job_id="2")
    path.unlink()
    assert identity.fingerprint()


@pytest.mark.parametrize("content", [b"", b" \n", b"no token", b"a.b.c", b"\xff", b"x" * 70_000])
def test_what_is_no_id_token_is_not_sent(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(NoIdentity, match=str(path)):
        TokenInFile("Kubernetes", path).fetch("")
    with pytest.raises(NoIdentity, match="MINE"):
        TokenInVariable("a given ID token", "MINE", content.decode(errors="replace")).fetch("")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(NoIdentity, match="cannot be read"):
            TokenInFile("Kubernetes", path).fetch("")


@pytest.mark.parametrize(
    ("exp", "is_over"),
    [
        (1000, True), (1000.5, True), (0, True), (-1, True), (-(10**400), True),
        (float("-inf"), True), (1701, False), (3000, False), (10**400, False),
        (float("inf"), False), (float("nan"), False), ("1000", False), (None, False),
    ],
)  # fmt: skip
def test_a_token_that_is_over_is_told_with_what_helps(exp: object, *, is_over: bool) -> None:
    identity = TokenInVariable(
        "GitLab CI", "MINE", an_id_token(exp=exp), "raise the timeout", clock=lambda: 2000.0
    )
    if not is_over:
        assert identity.fetch("")
        return
    with pytest.raises(IdentityExpired, match="raise the timeout") as expired:
        identity.fetch("")
    assert expired.value.exit_code == 6


def test_a_clock_that_is_a_little_ahead_does_not_matter() -> None:
    token = an_id_token(exp=int(time.time()) - 200)

    assert TokenInVariable("GitLab CI", "MINE", token).fetch("") == token
