"""`broker access`: of files alone, and beside the store of a broker, of either kind."""

import csv
import io
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.core.redis_address import read_redis_address
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

POLICIES = """\
issuers:
  github: {preset: github}
organizations: {acme: {description: The company}}
services:
  deploy-api:
    audience: https://deploy-api.example
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
service_accounts:
  deploy-web:
    owner: team-web
    organization: acme
    secrets: allowed
    grants: {deploy-api: [deploy:read]}
  idle: {grants: {deploy-api: [deploy:write]}}
policies:
  web:
    service_account: deploy-web
    issuer: github
    match: {repository: acme/web, ref: refs/heads/main}
    owner: team-platform
"""
CLAIMS = {
    "iss": "https://token.actions.githubusercontent.com",
    "repository": "acme/web",
    "ref": "refs/heads/main",
    "event_name": "push",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/web.yaml").write_text(POLICIES)
    (tmp_path / "claims.json").write_text(json.dumps(CLAIMS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def access(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, ["access", *words], env=env, catch_exceptions=False)


def items(*words: str, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    done = access(*words, "--json", env=env)
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return found


# --- of files alone -------------------------------------------------------------------------------


def test_a_review_has_every_grant_by_policies_and_by_secrets(folder: Path) -> None:
    found = items("review", "--offline")

    assert [(each["way"], each["policy"], each["scope"]) for each in found] == [
        ("client_credentials", None, "deploy:read"),
        ("policy", "web", "deploy:read"),
    ]
    assert [each["used"] for each in found] == [{"looked_up": False}] * 2


def test_without_a_store_it_says_so_and_that_it_was_not_looked_up(folder: Path) -> None:
    done = access("review")

    assert done.exit_code == 0
    assert "there is no store yet" in done.stderr
    assert "client secrets: not looked up" in done.stdout
    assert access("review", "--offline").stderr == ""
    assert not (folder / "data").exists()


def test_the_files_that_are_named_are_reviewed(folder: Path) -> None:
    (folder / "policies").rename(folder / "rules")

    assert access("review", "--offline").exit_code == 2
    assert len(items("review", "--offline", "rules")) == 2
    assert len(items("who-can", "deploy-api", "--offline", "--policies", "rules")) == 2


def test_the_dev_platform_is_reviewed_where_it_is_named(folder: Path) -> None:
    dev = folder / "policies/dev"
    dev.mkdir()
    as_dev = POLICIES.partition("policies:")[2].replace("github", "dev-github")
    (dev / "dev.yaml").write_text("policies:" + as_dev.replace("web:", "dev-web:"))

    def policies(*words: str) -> set[str | None]:
        return {each["policy"] for each in items("review", "--offline", *words)}

    assert policies() == policies("policies") == {None, "web"}
    assert policies("policies", "policies/dev") == {None, "web", "dev-web"}
    assert policies("policies/web.yaml", "policies/dev/dev.yaml") == {None, "web", "dev-web"}


def test_csv_is_for_a_spreadsheet(folder: Path) -> None:
    done = access("review", "--offline", "--format", "csv")

    first, second = csv.DictReader(io.StringIO(done.stdout, newline=""))
    assert (first["way"], first["live_secrets"]) == ("client_credentials", "not looked up")
    assert (second["tenant"], second["owner"]) == ("repository: acme/web", "team-platform")


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_every_form_is_written_where_only_ascii_can_be_shown(folder: Path, form: str) -> None:
    policies = folder / "policies/web.yaml"
    policies.write_text(POLICIES.replace("owner: team-platform", "owner: équipe"))
    words = ["access", "review", "--offline", "--format", form]

    done = CliRunner(charset="ascii").invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    told = {"text": "\\xe9quipe", "csv": "équipe", "json": "\\u00e9quipe"}
    assert told[form] in done.stdout_bytes.decode()


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--service", "deploy-api"], 2),
        (["--service", "https://deploy-api.example"], 2),
        (["--service", "broker"], 0),
        (["--owner", "team-web"], 2),
        (["--owner", "team-platform"], 1),
        (["--organization", "acme"], 2),
    ],
)
def test_a_part_may_be_asked_for(folder: Path, words: list[str], count: int) -> None:
    assert len(items("review", "--offline", *words)) == count


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["review", "--service", "deploy-ap"], "did you mean `deploy-api`?"),
        (["review", "--owner", "team-wed"], "did you mean `team-web`?"),
        (["review", "--organization", "acne"], "did you mean `acme`?"),
        (["review", "--json", "--format", "csv"], "contradict each other"),
        (["review", "--since", "soon"], "--since:"),
        (["who-can", "deploy-ap"], "did you mean `deploy-api`?"),
        (["who-can", "deploy-api", "deploy:reed"], "did you mean `deploy:read`?"),
        (["what-can", "deploy-wed"], "did you mean `deploy-web`?"),
        (["what-can", "idel"], "did you mean `idle`?"),
        (["what-can"], "name a service account"),
        (["what-can", "deploy-web", "--claims", "claims.json"], "name a service account"),
        (["what-can", "--claims", "claims.json", "--format", "csv"], "text or json"),
        (["what-can", "--claims", "none.json"], "cannot be read"),
    ],
)
def test_what_is_not_there_ends_with_two(folder: Path, words: list[str], said: str) -> None:
    done = access(*words, "--offline")

    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_who_can_tells_of_one_service_and_scope(folder: Path) -> None:
    assert len(items("who-can", "deploy-api", "--offline")) == 2
    assert len(items("who-can", "deploy-api", "deploy:read", "--offline")) == 2
    nobody = access("who-can", "deploy-api", "deploy:write", "--offline")
    assert nobody.exit_code == 0
    assert nobody.stdout.endswith("nothing is granted\n")


