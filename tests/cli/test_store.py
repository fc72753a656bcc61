"""`broker store` on the store of a broker that runs, as operators use it."""

import asyncio
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.ports import Entry
from broker.settings import SqliteStoreLocation
from broker.stores.opening import open_store
from broker.system import SystemClock
from tests.audited_broker import AuditedStore, audited_store
from tests.client_secrets import an_account, give
from tests.redis_server import RedisServer
from tests.stores.entries import an_event
from tests.unprivileged import run_unprivileged

Store = Callable[..., Result]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedStore]:
    with audited_store(tmp_path_factory.mktemp("broker")) as running:
        give(running.broker, an_account())
        yield running


@pytest.fixture
def store(served: AuditedStore) -> Store:
    """The command, on the store of the running broker or on another."""

    def run(*arguments: str | Path, **variables: str) -> Result:
        return CliRunner().invoke(
            app,
            ["store", *map(str, arguments)],
            env=served.environment() | variables,
            catch_exceptions=False,
        )

    return run


@pytest.fixture
def backup(store: Store, tmp_path: Path) -> Path:
    file = tmp_path / "backup.db"
    assert store("backup", file).exit_code == 0
    return file


def facts(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refusal(done: Result) -> str:
    assert (done.exit_code, done.stdout) == (2, ""), done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    return str(done.stderr)


def edit(file: Path, statement: str, *values: Any) -> None:
    connection = apsw.Connection(str(file))
    connection.execute(statement, values)
    connection.close()


def test_a_backup_is_one_file_for_its_owner_alone_and_says_where_it_ends(
    served: AuditedStore, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "new folder" / "backup.db"
    done = store("backup", file)

    assert (done.exit_code, done.stderr) == (0, "")
    first, events, beside, head = done.stdout.splitlines()
    assert first.startswith(f"[ok] {file} holds what {served.broker.folder}/broker.db held")
    assert events == f"events: {served.start + 5}, from 1 to {served.start + 5}"
    assert "accounts 1, client secrets 1" in beside
    assert "signing keys 4" in beside
    assert [each.name for each in file.parent.iterdir()] == ["backup.db"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    # It is what an audit can be held against later.
    verified = served.verified("--checkpoint", served.checkpoint(head))
    assert (verified["ok"], verified["heads"]) == (True, 1)


def test_the_facts_of_a_backup_come_as_json(store: Store, tmp_path: Path) -> None:
    done = facts(store("backup", tmp_path / "backup.db", "--json"))

    assert done["to"] == str(tmp_path / "backup.db")
    assert done["head"]["seq"] == done["rows"]["events"]
    assert done["head"].keys() >= {"seq", "hash", "time", "jws"}
    assert done["seals_verified"] is True
    assert done["rows"]["client_secrets"] == 1


def test_without_a_master_key_the_seals_are_not_looked_at_and_that_is_said(
    store: Store, tmp_path: Path
) -> None:
    done = store(
        "backup", tmp_path / "b.db", "--json", BROKER_MASTER_KEY_FILE=str(tmp_path / "none")
    )

    assert "there is no master key here" in done.stderr
    found = facts(done)
    assert (found["seals_verified"], found["head"].keys()) == (False, {"seq", "hash", "time"})


def test_the_master_key_of_another_store_is_refused(store: Store, tmp_path: Path) -> None:
    other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    done = store("backup", tmp_path / "b.db", BROKER_MASTER_KEY=other)

    assert "is not the master key of this store" in refusal(done)
    assert other not in done.stderr
    assert not (tmp_path / "b.db").exists()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE signing_keys SET sign_until = 9e9 WHERE algorithm = 'RS256' AND generation = 1",
         "does not unwrap"),
        ("UPDATE accounts SET organization = 'acme'", "the row of account"),
        ("UPDATE client_secrets SET digest = x'00'", "the row of client secret"),
        ("UPDATE sealed SET content = x'00' WHERE name = 'pepper'", "the sealed row 'pepper'"),
        ("UPDATE policy_sets SET content = x'00'", "policy set"),
    ],
)  # fmt: skip
def test_a_row_that_somebody_else_has_written_is_told_and_not_taken_over(
    store: Store, backup: Path, tmp_path: Path, statement: str, said: str
) -> None:
    names = [row[0] for row in apsw.Connection(str(backup)).execute("SELECT name FROM sealed")]
    edit(backup, statement.replace("'pepper'", f"'{next(e for e in names if 'pepper' in e)}'"))
    done = store("restore", backup, BROKER_STORE=f"sqlite:{tmp_path / 'new.db'}")

    assert said.removesuffix(" 'pepper'").split("'")[0] in refusal(done)
    assert not (tmp_path / "new.db").exists()


