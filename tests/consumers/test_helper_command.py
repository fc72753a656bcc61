"""`broker credential-helper` by all its names: what it says, where, and how it ends."""

import json
import time
from pathlib import Path

import pytest

from broker.__main__ import HELPER_PROGRAMS
from broker.cli.pipeline.asking import Asked, source_of
from broker.cli.pipeline.fetching import HELPER_BUDGET
from broker.client.http import TIMEOUT
from tests.consumers.conftest import BROKER, Job
from tests.consumers.guide import GUIDE, in_guide
from tests.consumers.loopback_server import Answer, LoopbackServer
from tests.consumers.sts_stand_in import ROLE

LISTED = {"BROKER_HOSTS": "git.example.com=deploy-api,registry.example.com:5000=artifacts"}
ASKED = "protocol=https\nhost=git.example.com\n\n"
HELPERS = {
    "git": ("broker", "credential-helper", "git"),
    "docker": ("broker", "credential-helper", "docker"),
    "terraform": ("broker", "credential-helper", "terraform"),
}


@pytest.mark.parametrize("command", [HELPERS["git"], ("git-credential-broker",)])
def test_git_gets_a_credential_and_nothing_else(job: Job, command: tuple[str, ...]) -> None:
    answer = job.quiet(*command, "get", stdin=ASKED, **LISTED)

    found = dict(line.split("=", 1) for line in answer.splitlines())
    assert list(found) == ["username", "password", "password_expiry_utc"]
    assert found["username"] == "oauth2"
    assert job.claims(found["password"])["exp"] >= int(found["password_expiry_utc"]) - 5
    assert int(found["password_expiry_utc"]) > time.time()


@pytest.mark.parametrize("verb", ["store", "erase", "capability", "whatever"])
def test_git_may_say_more_than_get(job: Job, verb: str) -> None:
    stdin = f"protocol=https\nhost=git.example.com\nusername=oauth2\npassword=x\n{''}\n"

    assert job.quiet(*HELPERS["git"], verb, stdin=stdin, **LISTED) == ""


@pytest.mark.parametrize("command", [HELPERS["docker"], ("docker-credential-broker",)])
def test_docker_gets_a_credential_and_nothing_else(job: Job, command: tuple[str, ...]) -> None:
    answer = json.loads(job.quiet(*command, "get", stdin="git.example.com", **LISTED))

    assert list(answer) == ["ServerURL", "Username", "Secret"]
    assert (answer["ServerURL"], answer["Username"]) == ("git.example.com", "oauth2")
    assert job.claims(answer["Secret"])["client_id"] == "deploy-web"


def test_docker_hears_the_one_message_that_it_knows(job: Job) -> None:
    done = job.run(*HELPERS["docker"], "get", stdin="evil.example\n", more=LISTED)

    assert done.returncode == 1
    assert done.stdout == "credentials not found in native keychain\n"
    assert done.stderr == ""


@pytest.mark.parametrize(("verb", "answer"), [("store", ""), ("erase", ""), ("list", "{}\n")])
def test_docker_may_store_erase_and_list(job: Job, verb: str, answer: str) -> None:
    stdin = json.dumps({"ServerURL": "git.example.com", "Username": "oauth2", "Secret": "x"})

    assert job.quiet(*HELPERS["docker"], verb, stdin=stdin) == answer


def test_docker_is_told_on_stdout_what_failed(job: Job) -> None:
    done = job.run(*HELPERS["docker"], "get", stdin="git.example.com")

    assert done.returncode == 2
    assert done.stdout.startswith("BROKER_HOSTS lists no host")
    assert done.stderr == ""


@pytest.mark.parametrize("command", [HELPERS["terraform"], ("terraform-credentials-broker",)])
def test_terraform_gets_a_token_and_nothing_else(job: Job, command: tuple[str, ...]) -> None:
    (job.folder / "bin" / "terraform-credentials-broker").symlink_to(BROKER)
    answer = json.loads(job.quiet(*command, "get", "git.example.com", **LISTED))

    assert list(answer) == ["token"]
    assert job.claims(answer["token"])["client_id"] == "deploy-web"
    assert job.quiet(*command, "get", "evil.example", **LISTED) == "{}\n"


@pytest.mark.parametrize("words", [("store", "git.example.com"), ("get",), (), ("get", "a", "b")])
def test_terraform_is_told_that_there_is_nothing_but_get(job: Job, words: tuple[str, ...]) -> None:
    done = job.run(*HELPERS["terraform"], *words, more=LISTED)

    assert (done.returncode, done.stdout) == (1, "")
    assert "this helper only gets" in done.stderr