def test_what_an_account_can(folder: Path) -> None:
    assert len(items("what-can", "deploy-web", "--offline")) == 2
    assert items("what-can", "idle", "--offline") == []


def test_what_a_job_can_is_decided_as_the_broker_does(folder: Path) -> None:
    (found,) = items("what-can", "--claims", "claims.json", "--offline")

    assert (found["decision"], found["scopes"], found["policies"]) == (
        "permit",
        ["deploy:read"],
        ["web"],
    )
    text = access("what-can", "--claims", "claims.json", "--offline").stdout
    assert text == "deploy-api  deploy:read  as deploy-web, by web\n"
    assert "there is no store yet" in access("what-can", "--claims", "claims.json").stderr


def test_a_job_of_an_issuer_that_is_not_trusted_gets_nothing(folder: Path) -> None:
    (folder / "claims.json").write_text(json.dumps(CLAIMS | {"iss": "https://ci.example"}))
    done = access("what-can", "--claims", "claims.json", "--offline")
    assert (done.exit_code, "no issuer has the URL" in done.stderr) == (2, True)

    off = POLICIES.replace("{preset: github}", "{preset: github, enabled: false}")
    (folder / "policies/web.yaml").write_text(off)
    (folder / "claims.json").write_text(json.dumps(CLAIMS))
    done = access("what-can", "--claims", "claims.json", "--offline")
    assert (done.exit_code, "is switched off" in done.stderr) == (2, True)


def test_accounts_that_were_not_looked_up_are_told_of(folder: Path) -> None:
    more = "policies: {cron: {service_account: m-cron, issuer: github,"
    more += " match: {repository: acme/web}, grants: {deploy-api: [deploy:read]}}}\n"
    (folder / "policies/more.yaml").write_text(more)

    told = {each["service_account"]: each["marks"] for each in items("review", "--offline")}
    assert told["m-cron"] == ["account_not_looked_up"]
    done = access("what-can", "--claims", "claims.json", "--offline")
    assert "accounts that were not looked up count as missing: m-cron" in done.stderr


