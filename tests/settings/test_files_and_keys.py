import copy
import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from broker.core.redis_address import RedisAddress
from broker.core.secret_text import Secret
from broker.settings import SqliteStoreLocation
from tests.settings import without_rights
from tests.settings.home import STRONG_KEY, Home
from tests.unprivileged import run_unprivileged

PUBLIC = "issuer: https://broker.example.com\n"
HINT = (
    "; off loopback the key must be there before the first start, in this file or in"
    " BROKER_MASTER_KEY"
)


def test_the_policies_folder_must_be_there(home: Home) -> None:
    (home.path / "policies").rmdir()

    assert home.says() == (
        f"broker.yaml: policies: there is no folder `{home.path}/policies`; create it, or name"
        " the one meant"
    )


def test_a_missing_policies_folder_is_said_where_it_was_named(home: Home) -> None:
    in_file = home.says("\npolicies: rules\n")
    in_variable = home.says(environment={"BROKER_POLICIES": "/nowhere"})

    assert in_file.startswith(f"broker.yaml:2:11: policies: there is no folder `{home.path}/rules`")
    assert in_variable.startswith("BROKER_POLICIES: there is no folder `/nowhere`")


def test_a_file_is_no_policies_folder(home: Home) -> None:
    (home.path / "policies").rmdir()
    (home.path / "policies").write_text("")

    assert home.says() == (
        f"broker.yaml: policies: `{home.path}/policies` is no folder; name the folder that holds"
        " the files"
    )


def test_a_folder_that_cannot_be_listed_is_said(home: Home) -> None:
    (home.path / "a").symlink_to("b")
    (home.path / "b").symlink_to("a")

    assert home.says("policies: a") == (
        f"broker.yaml:1:11: policies: the folder `{home.path}/a` cannot be read: Too many levels"
        " of symbolic links"
    )


def test_a_folder_without_read_permission_is_said(tmp_path: Path) -> None:
    said = run_unprivileged(without_rights.unreadable_policies, tmp_path)

    assert said.endswith("cannot be read: Permission denied")


def test_on_loopback_the_master_key_may_still_have_to_be_made(home: Home) -> None:
    assert not home.load().master_key_file.exists()


def test_off_loopback_the_master_key_must_be_there(home: Home) -> None:
    said = home.says(PUBLIC)

    assert said == (
        f"broker.yaml: master_key_file: there is no file `{home.path}/data/master.key`{HINT}"
    )


def test_a_master_key_in_a_file_is_left_to_those_who_open_it(home: Home) -> None:
    (home.path / "m").write_text("whatever")

    settings = home.load(f"{PUBLIC}master_key_file: m")

    assert (settings.master_key_file, settings.master_key) == (home.path / "m", None)


@pytest.mark.parametrize("yaml", ["", PUBLIC])
def test_a_folder_or_a_pipe_is_no_master_key_file(home: Home, yaml: str) -> None:
    os.mkfifo(home.path / "pipe")

    for name in ("policies", "pipe"):
        said = home.says(f"{yaml}master_key_file: {name}")

        assert f"master_key_file: `{home.path}/{name}` is not a file; " in said


def test_a_file_in_the_place_of_a_folder_is_not_an_absent_master_key(home: Home) -> None:
    (home.path / "data").write_text("")

    assert home.says().endswith(
        "data/master.key` cannot be read: Not a directory; mend it, or name another file"
    )


def test_the_master_key_of_a_variable_wins_over_the_file(home: Home) -> None:
    settings = home.load(f"{PUBLIC}master_key_file: absent", {"BROKER_MASTER_KEY": STRONG_KEY})

    assert settings.master_key is not None
    assert settings.master_key.reveal() == STRONG_KEY


def test_the_line_end_of_a_mounted_secret_is_no_part_of_the_key(home: Home) -> None:
    settings = home.load(environment={"BROKER_MASTER_KEY": f"{STRONG_KEY}\n"})

    assert settings.master_key == Secret(STRONG_KEY)


def test_two_variables_for_the_master_key_are_one_too_many(home: Home) -> None:
    said = home.says(
        environment={"BROKER_MASTER_KEY": STRONG_KEY, "BROKER_MASTER_KEY_FILE": "master.key"}
    )

    assert said == "BROKER_MASTER_KEY_FILE: BROKER_MASTER_KEY is set, too; unset one of them"


@pytest.mark.parametrize(
    "weak",
    ["", "hunter2", STRONG_KEY + "x", STRONG_KEY[1:], STRONG_KEY + "ü", STRONG_KEY + "\udc80"],
)
def test_a_weak_or_mangled_master_key_is_refused_and_never_shown(home: Home, weak: str) -> None:
    found = home.problems(environment={"BROKER_MASTER_KEY": weak})

    assert [each.file for each in found] == ["BROKER_MASTER_KEY"]
    assert "hunter2" not in str(found)
    assert STRONG_KEY not in str(found)