def test_kubectl_gets_a_credential_of_its_version(job: Job) -> None:
    answer = json.loads(
        job.quiet(
            *("broker", "credential-helper", "kubectl", "--service", "deploy-api"),
            KUBERNETES_EXEC_INFO='{"apiVersion": "client.authentication.k8s.io/v1beta1"}',
            BROKER_SERVICE="no-such-service",
        )
    )

    assert answer["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert job.claims(answer["status"]["token"])["client_id"] == "deploy-web"


@pytest.mark.parametrize("tool", ["kubectl", "aws"])
def test_a_service_has_to_be_named(job: Job, tool: str) -> None:
    done = job.run("broker", "credential-helper", tool)

    assert (done.returncode, done.stdout) == (2, "")
    assert "--service or BROKER_SERVICE" in done.stderr


def test_google_hears_what_failed_in_its_own_form(job: Job) -> None:
    answer = json.loads(job.quiet("broker", "credential-helper", "gcp"))

    assert answer == {
        "version": 1,
        "success": False,
        "code": "2",
        "message": "name the service: --service or BROKER_SERVICE",
    }


@pytest.mark.parametrize("tool", ["git", "docker", "terraform"])
def test_a_list_of_hosts_that_cannot_be_read_gives_no_token(job: Job, tool: str) -> None:
    before = job.exchanges()
    words = ("get", "git.example.com") if tool == "terraform" else ("get",)
    stdin = {"git": ASKED, "docker": "git.example.com", "terraform": ""}[tool]
    done = job.run(*HELPERS[tool], *words, stdin=stdin, BROKER_HOSTS="*.example.com=deploy-api")

    assert done.returncode == 2
    assert "is no host" in done.stdout + done.stderr
    assert job.exchanges() == before


def test_an_injected_host_makes_git_quit(job: Job) -> None:
    before = job.exchanges()
    done = job.run(
        *HELPERS["git"], "get", stdin=f"protocol=https\nhost=evil.example\n{ASKED}", more=LISTED
    )

    assert (done.returncode, done.stdout) == (2, "quit=true\n")
    assert "twice" in done.stderr
    assert job.exchanges() == before


def test_what_is_not_a_broker_is_trouble(job: Job) -> None:
    elsewhere = Answer(status=302, headers={"Location": "https://login.example.com/"})
    with LoopbackServer(lambda _: elsewhere).serving() as server:
        done = job.run(
            *HELPERS["terraform"], "get", "git.example.com", more=LISTED, BROKER_URL=server.url
        )

    assert (done.returncode, done.stdout) == (5, "")
    assert job.variables["BROKER_ID_TOKEN"] not in done.stderr


def test_a_helper_gives_up_before_the_tool_does(tmp_path: Path) -> None:
    google = json.loads(in_guide("Google", "json"))["credential_source"]["executable"]
    (tmp_path / "token").write_text("abc")
    asked = Asked("deploy-api", "https://broker.example", id_token_file=tmp_path / "token")

    assert source_of(asked, budget=HELPER_BUDGET).source._budget == HELPER_BUDGET
    assert f"tries for {HELPER_BUDGET:.0f} seconds" in GUIDE.text
    assert google["timeout_millis"] / 1000 > HELPER_BUDGET + TIMEOUT


def test_a_token_is_kept_until_git_erases_it(job: Job) -> None:
    before = job.exchanges()
    first, second = (job.quiet(*HELPERS["git"], "get", stdin=ASKED, **LISTED) for _ in range(2))
    assert first == second
    assert job.exchanges() == before + 1

    elsewhere = ASKED.replace("git.example.com", "evil.example")
    job.quiet(*HELPERS["git"], "erase", stdin=elsewhere, **LISTED)
    assert job.quiet(*HELPERS["git"], "get", stdin=ASKED, **LISTED) == first

    job.quiet(*HELPERS["git"], "erase", stdin=ASKED, **LISTED)
    assert job.quiet(*HELPERS["git"], "get", stdin=ASKED, **LISTED) != first
    assert job.exchanges() == before + 2


def test_an_id_token_that_is_over_has_a_status_of_its_own(job: Job) -> None:
    job.variables["BROKER_ID_TOKEN"] = job.broker.gitlab_token(
        iat=int(time.time()) - 7200, nbf=int(time.time()) - 7205, exp=int(time.time()) - 3600
    )
    done = job.run(*HELPERS["git"], "get", stdin=ASKED, more=LISTED)

    assert (done.returncode, done.stdout) == (6, "quit=true\n")


def test_a_request_whose_end_is_not_read_gives_no_token(job: Job) -> None:
    asked = f"protocol=https\nhost=git.example.com\nwwwauth[]={'x' * 70_000}\nhost=evil.example\n"
    done = job.run(*HELPERS["git"], "get", stdin=asked, more=LISTED)

    assert (done.returncode, done.stdout) == (2, "quit=true\n")


@pytest.mark.parametrize(
    ("tool", "changed", "code"),
    [
        ("git", {"BROKER_ID_TOKEN": ""}, 3),
        ("docker", {"BROKER_HOSTS": "git.example.com=no-such-service"}, 4),
        ("kubectl", {"BROKER_SERVICE": "no-such-service"}, 4),
        ("aws", {"AWS_ROLE_ARN": ""}, 2),
        ("aws", {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"}, 5),
    ],
)
def test_the_status_says_what_kind_of_failure_it_was(
    job: Job, tool: str, changed: dict[str, str], code: int
) -> None:
    words = {"git": ["get"], "docker": ["get"], "terraform": ["get", "git.example.com"]}
    stdin = {"git": ASKED, "docker": "git.example.com"}
    variables = {"BROKER_SERVICE": "deploy-api", "AWS_ROLE_ARN": ROLE, **LISTED, **changed}
    with LoopbackServer(lambda _: Answer(b"<html>")).serving() as no_broker:
        url = variables.get("BROKER_URL", job.broker.url).replace("{no broker}", no_broker.url)
        done = job.run(
            *("broker", "credential-helper", tool, *words.get(tool, [])),
            stdin=stdin.get(tool, ""),
            more=variables | {"BROKER_URL": url},
        )

    assert done.returncode == code, done
    assert job.variables["BROKER_ID_TOKEN"] not in done.stdout + done.stderr
    assert done.stdout + done.stderr


def test_each_other_name_is_a_helper(job: Job) -> None:
    for name, tool in HELPER_PROGRAMS.items():
        (job.folder / "bin" / name).unlink(missing_ok=True)
        (job.folder / "bin" / name).symlink_to(BROKER)
        assert f"Usage: {name}" in job.quiet(name, "--help"), tool


def test_an_unknown_tool_is_a_usage_error(job: Job) -> None:
    done = job.run("broker", "credential-helper", "svn")

    assert (done.returncode, done.stdout) == (2, "")
    assert "svn" in done.stderr