def test_a_restored_store_is_served_by_its_commands(
    served: AuditedStore, store: Store, backup: Path, tmp_path: Path
) -> None:
    place = {"BROKER_STORE": f"sqlite:{tmp_path / 'new' / 'broker.db'}"}
    done = store("restore", backup, "--json", **place)
    found = facts(done)

    assert found["rows"]["events"] == served.start + 6
    assert found["refused_until"] > "2026"
    refused = f"tokens for one use that were issued before {found['refused_until']} are refused"
    assert refused in done.stderr
    assert "what was revoked, disabled, deleted, blocked, retired or erased since" in done.stderr
    run = CliRunner()
    environment = served.environment() | place
    listed = run.invoke(app, ["audit", "list", "--type", "store.restored"], env=environment)
    assert f"✓ store.restored {tmp_path / 'new' / 'broker.db'} by command line" in listed.stdout
    keys = run.invoke(app, ["keys", "list", "--json"], env=environment)
    assert len(json.loads(keys.stdout)["items"]) == 4


def test_a_store_that_is_there_is_kept_unless_it_is_to_be_replaced(
    served: AuditedStore, store: Store, backup: Path, tmp_path: Path
) -> None:
    said = refusal(store("restore", backup))
    assert "the store is in use: stop every broker of it first" in said
    assert "is the configured store itself" in refusal(
        store("restore", served.broker.folder / "broker.db")
    )
    place = {"BROKER_STORE": f"sqlite:{tmp_path / 'new.db'}"}
    facts(store("restore", backup, "--json", **place))
    assert "holds a store already" in refusal(store("restore", backup, **place))
    again = store("restore", backup, "--replace", "--json", **place)
    assert facts(again)["undone"] == []
    assert "nothing was changed since" in again.stderr


def test_what_the_replaced_store_knew_better_is_listed(
    served: AuditedStore, store: Store, backup: Path, tmp_path: Path
) -> None:
    place = {"BROKER_STORE": f"sqlite:{tmp_path / 'new.db'}"}
    facts(store("restore", backup, "--json", **place))
    second = tmp_path / "second.db"
    facts(store("backup", second, "--json", **place))
    environment = served.environment() | place
    run = CliRunner()
    kid = json.loads(run.invoke(app, ["keys", "list", "--json"], env=environment).stdout)
    retired = kid["items"][0]["kid"]
    assert run.invoke(app, ["keys", "retire", retired], env=environment).exit_code == 0

    done = store("restore", second, "--replace", **place)
    assert done.exit_code == 0
    assert f"key.retired  {retired}" in done.stderr or f"key.removed  {retired}" in done.stderr


def test_a_head_of_after_the_backup_shows_that_a_restore_lost_what_it_signs(
    served: AuditedStore, store: Store, backup: Path, tmp_path: Path
) -> None:
    place = {"BROKER_STORE": f"sqlite:{tmp_path / 'new.db'}"}
    environment = served.environment() | place
    run = CliRunner()
    facts(store("restore", backup, "--json", **place))
    kid = json.loads(run.invoke(app, ["keys", "list", "--json"], env=environment).stdout)
    retired = kid["items"][0]["kid"]
    assert run.invoke(app, ["keys", "retire", retired], env=environment).exit_code == 0
    lost = run.invoke(app, ["audit", "head"], env=environment).stdout
    done = facts(store("restore", backup, "--replace", "--json", **place))

    for head, fits in ((lost, False), (json.dumps(done["head"]), True)):
        words = ["audit", "verify", "--json", "--checkpoint", served.checkpoint(head)]
        verified = json.loads(run.invoke(app, words, env=environment).stdout)
        assert verified["ok"] is fits, verified
    # The key is there again, which is why it is listed.
    kid = json.loads(run.invoke(app, ["keys", "list", "--json"], env=environment).stdout)
    assert retired in {each["kid"] for each in kid["items"]}