# --- in a work tree of git ------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_commit_is_named_and_whether_the_files_are_those_of_it(folder: Path) -> None:
    def told() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(access("review", "--offline", "--json").stdout)
        return {name: found.get(name) for name in ("commit", "files_changed")}

    assert told() == {"commit": None, "files_changed": None}
    git(folder, "init")
    assert told() == {"commit": None, "files_changed": None}
    git(folder, "add", "policies")
    git(folder, "commit", "-m", "Add policies")
    head = git(folder, "rev-parse", "HEAD")
    assert told() == {"commit": head, "files_changed": False}
    (folder / ".gitignore").write_text("more.yaml\n")
    (folder / "policies/more.yaml").write_text("services: {x: {audience: https://x.example}}\n")
    assert told() == {"commit": head, "files_changed": True}


def test_without_git_there_is_no_commit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))

    assert "commit" not in json.loads(access("review", "--offline", "--json").stdout)


# --- beside a store -------------------------------------------------------------------------------

MORE = """\
service_accounts:
  nightly: {secrets: allowed, owner: team-night, grants: {deploy-api: [deploy:read]}}
policies:
  nobody:
    service_account: deploy-web
    issuer: github
    match: {repository: octo-org/other}
    grants: {deploy-api: [deploy:read]}
  by-cron:
    service_account: cron
    issuer: github
    match: {repository: octo-org/other}
    grants: {deploy-api: [deploy:read]}
"""


@dataclass
class Reviewed:
    """A broker whose jobs and clients have got tokens, and the commands on its store."""

    broker: RunningBroker
    environment: dict[str, str]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words], env=self.environment, catch_exceptions=False)

    def items(self, *words: str) -> list[dict[str, Any]]:
        return items(*words, env=self.environment)


@pytest.fixture(params=["sqlite", "redis"])
def reviewed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reviewed]:
    """A broker by the clock of this machine, which the commands go by."""
    settings: dict[str, Any] = {}
    store = f"sqlite:{tmp_path / 'broker.db'}"
    if request.param == "redis":
        store = request.getfixturevalue("redis").url
        settings = {"store": read_redis_address(store)}
    with special_broker(tmp_path, MORE, now=time.time(), **settings) as broker:
        environment = {
            "BROKER_ISSUER": broker.url,
            "BROKER_POLICIES": str(tmp_path / "policies"),
            "BROKER_STORE": store,
            "BROKER_MASTER_KEY_FILE": str(tmp_path / "master.key"),
        }
        found = Reviewed(broker, environment)
        secret = found.run("accounts", "secret", "create", "nightly").stdout.strip()
        for name in ("cron", "daily"):
            made = found.run("accounts", "create", name, "--grant", "deploy-api=deploy:read")
            assert made.exit_code == 0, made.stderr
        for _ in range(2):
            answer = broker.exchange(broker.github_token(), scope="deploy:read")
            assert answer.status_code == 200, answer.text
        form = {"grant_type": "client_credentials", "audience": "deploy-api"}
        answer = broker.post(form, auth=("nightly", secret))
        assert answer.status_code == 200, answer.text
        broker.events()
        yield found