def test_the_master_key_does_not_stand_in_the_configuration_file(home: Home) -> None:
    said = home.says(f"master_key: {STRONG_KEY}")

    assert said.startswith("broker.yaml:1:1: a secret does not belong into this file: ")
    assert STRONG_KEY not in said


def test_a_secret_shows_itself_only_when_asked(home: Home) -> None:
    settings = home.load(environment={"BROKER_MASTER_KEY": STRONG_KEY})

    secret = Secret(STRONG_KEY)
    shown = f"{secret} {secret!r} {secret!s:>9} {settings} {asdict(settings)}"
    assert STRONG_KEY not in shown
    assert STRONG_KEY not in json.dumps(asdict(settings), default=repr)
    assert copy.copy(secret) == secret
    assert settings.master_key == secret
    assert hash(settings.master_key) == hash(secret)
    assert secret != Secret(STRONG_KEY + "x")
    assert secret != STRONG_KEY


NO_STORE = "no store that this version has; write sqlite:PATH or redis://HOST:PORT"


@pytest.mark.parametrize(
    ("store", "fault"),
    [
        (
            "redis://:hunter2@",
            "the URL has no host in its place; special signs of a password are %XX: write redis://USER:PASSWORD@HOST:PORT/DATABASE",
        ),
        (
            "redis://hunter2@db",
            "the URL has a user without a password; write USER:PASSWORD@ or :PASSWORD@",
        ),
        ("redis://:hunter2@db/x", "the URL has a database that is no number from 0 to 999999"),
        ("postgres://u:hunter2@db", NO_STORE),
        ("data/broker.db", NO_STORE),
        ("SQLITE:data/broker.db", NO_STORE),
        ("sqlite:", "a path neither is empty nor begins or ends with a space"),
        ("sqlite: x", "a path neither is empty nor begins or ends with a space"),
        ("sqlite:///x", "a path follows `sqlite:` at once, as in sqlite:data/broker.db"),
        ("sqlite::memory:", "a store in memory would forget spent tokens; write sqlite:PATH"),
        ("sqlite:~/x", "`~` is not replaced here; write the path out"),
    ],
)
def test_a_store_of_another_kind_is_refused_without_showing_it(
    home: Home, store: str, fault: str
) -> None:
    assert home.says(f'store: "{store}"') == f"broker.yaml:1:8: store: {fault}"


@pytest.mark.parametrize("key", ["policies", "master_key_file"])
@pytest.mark.parametrize("path", ["", " ", " x", "x ", "~/x", "\ue000"])
def test_a_path_is_written_out(home: Home, key: str, path: str) -> None:
    assert home.says(f'{key}: "{path}"').startswith("broker.yaml:1:")


def test_an_absolute_path_stays_as_it_is(
    home: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    assert home.load(f"policies: {elsewhere}").policies == elsewhere


@pytest.mark.parametrize("dev", [False, True])
@pytest.mark.parametrize("folder", ["elsewhere", "/elsewhere"])
def test_store_and_master_key_lie_in_the_data_folder(home: Home, folder: str, *, dev: bool) -> None:
    settings = home.load(dev=dev, data_dir=Path(folder))

    assert settings.store == SqliteStoreLocation(home.path / folder / "broker.db")
    assert settings.master_key_file == home.path / folder / "master.key"
    assert settings.dev is dev


def test_the_data_folder_moves_nothing_that_is_configured(home: Home) -> None:
    settings = home.load("store: sqlite:x.db", dev=True, data_dir=Path("/elsewhere"))

    assert settings.store == SqliteStoreLocation(home.path / "x.db")
    assert settings.master_key_file == Path("/elsewhere/master.key")


def test_what_does_not_serve_needs_neither_the_master_key_nor_the_policies(home: Home) -> None:
    settings = home.load(f"{PUBLIC}policies: elsewhere/\n", serving=False)

    assert settings.policies == home.path / "elsewhere"
    assert settings.issuer == "https://broker.example.com"


def test_the_certificates_of_a_redis_store_lie_beside_the_file_that_names_them(home: Home) -> None:
    settings = home.load("store: rediss://db/1?ca_file=tls/ca.pem")

    assert settings.store == RedisAddress(
        (("db", 6379),), database=1, tls=True, ca_file=str(home.path / "tls/ca.pem")
    )


def test_the_password_of_a_redis_store_is_shown_by_nothing(home: Home) -> None:
    settings = home.load(environment={"BROKER_STORE": "redis://broker:hunter2@db:6379/3"})

    shown = f"{settings} {asdict(settings)} {settings.store.shown}"
    assert "hunter2" not in shown
    assert "hunter2" not in json.dumps(asdict(settings), default=repr)
    assert settings.store.shown == "redis://db:6379/3"