def test_all_that_is_to_be_done_again_is_listed_however_much_it_is(
    served: AuditedStore, store: Store, backup: Path, tmp_path: Path
) -> None:
    """The store that knew it is over then."""
    place = {"BROKER_STORE": f"sqlite:{tmp_path / 'new.db'}"}
    facts(store("restore", backup, "--json", **place))
    location = SqliteStoreLocation(tmp_path / "new.db")

    async def revoke() -> None:
        opened = await open_store(location, SystemClock())
        for number in range(150):
            event = an_event(id=f"id-{number}", type="token.revoked", token_id=f"t-{number}")
            await opened.revoke_token(f"t-{number}", 2**31, event)
        erased = an_event(id="e", type="audit.claims_erased", target="claims")
        await opened.commit(Entry(erased))
        await opened.close()

    asyncio.run(revoke())
    done = store("restore", backup, "--replace", "--json", **place)
    assert len(facts(done)["undone"]) == 151
    assert [f"t-{number}" in done.stderr for number in range(150)] == [True] * 150
    assert "audit.claims_erased  claims" in done.stderr


def test_a_replaced_store_whose_chain_is_broken_is_not_believed_about_what_changed(
    store: Store, backup: Path, tmp_path: Path
) -> None:
    place = {"BROKER_STORE": f"sqlite:{tmp_path / 'new.db'}"}
    facts(store("restore", backup, "--json", **place))
    edit(
        tmp_path / "new.db",
        "UPDATE events SET body = replace(body, 'store.restored', 'token.issued')",
    )
    done = store("restore", backup, "--replace", "--json", **place)

    assert facts(done)["undone"] is None
    assert "look for it in the events that you sent elsewhere" in done.stderr


@pytest.mark.parametrize("how", ["argument", "--to-env", "--to-file"])
def test_a_store_is_copied_to_redis_however_the_target_is_named(
    store: Store, redis: RedisServer, tmp_path: Path, how: str
) -> None:
    words: list[str | Path] = [redis.url]
    variables = {}
    if how == "--to-env":
        words, variables = [how, "BROKER_NEXT_STORE"], {"BROKER_NEXT_STORE": redis.url}
    elif how == "--to-file":
        (tmp_path / "target").write_text(f"{redis.url}\n")
        words = [how, tmp_path / "target"]
    done = store("copy", *words, "--json", **variables)

    # A broker serves from the source, so nobody knows what it has granted meanwhile.
    assert facts(done)["refused_until"] > "2026"
    assert "CI tokens for one use that were issued before" in done.stderr
    listed = CliRunner().invoke(app, ["audit", "verify"], env={"BROKER_STORE": redis.url})
    assert listed.exit_code in (0, 2)


def test_a_store_that_nobody_has_open_takes_what_was_used_along(
    store: Store, backup: Path, tmp_path: Path
) -> None:
    place = {"BROKER_STORE": f"sqlite:{tmp_path / 'first.db'}"}
    facts(store("restore", backup, "--json", **place))
    done = store("copy", f"sqlite:{tmp_path / 'new.db'}", "--json", **place)

    assert facts(done)["refused_until"] is None
    assert "every CI token that was used is known there" in done.stderr


def test_a_copy_of_a_backup_knows_of_no_use_since(
    store: Store, backup: Path, tmp_path: Path
) -> None:
    """Nobody has a backup open, and the broker that it was made of goes on."""
    variables = {"BROKER_STORE": f"sqlite:{backup}"}
    done = store("copy", f"sqlite:{tmp_path / 'new.db'}", "--json", **variables)

    assert facts(done)["refused_until"] > "2026"
    assert "CI tokens for one use that were issued before" in done.stderr