def test_the_store_tells_uses_secrets_and_accounts(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.cli.access.stored.PAGE", 1)
    found = {
        (each["service_account"], each["policy"], each["scope"]): each
        for each in reviewed.items("review", "--service", "deploy-api")
    }

    def tokens(*key: str | None) -> tuple[int, bool]:
        used = found[key]["used"]  # type: ignore[index]
        return used["tokens"], used["last_used_at"] is not None

    assert tokens("deploy-web", "octo-main", "deploy:read") == (2, True)
    assert tokens("deploy-web", "octo-main", "deploy:write") == (0, False)
    assert tokens("deploy-web", "nobody", "deploy:read") == (0, False)
    assert tokens("nightly", None, "deploy:read") == (1, True)
    assert tokens("cron", "by-cron", "deploy:read") == (0, False)
    nightly = found["nightly", None, "deploy:read"]
    assert nightly["credentials"]["live_secrets"] == 1
    cron = found["cron", None, "deploy:read"]
    assert (cron["managed_by"], cron["credentials"]["live_secrets"]) == ("api", 0)
    assert found["cron", "by-cron", "deploy:read"]["marks"] == []

    assert reviewed.run("accounts", "create", "granted-nothing").exit_code == 0
    assert reviewed.items("what-can", "granted-nothing") == []
    reviewed.run("accounts", "disable", "nightly")
    (off,) = reviewed.items("what-can", "nightly")
    assert off["marks"] == ["account_disabled"]


def test_a_job_is_decided_with_the_accounts_of_the_store(
    reviewed: Reviewed, tmp_path: Path
) -> None:
    claims = tmp_path / "claims.json"
    claims.write_text(json.dumps(CLAIMS | {"repository": "octo-org/other"}))

    found = reviewed.items("what-can", "--claims", str(claims))

    assert [(each["service_account"], each["decision"]) for each in found] == [
        ("cron", "permit"),
        ("deploy-web", "permit"),
    ]
    assert [each["must_name_account"] for each in found] == [True, True]


OPERATOR = """\
service_accounts:
  admin: {secrets: allowed, grants: {broker: ["broker:*"]}}
"""


def test_what_is_stopped_in_the_store_is_stopped_here(reviewed: Reviewed, tmp_path: Path) -> None:
    (tmp_path / "policies" / "operator.yaml").write_text(OPERATOR)
    reviewed.broker.reload(forced=True)
    key = reviewed.run("accounts", "secret", "create", "admin").stdout.strip()
    headers = {"authorization": f"Bearer {key}"}
    claims = tmp_path / "claims.json"
    claims.write_text(json.dumps(CLAIMS | {"repository": "octo-org/other"}))
    body = {"where": {"policy": "by-cron"}, "reason": "INC-7"}
    made = reviewed.broker.request("POST", "/api/v1/blocks", json=body, headers=headers)
    assert made.status_code == 201, made.text

    marks = {each["policy"]: each["marks"] for each in reviewed.items("what-can", "cron")}
    assert marks == {None: [], "by-cron": ["blocked"]}
    found = reviewed.items("what-can", "--claims", str(claims))
    assert [each["reason"] for each in found] == ["blocked", None]

    off = {"enabled": False}
    path = "/api/v1/issuers/github"
    answer = reviewed.broker.request("PATCH", path, json=off, headers=headers)
    assert answer.status_code in (200, 204), answer.text
    marks = {each["policy"]: each["marks"] for each in reviewed.items("what-can", "deploy-web")}
    assert marks["octo-main"] == ["issuer_disabled"]
    done = reviewed.run("access", "what-can", "--claims", str(claims))
    assert (done.exit_code, "is switched off" in done.stderr) == (2, True)


def test_uses_are_those_since_the_span_or_the_first_event_on_record(reviewed: Reviewed) -> None:
    told = json.loads(reviewed.run("access", "review", "--json").stdout)
    (line, *_) = reviewed.run("audit", "export").stdout.splitlines()
    assert told["events_since"] == json.loads(line)["time"]

    told = json.loads(reviewed.run("access", "review", "--since", "2099-01-01", "--json").stdout)
    assert told["events_since"] == "2099-01-01T00:00:00.000Z"
    assert {each["used"]["tokens"] for each in told["items"]} == {0}


def test_files_that_no_broker_ran_are_told(reviewed: Reviewed) -> None:
    assert "last ran" not in reviewed.run("access", "review").stderr
    changed = reviewed.broker.folder / "policies" / "more.yaml"
    changed.write_text(MORE.replace("team-night", "team-day"))

    assert "brokers of this store last ran" in reviewed.run("access", "review").stderr


def test_an_event_that_was_changed_in_the_store_is_refused(tmp_path: Path) -> None:
    with special_broker(tmp_path, now=time.time()) as broker:
        broker.exchange(broker.github_token())
        broker.events()
        connection = apsw.Connection(str(tmp_path / "broker.db"))
        connection.set_busy_timeout(5000)
        connection.execute("UPDATE events SET body = replace(body, 'deploy:read', 'deploy:all')")
        connection.close()
        environment = {
            "BROKER_ISSUER": broker.url,
            "BROKER_POLICIES": str(tmp_path / "policies"),
            "BROKER_STORE": f"sqlite:{tmp_path / 'broker.db'}",
            "BROKER_MASTER_KEY_FILE": str(tmp_path / "master.key"),
        }

        done = access("review", env=environment)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "was changed; see `broker audit verify`" in done.stderr
