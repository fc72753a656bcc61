"""Tokens kept between the commands of a job: where, for whom, and what of them is believed."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.cli.pipeline.cache_hit import _fresh
from broker.client import ClientError
from broker.client.cached_source import CachedSource
from broker.client.held_token import HeldToken
from broker.client.service_token import ServiceToken
from broker.client.token_cache import CacheKey, TokenCache, open_cache, write_private
from broker.client.token_files import boot_id, private_folder, read_record
from tests.client.stand_in import HeldClock, a_token, answering, refusal, source_at, trouble
from tests.consumers.loopback_server import Answer

ROOT = Path(__file__).parents[2]
KEY = CacheKey("https://broker.example", "deploy-api", "", "", None, "me")
TOKEN = ServiceToken("t0ken", "Bearer", 600, 2_000_000_000, "a b", "deploy-web", "id", "type")


def kept(cache: TokenCache, key: CacheKey = KEY, since: float | None = None) -> Path:
    """Keep a token and give its file."""
    cache.keep(key, HeldToken(TOKEN, time.monotonic() if since is None else since))
    return cache.folder / f"{key.name()}.json"


@pytest.fixture
def cache(tmp_path: Path) -> TokenCache:
    cache = open_cache({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert cache is not None
    return cache


def test_what_was_kept_is_found_as_it_was(cache: TokenCache) -> None:
    file = kept(cache)
    found = cache.find(KEY)

    assert found is not None
    assert found.token == TOKEN
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in cache.folder.iterdir()] == [file.name]
    assert all(word not in file.name for word in ("deploy", "broker.example", "t0ken"))


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "https://other.example"}, {"service": "other"}, {"scope": "a"},
        {"service_account": "deploy-web"}, {"ttl": 600}, {"ttl": 0}, {"identity": "another"},
    ],
)  # fmt: skip
def test_for_anything_else_there_is_none(cache: TokenCache, changed: dict[str, Any]) -> None:
    kept(cache)
    members = {name: getattr(KEY, name) for name in CacheKey.__slots__} | changed

    assert cache.find(CacheKey(**members)) is None


def test_a_token_is_replaced_at_once(cache: TokenCache) -> None:
    file = kept(cache)
    with file.open() as reader:
        kept(cache, since=time.monotonic() - 10)
        assert json.load(reader)["since"] > json.loads(file.read_text())["since"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "token", "new")

    assert [each.name for each in tmp_path.iterdir()] == ["token"]


# --- where --------------------------------------------------------------------------------------


def folder_name() -> str:
    return f"broker-tokens-{os.geteuid()}"


def test_it_lies_beside_the_job(tmp_path: Path) -> None:
    for name in ("runner", "builds", "run"):
        (tmp_path / name).mkdir()
    environment = {
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "CI_PROJECT_DIR": f"{tmp_path}/builds/web/",
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
    }
    for base in ("runner", "builds/web.tmp", "run"):
        assert private_folder(environment) == str(tmp_path / base / folder_name())
        del environment[next(iter(environment))]

    assert private_folder(environment) is None
    assert open_cache(environment) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("RUNNER_TEMP", "CI_PROJECT_DIR", "XDG_RUNTIME_DIR")
            for value in ("", ".", "relative", "./x")
        ),
        ("CI_PROJECT_DIR", "/"),
    ],
)
def test_a_place_that_is_none_is_not_taken(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert private_folder({name: value}) is None
    assert list(tmp_path.iterdir()) == []


def spoilt_by_mode(folder: Path) -> None:
    folder.chmod(0o750)


def spoilt_by_owner(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder, 65534, 65534)


def spoilt_by_link(folder: Path) -> None:
    target = folder.with_name("elsewhere")
    folder.rename(target)
    folder.symlink_to(target)


def spoilt_by_file(folder: Path) -> None:
    folder.rmdir()
    folder.touch(0o600)


SPOILT = pytest.mark.parametrize(
    "spoil", [spoilt_by_mode, spoilt_by_owner, spoilt_by_link, spoilt_by_file]
)


@SPOILT
def test_a_folder_that_is_not_ours_alone_is_passed_over(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / folder_name()
    folder.mkdir(0o700)
    spoil(folder)

    assert private_folder({"RUNNER_TEMP": str(tmp_path)}) is None
    (tmp_path / "run").mkdir()
    assert private_folder(
        {"RUNNER_TEMP": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    ) == str(tmp_path / "run" / folder_name())


@pytest.mark.parametrize("spoil", [spoilt_by_mode, spoilt_by_owner, spoilt_by_link])
def test_a_file_that_is_not_ours_alone_is_no_token(
    spoil: Callable[[Path], None], cache: TokenCache
) -> None:
    file = kept(cache)
    spoil(file)

    assert cache.find(KEY) is None
    assert read_record(str(file)) is None


def test_what_is_no_file_is_no_token(cache: TokenCache) -> None:
    file = cache.folder / f"{KEY.name()}.json"
    os.mkfifo(file, 0o600)
    assert cache.find(KEY) is None
    file.unlink()
    file.mkdir(0o700)
    assert cache.find(KEY) is None


# --- what of it is believed ---------------------------------------------------------------------


def test_a_token_of_another_start_of_the_machine_is_none(cache: TokenCache) -> None:
    file = kept(cache)
    record = json.loads(file.read_text())
    assert record["boot"] == boot_id()
    write_private(file, json.dumps(record | {"boot": "another"}))

    assert cache.find(KEY) is None


@pytest.mark.parametrize("since", [10.0, -601.0, 1e18, -1e18])
def test_a_token_of_the_future_or_one_that_is_over_is_none(cache: TokenCache, since: float) -> None:
    kept(cache, since=time.monotonic() + since)

    assert cache.find(KEY) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
MEMBERS = st.dictionaries(st.sampled_from(ServiceToken.__slots__), JSON, max_size=2)


@given(
    token=MEMBERS, record=st.dictionaries(st.sampled_from(["boot", "since", "token"]), JSON),
    raw=st.binary(max_size=20), kind=st.sampled_from(["members", "raw", "cut"]),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_lies_there_is_a_sound_token_or_none(
    cache: TokenCache, token: dict[str, Any], record: dict[str, Any], raw: bytes, kind: str
) -> None:
    file = kept(cache)
    whole = json.loads(file.read_text())
    whole["token"] |= token
    content = json.dumps(whole | record).encode()
    file.write_bytes({"members": content, "raw": raw, "cut": content[:-3]}[kind])
    found = cache.find(KEY)
    hit = _fresh(read_record(str(file)) or {}, "raw")

    if found is not None:
        assert 0 < found.token.expires_in <= 7 * 86_400
        assert found.token.access_token.isascii()
        assert found.token.access_token.isprintable()
        assert hit in (None, f"{found.token.access_token}\n")
    assert hit is None or isinstance(hit, str)
    assert isinstance(cache.take_all(KEY.url, KEY.identity), list)


# --- a source with a cache ----------------------------------------------------------------------


def test_the_next_command_asks_nobody(cache: TokenCache) -> None:
    with answering(a_token("one"), a_token("two")) as server:
        for _ in range(3):
            with source_at(server.url, monotonic=time.monotonic) as source:
                assert CachedSource(source, cache).token().access_token == "one"

        assert len(server.requests) == 1
        with source_at(server.url, monotonic=time.monotonic) as source:
            CachedSource(source, cache).forget()
            assert CachedSource(source, cache).token().access_token == "two"


def test_a_token_that_is_nearly_over_is_renewed_and_the_new_one_kept(cache: TokenCache) -> None:
    with answering(a_token("one"), a_token("two")) as server:
        clock = HeldClock(time.monotonic())
        held = TokenCache(cache.folder, monotonic=clock, boot=cache.boot)
        for wanted in ("one", "two", "two"):
            with source_at(server.url, clock) as source:
                assert CachedSource(source, held).token().access_token == wanted
            clock.advance(481 if wanted == "one" else 0)

        assert len(server.requests) == 2


def test_what_was_kept_is_given_when_the_broker_is_in_trouble(cache: TokenCache) -> None:
    clock = HeldClock(time.monotonic())
    held = TokenCache(cache.folder, monotonic=clock, boot=cache.boot)
    with answering(a_token("one"), trouble()) as server:
        with source_at(server.url, clock) as source:
            CachedSource(source, held).token()
        clock.advance(500)
        with source_at(server.url, clock) as source:
            assert CachedSource(source, held).token().access_token == "one"


def test_a_token_that_cannot_be_kept_is_good_all_the_same(cache: TokenCache) -> None:
    with answering(a_token("one")) as server, source_at(server.url) as source:
        gone = TokenCache(cache.folder / "gone")
        assert CachedSource(source, gone).token().access_token == "one"
        assert CachedSource(source).token().access_token == "one"
        CachedSource(source).forget()
        assert CachedSource(source).revoke_all() == 0


def test_all_tokens_of_one_identity_are_revoked_and_no_others(cache: TokenCache) -> None:
    with answering(a_token("one"), a_token("two"), a_token("theirs"), Answer()) as server:
        sources = [
            source_at(server.url, service="a", monotonic=time.monotonic),
            source_at(server.url, service="b", monotonic=time.monotonic),
            source_at(server.url, service_account="m", client_secret="x", monotonic=time.monotonic),
        ]
        mine, again, theirs = [CachedSource(each, cache) for each in sources]
        for each in (mine, again, theirs):
            each.token()
        kept(cache, CacheKey("https://other.example", "a", "", "", None, mine.source.fingerprint()))

        assert mine.revoke_all() == 2
        revoked = {each.form.get("token") for each in server.requests if "revoke" in each.target}
        assert revoked == {"one", "two"}
        assert (mine.revoke_all(), again.revoke_all()) == (0, 0)
        assert theirs.token().access_token == "theirs"
        assert len(list(cache.folder.glob("*.json"))) == 2
        for source in sources:
            source.close()


def test_one_that_cannot_be_revoked_keeps_none_of_the_others(cache: TokenCache) -> None:
    with answering(a_token("one"), a_token("two"), refusal(403), Answer()) as server:
        for service in ("a", "b"):
            with source_at(server.url, service=service, monotonic=time.monotonic) as source:
                CachedSource(source, cache).token()
        with source_at(server.url) as source, pytest.raises(ClientError):
            CachedSource(source, cache).revoke_all()

        assert sum("revoke" in each.target for each in server.requests) == 2


ASKS = """
import sys, time
from pathlib import Path
from broker.client import TokenSource
from broker.client.cached_source import CachedSource
from broker.client.token_cache import TokenCache
source = TokenSource(sys.argv[1], service="deploy-api")
cached = CachedSource(source, TokenCache(Path(sys.argv[2]), boot="x"))
sys.stdin.read(1)
print(cached.token().access_token)
"""


def test_of_several_processes_one_asks(cache: TokenCache, tmp_path: Path) -> None:
    with answering(lambda _: a_token(f"t{len(server.requests)}")) as server:
        environment = {
            "BROKER_ID_TOKEN": "a.b.c".replace("b", "eyJpc3MiOiJ4In0"),
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
        }
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", ASKS, server.url, str(cache.folder)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        for each in processes:
            assert each.stdin is not None
            each.stdin.write("x")
            each.stdin.flush()
        answers = [each.communicate(timeout=60)[0] for each in processes]

        assert answers == ["t1\n"] * 3
        assert len(server.requests) == 1