def test_a_password_is_never_shown_and_never_taken_from_the_command_line(
    store: Store, redis: RedisServer, tmp_path: Path
) -> None:
    url = redis.url.replace("//", "//nobody:hunter2@")
    given = store("copy", url)
    by_variable = store("copy", "--to-env", "TARGET_STORE", TARGET_STORE=url)
    (tmp_path / "target").write_text(url.replace("redis:", "rodis:"))
    by_file = store("copy", "--to-file", tmp_path / "target")
    source = store("backup", tmp_path / "b.db", BROKER_STORE=url)

    assert "a command line is no place for a password" in refusal(given)
    assert "it refuses the user or the password" in refusal(by_variable)
    assert "no store that this version has" in refusal(by_file)
    assert "it refuses the user or the password" in refusal(source)
    for done in (given, by_variable, by_file, source):
        assert "hunter2" not in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name the target once"),
        (("sqlite:a.db", "--to-env", "X"), "name the target once"),
        (("--to-env", "NO_SUCH_VARIABLE"), "there is no variable NO_SUCH_VARIABLE"),
        (("--to-file", "no-such-file"), "no-such-file cannot be read"),
        (("a.db",), "TARGET: no store that this version has; write sqlite:PATH"),
        (("redis://127.0.0.1:1",), "the store cannot be used: Error 111"),
    ],
)
def test_a_target_that_cannot_be_is_refused_with_what_to_write(
    store: Store, words: tuple[str, ...], said: str
) -> None:
    assert said in refusal(store("copy", *words))


def test_a_store_is_not_backed_up_into_itself(served: AuditedStore, store: Store) -> None:
    done = store("backup", served.broker.folder / "broker.db", "--force")

    assert "is the configured store itself: name another file" in refusal(done)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal", "-limits"])
@pytest.mark.parametrize("command", ["backup", "copy"])
def test_nothing_takes_the_name_of_what_lies_beside_a_store(
    command: str, suffix: str, served: AuditedStore, store: Store
) -> None:
    beside = served.broker.folder / f"broker.db{suffix}"
    before = beside.stat().st_ino if beside.exists() else None

    words = (f"sqlite:{beside}",) if command == "copy" else (beside, "--force")
    assert "the name of what lies beside another one" in refusal(store(command, *words))

    assert (beside.stat().st_ino if beside.exists() else None) == before
    verified = CliRunner().invoke(app, ["audit", "verify"], env=served.environment())
    assert verified.exit_code == 0, verified.output


def test_a_store_is_not_copied_to_itself(served: AuditedStore, store: Store) -> None:
    target = f"sqlite:{served.broker.folder}/../{served.broker.folder.name}/broker.db"

    assert "is the configured store itself" in refusal(store("copy", target))


def without_rights(folder: Path) -> list[str]:
    """Back up to a folder, and from a file, that the rights are missing for."""
    said = []
    sealed, unreadable = folder / "sealed", folder / "unreadable.db"
    for words in (["backup", str(sealed / "b.db")], ["restore", str(unreadable)]):
        done = CliRunner().invoke(
            app,
            ["store", *words],
            env={
                "BROKER_STORE": f"sqlite:{folder / 'store.db'}",
                "BROKER_ISSUER": "http://127.0.0.1:1",
                "BROKER_MASTER_KEY_FILE": str(folder / "none"),
            },
        )
        assert done.exit_code == 2, done.output
        said.append(done.stderr.splitlines()[-1])
    return said


def test_missing_rights_are_one_line(store: Store, tmp_path: Path) -> None:
    assert store("backup", tmp_path / "store.db").exit_code == 0
    (tmp_path / "unreadable.db").write_bytes((tmp_path / "store.db").read_bytes())
    (tmp_path / "unreadable.db").chmod(0)
    (tmp_path / "sealed").mkdir(mode=0o500)

    writing, reading = run_unprivileged(without_rights, tmp_path)
    assert "cannot be created: Permission denied" in writing
    assert "cannot be opened: check that it is a file and its rights" in reading


def test_a_full_disk_is_one_line_and_leaves_nothing(served: AuditedStore, tmp_path: Path) -> None:
    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    done = subprocess.run(
        [sys.executable, "-m", "broker", "store", "backup", str(tmp_path / "b.db")],
        env=os.environ | served.environment() | {"PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=bounded,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert f"{tmp_path / 'b.db'}: the store cannot be " in done.stderr
    assert list(tmp_path.iterdir()) == []
