"""`broker accounts`: on the store of a broker, one that runs or one that was never started."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.cli.app import app
from broker.core import client_secret
from tests.cli.conftest import Broker
from tests.registry_api import OPERATORS, calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

Accounts = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker by the clock of the machine, which the commands go by."""
    folder = tmp_path_factory.mktemp("running")
    with special_broker(folder, OPERATORS, now=time.time()) as broker:
        yield broker


@pytest.fixture
def accounts(running: RunningBroker, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    """The command on the store of the running broker, within this process: a new one takes long."""
    monkeypatch.chdir(running.folder)
    settings = {
        "BROKER_ISSUER": running.url,
        "BROKER_STORE": f"sqlite:{running.folder / 'broker.db'}",
        "BROKER_MASTER_KEY_FILE": str(running.folder / "master.key"),
    }

    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        result = CliRunner().invoke(app, ["accounts", *arguments], env=settings, input=stdin)
        unforeseen = result.exception if not isinstance(result.exception, SystemExit) else None
        assert unforeseen is None, unforeseen
        return subprocess.CompletedProcess(
            arguments, result.exit_code, result.stdout, result.stderr
        )

    return run


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def as_json(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(done(result))
    return members


def test_the_first_administrator_is_made_before_any_broker_was_started(
    broker: Broker, tmp_path: Path
) -> None:
    made = broker("accounts", "create", "admin", "--grant", "broker=broker:*", "--secret")

    [secret] = done(made).splitlines()
    assert client_secret.is_well_formed(secret)
    assert secret not in made.stderr
    assert "there are no policy files yet" in made.stderr
    key = tmp_path / "data" / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert secret.encode() not in (tmp_path / "data" / "broker.db").read_bytes()
    shown = as_json(broker("accounts", "show", "admin", "--json"))
    assert shown["grants"] == {"broker": ["broker:*"]}


def test_a_broker_that_is_started_afterwards_knows_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    settings = {
        "BROKER_STORE": f"sqlite:{tmp_path / 'broker.db'}",
        "BROKER_MASTER_KEY_FILE": str(tmp_path / "master.key"),
    }
    command = [sys.executable, "-m", "broker", "accounts", "create", "first", "--json"]
    made = subprocess.run(
        command, cwd=tmp_path, env=environment | settings, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    account = as_json(made)

    with special_broker(tmp_path, OPERATORS, now=time.time()) as running:
        assert calling(running, "admin").shown("/first") == account


def test_without_a_loopback_issuer_the_master_key_has_to_be_there(
    broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "broker.yaml").write_text("issuer: https://broker.example\n")

    refused = broker("accounts", "create", "admin", "--secret")

    assert refused.returncode == 2
    assert "master.key" in refused.stderr
    assert refused.stdout == ""


def test_other_commands_make_no_store(broker: Broker, tmp_path: Path) -> None:
    refused = broker("accounts", "list")

    assert refused.returncode == 2
    assert "there is no store yet" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_policy_files_that_do_not_load_are_told_of(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "broken.yaml").write_text("services: 7\n")

    refused = broker("accounts", "create", "admin", "--grant", "broker=broker:*")

    assert refused.returncode == 2
    assert "broken.yaml:1" in refused.stderr


def test_an_account_goes_through_its_life(running: RunningBroker, accounts: Accounts) -> None:
    created = accounts(
        "create", "nightly", "--name", "Nightly", "--description", "Builds", "--grant", "plain=",
        "--grant", "deploy-api=deploy:read,deploy:write", "--ttl", "5m", "--max-ttl", "10m",
        "--metadata", "team=web", "--expires", "90d", "--network", "192.0.2.0/24",
    )  # fmt: skip
    assert done(created) == "nightly\n"
    shown = as_json(accounts("show", "nightly", "--json"))
    assert shown == calling(running, "admin").shown("/nightly")
    assert shown["grants"] == {"plain": [], "deploy-api": ["deploy:read", "deploy:write"]}
    assert (shown["ttl"], shown["metadata"]) == (300, {"team": "web"})

    updated = accounts(
        "update",
        "nightly",
        "--grant",
        "deploy-api=deploy:read",
        "--revoke-grant",
        "plain",
        "--json",
    )
    assert as_json(updated)["grants"] == {"deploy-api": ["deploy:read"]}
    patched = accounts("update", "nightly", "--patch", "-", "--json", stdin='{"metadata": null}')
    assert as_json(patched)["metadata"] == {}
    assert "enabled: false" in done(accounts("disable", "nightly"))
    assert "enabled: true" in done(accounts("enable", "nightly"))
    assert done(accounts("delete", "nightly")) == "nightly is deleted\n"
    assert accounts("show", "nightly").returncode == 1
    kinds = [each["type"] for each in running.events() if each["target"] == "nightly"]
    assert kinds == [
        "account.created",
        "account.updated",
        "account.updated",
        "account.disabled",
        "account.enabled",
        "account.deleted",
    ]
    assert {e["actor"] for e in running.events() if e["target"] == "nightly"} == {"command line"}


def test_secrets_are_printed_alone_and_once(accounts: Accounts) -> None:
    first = done(accounts("create", "with-secrets", "--secret")).strip()
    second = done(accounts("secret", "create", "with-secrets", "--expires", "2099-01-01")).strip()
    listed = as_json(accounts("secret", "list", "with-secrets", "--json"))["items"]
    assert [each["expires_at"] for each in listed] == [None, "2099-01-01T00:00:00.000Z"]
    [old, other] = [each["id"] for each in listed]

    refused = accounts("secret", "rotate", "with-secrets")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--secret-id: several secrets are alive" in refused.stderr
    assert "revoked" in done(accounts("secret", "revoke", "with-secrets", other))
    rotated = as_json(accounts("secret", "rotate", "with-secrets", "--overlap", "1h", "--json"))
    assert rotated["replaces"] == old
    text = done(accounts("secret", "list", "with-secrets"))
    assert f"replaces {old}" in text
    assert "id: " + old in done(accounts("secret", "cancel", "with-secrets"))
    third = done(accounts("secret", "rotate", "with-secrets")).strip()
    assert "id: " in done(accounts("secret", "complete", "with-secrets"))

    secrets = [first, second, rotated["client_secret"], third]
    assert all(client_secret.is_well_formed(secret) for secret in secrets)
    assert not any(secret in text for secret in secrets)


def test_accounts_are_listed_with_where_they_come_from(accounts: Accounts) -> None:
    done(accounts("create", "--name", "Cron job", "--organization", "acme"))

    lines = done(accounts("list")).splitlines()
    assert "admin  file  enabled  -" in lines
    assert any(line.startswith("m-") and line.endswith("acme  Cron job") for line in lines)
    within = as_json(accounts("list", "--organization", "acme", "--json"))["items"]
    assert {each["organization"] for each in within} == {"acme"}


def test_the_report_tells_which_secrets_could_go(
    running: RunningBroker, accounts: Accounts
) -> None:
    running.exchange(running.github_token())
    done(accounts("create", "idle", "--secret"))

    reported = as_json(accounts("report", "--json"))

    [item] = [each for each in reported["items"] if each["client_id"] == "idle"]
    assert item["findings"] == ["never_used"]
    assert reported["tokens"]["share"] == 1.0
    text = done(accounts("report", "--since", "1d"))
    assert "idle: secret" in text
    assert "were issued without a stored secret (100.0%)" in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["create"], 2, "--name: is missing; say what people call the account"),
        (["create", "x1", "--grant", "broker"], 2, "--grant: 'broker' is not SERVICE=SCOPE"),
        (["create", "x1", "--metadata", "team"], 2, "--metadata: 'team' is not NAME=TEXT"),
        (["create", "x1", "--expires", "soon"], 2, "--expires: 'soon' is no time"),
        (["create", "x1", "--jwks-file", "nowhere.json"], 2, "nowhere.json: No such file"),
        (["create", "x1", "--grant", "nothing="], 2, "--grant nothing: there is no service"),
        (["create", "x1", "--ttl", "2d"], 2, "--ttl: must be from 1s to 1d"),
        (["create", "x1", "--max-ttl", "2d"], 2, "--max-ttl: must be from 1s to 1d"),
        (["create", "x1", "--network", "192.0.2.1/24"], 2, "--network: '192.0.2.1/24' is no"),
        (["create", "x1", "--expires", "2020-01-01"], 2, "--expires: must lie ahead"),
        (["create", "x1", "--organization", "x"], 2, "--organization: there is no such"),
        (["create", "admin"], 1, "ID: is taken"),
        (["update", "admin"], 2, "say what shall be changed"),
        (["update", "admin", "--name", "x"], 1, "defined by a policy file"),
        (["update", "admin", "--name", "x", "--patch", "-"], 2, "leave the other options out"),
        (["secret", "create", "admin"], 1, "write `secrets: allowed` in its policy file"),
        (["secret", "complete", "admin"], 1, "no rotation is going on; `rotate` begins one"),
        (["secret", "revoke", "admin", "x"], 1, "the account has no such secret; the list"),
        # A byte that is not UTF-8.
        (["show", "\udcff"], 1, "there is no such service account"),
        (["create", "x1", "--metadata", "team=\udcff"], 2, "--metadata team: must have printable"),
        (["report", "--since", "once"], 2, "--since: 'once' is no point in time"),
    ],
)
def test_what_cannot_be_done_is_said_and_not_done(
    accounts: Accounts, arguments: list[str], code: int, message: str
) -> None:
    refused = accounts(*arguments)

    assert (refused.returncode, refused.stdout) == (code, "")
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_patch_is_refused_by_the_members_that_it_names(accounts: Accounts) -> None:
    done(accounts("create", "patched"))

    refused = accounts("update", "patched", "--patch", "-", stdin='{"max_ttl": "2d"}')

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("broker: max_ttl: must be from 1s to 1d")


def test_on_a_terminal_it_is_told_in_colour_who_is_switched_off(
    accounts: Accounts, running: RunningBroker
) -> None:
    done(accounts("create", "switched-off"))
    done(accounts("disable", "switched-off"))
    settings = {"BROKER_ISSUER": running.url, "BROKER_STORE": f"sqlite:{running.folder}/broker.db"}
    settings["BROKER_MASTER_KEY_FILE"] = f"{running.folder}/master.key"

    coloured = CliRunner().invoke(app, ["accounts", "list"], env=settings, color=True).stdout

    assert "switched-off  api  \x1b[31mdisabled\x1b[0m  -" in coloured
    assert "admin  file  \x1b[32menabled\x1b[0m  -" in coloured


def test_an_account_that_is_over_is_listed_as_such(accounts: Accounts) -> None:
    done(accounts("create", "over", "--expires", "1s"))
    [over] = [e for e in as_json(accounts("list", "--json"))["items"] if e["id"] == "over"]
    while datetime.now(UTC) < datetime.fromisoformat(over["expires_at"]):
        time.sleep(0.05)

    assert "over  api  expired  -" in done(accounts("list")).splitlines()
    assert over["enabled"] is True
