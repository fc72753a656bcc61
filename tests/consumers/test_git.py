"""git clones from a server that asks for a token, with `git-credential-broker` as its helper."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from tests.consumers.conftest import Job
from tests.consumers.guide import in_guide
from tests.consumers.loopback_server import Answer, LoopbackServer, Request

QUIET = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null"}


def git(*arguments: str, cwd: Path) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(
        ["git", *identity, *arguments], cwd=cwd, check=True, timeout=60, capture_output=True
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `team/app.git`, as a server without any software for git holds it."""
    folder = tmp_path_factory.mktemp("git")
    git("init", "--quiet", "--initial-branch=main", "work", cwd=folder)
    (folder / "work" / "hello.txt").write_text("hello\n")
    git("add", ".", cwd=folder / "work")
    git("commit", "--quiet", "-m", "Say hello", cwd=folder / "work")
    git("clone", "--quiet", "--bare", "work", "team/app.git", cwd=folder)
    git("update-server-info", cwd=folder / "team/app.git")
    return folder


@pytest.fixture
def server(job: Job, repository: Path) -> Iterator[LoopbackServer]:
    """Serve the repository to holders of a token for the service."""

    def answer(request: Request) -> Answer:
        try:
            job.claims_of_basic(request.headers.get("authorization", "Basic Og=="))
        except (AssertionError, jwt.PyJWTError):
            return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        path = repository / request.path.lstrip("/")
        return Answer(path.read_bytes()) if path.is_file() else Answer(status=404)

    with LoopbackServer(answer).serving() as server:
        yield server


def clone(job: Job, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Clone with the helper asked for every host, as a job of many servers would set it up."""
    return job.run(
        *("git", "-c", "credential.helper=broker", "clone", "--quiet", url, "checkout"),
        more=QUIET | variables,
    )


def authorizations(server: LoopbackServer) -> list[str]:
    return [each.headers["authorization"] for each in server.requests if _authorized(each)]


def password_in(header: str) -> str:
    return base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")[2]


def _authorized(request: Request) -> bool:
    return "authorization" in request.headers


def test_git_clones_with_a_token(job: Job, server: LoopbackServer) -> None:
    before = job.exchanges()
    done = clone(job, f"{server.url}/team/app.git", BROKER_HOSTS=f"{server.host}=deploy-api")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (job.folder / "checkout" / "hello.txt").read_text() == "hello\n"
    assert job.exchanges() == before + 1
    assert job.claims_of_basic(authorizations(server)[0])["client_id"] == "deploy-web"


@pytest.mark.parametrize("helper", ["broker", "'!broker credential-helper git'"])
def test_git_clones_as_the_guide_says(job: Job, server: LoopbackServer, helper: str) -> None:
    replaced = {"https://git.example.com": server.url, "helper broker": f"helper {helper}"}
    settings = in_guide("git", "sh", replaced=replaced)
    variables = QUIET | {"GIT_CONFIG_GLOBAL": str(job.folder / "gitconfig")}
    job.quiet("sh", "-eu", stdin=settings, more=variables)
    listed = {"git.example.com": server.host, "git-api": "deploy-api"}
    hosts = in_guide("The hosts", "sh", replaced=listed)
    command = f"git clone --quiet {server.url}/team/app.git checkout\n"

    job.quiet("sh", "-eu", stdin=hosts + command, more=variables)

    assert (job.folder / "checkout" / "hello.txt").read_text() == "hello\n"


def test_git_gets_nothing_for_a_host_that_is_not_listed(job: Job, server: LoopbackServer) -> None:
    before = job.exchanges()
    done = clone(job, f"{server.url}/team/app.git", BROKER_HOSTS="git.example.com=deploy-api")

    assert done.returncode == 128
    assert "could not read Username" in done.stderr
    assert authorizations(server) == []
    assert job.exchanges() == before


@pytest.mark.parametrize(
    "attack",
    [
        "{url}%0ahost={listed}/team/app.git",
        "{scheme}://{listed}@{host}/team/app.git",
        "{scheme}://oauth2@{host}/team/app.git",
        "{url}/team/app.git?%0d%0ahost={listed}",
        "{url}/%0ahost={listed}%0aprotocol=https/app.git",
    ],
)
def test_no_url_makes_git_hand_a_token_to_another_host(
    job: Job, server: LoopbackServer, attack: str
) -> None:
    before = job.exchanges()
    url = attack.format(url=server.url, scheme="http", host=server.host, listed="127.0.0.1:9")
    done = clone(job, url, BROKER_HOSTS="127.0.0.1:9=deploy-api,git.example.com=deploy-api")

    assert done.returncode == 128
    # What a URL itself holds before its @ git sends by itself.
    assert {password_in(each) for each in authorizations(server)} <= {"", "9"}
    assert job.exchanges() == before


def test_git_is_told_to_quit_when_there_is_no_token(job: Job, server: LoopbackServer) -> None:
    done = clone(
        job,
        f"{server.url}/team/app.git",
        BROKER_HOSTS=f"{server.host}=no-such-service",
    )

    assert done.returncode == 128
    assert "target_unknown" in done.stderr
    assert "told us to quit" in done.stderr
    assert authorizations(server) == []


def test_a_token_that_the_server_rejects_is_erased_without_a_word(
    job: Job, server: LoopbackServer
) -> None:
    # Of another service: good, but not here.
    done = clone(job, f"{server.url}/team/app.git", BROKER_HOSTS=f"{server.host}=artifacts")

    assert done.returncode == 128
    assert "Authentication failed" in done.stderr
    assert len(authorizations(server)) == 1
