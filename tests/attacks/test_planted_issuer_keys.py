"""Who can write to the store plants, moves or puts back keys of an issuer (attacks rows 33, 183).

Each test runs on SQLite and on Redis. The issuer is away, so that the store alone could tell of the
attacker's key; the broker is started anew, so that it holds nothing.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from broker.core.kept_keys import KeptKeys, written
from broker.signing.master_key import MasterKey
from broker.signing.sealed_rows import SealedBox
from broker.stores import redis_keys
from tests.attacks.refusals import LOG
from tests.corp_issuer import NAME, CorpIssuer, corp_issuer, moved, text_of
from tests.redis_server import RedisServer
from tests.running_broker import RunningBroker

ROW = f"issuer-keys/{NAME}"
DAY = 24 * 3600
ALARM = f"the row {ROW} was altered, or made by somebody else; it counts as absent"


class StoreWriter:
    """Writes sealed rows behind the broker's back."""

    def __init__(self, folder: Path, redis: RedisServer | None) -> None:
        self._folder = folder
        self._redis = redis

    def put(self, content: bytes, name: str = ROW) -> None:
        if self._redis is not None:
            self._redis.command("HSET", redis_keys.SEALED, name, content)
            self._redis.command("HINCRBY", redis_keys.STATE, redis_keys.EPOCH, 1)
            return
        # The broker's own library: another one in this process would take its locks from it.
        with closing(apsw.Connection(str(self._folder / "broker.db"))) as database, database:
            database.set_busy_timeout(10_000)
            database.execute("INSERT OR REPLACE INTO sealed VALUES (?, ?)", (name, content))
            database.execute("UPDATE state SET epoch = epoch + 1")


@pytest.fixture(params=["sqlite", "redis"])
def redis_or_none(request: pytest.FixtureRequest) -> RedisServer | None:
    if request.param == "sqlite":
        return None
    found: RedisServer = request.getfixturevalue("redis")
    return found


@pytest.fixture
def writer(tmp_path: Path, redis_or_none: RedisServer | None) -> StoreWriter:
    return StoreWriter(tmp_path, redis_or_none)


@pytest.fixture
def issuer(tmp_path: Path, redis_or_none: RedisServer | None) -> Iterator[CorpIssuer]:
    """An issuer that was never asked for, and is away."""
    with corp_issuer(tmp_path, redis_or_none) as issuer:
        issuer.away()
        yield issuer


def master_key(broker: RunningBroker) -> MasterKey:
    """The broker's own, to make rows that the attacker could only have copied."""
    file = broker.folder / "master.key"
    return MasterKey.from_text(file.read_text().strip(), str(file))


def sealed(issuer: CorpIssuer, *names: str, ago: float = 0, of: str = NAME) -> bytes:
    """What the broker itself would have kept so long ago, of this issuer or of another."""
    kept = KeptKeys(text_of(*names), issuer.broker.clock.now() - ago)
    plain = written(moved(issuer.configured(), of), kept)
    return SealedBox(master_key(issuer.broker)).seal(f"issuer-keys/{of}", plain)


def test_a_row_that_the_broker_could_have_made_would_count(
    issuer: CorpIssuer, writer: StoreWriter
) -> None:
    """What the others are held against: it is the seal that stops them, and nothing else."""
    writer.put(sealed(issuer, "theirs"))

    assert issuer.outcome("theirs") == "ok"


def test_planted_keys_verify_nothing_and_alarm(issuer: CorpIssuer, writer: StoreWriter) -> None:
    kept = KeptKeys(text_of("theirs"), issuer.broker.clock.now())
    plain = written(issuer.configured(), kept)
    for content in (
        plain,
        text_of("theirs"),
        SealedBox(MasterKey(bytes(32))).seal(ROW, plain),
        b"",
        b"\x80\x04\x95c__builtin__\neval\n.",
    ):
        writer.put(content)
        issuer.broker.clock.advance(31)
        LOG.clear()
        assert issuer.outcome("theirs") == "issuer_unavailable"
        assert ALARM in LOG.text()

    # They stop nobody either: the next good fetch takes their place.
    issuer.publish("first")
    issuer.broker.clock.advance(31)
    assert [issuer.outcome(name) for name in ("first", "theirs")] == ["ok", "key_not_found"]
    issuer.away()
    issuer.broker.restart()
    assert issuer.outcome("first") == "ok"


def test_a_bit_that_is_turned_is_noticed(issuer: CorpIssuer, writer: StoreWriter) -> None:
    good = sealed(issuer, "first")
    for place in (0, len(good) // 2, len(good) - 1):
        writer.put(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        issuer.broker.clock.advance(31)
        LOG.clear()
        assert issuer.outcome("first") == "issuer_unavailable"
        assert ALARM in LOG.text()


def test_the_keys_of_another_issuer_are_not_taken_over(
    issuer: CorpIssuer, writer: StoreWriter
) -> None:
    """Who runs one trusted issuer signs in the name of another (attacks rows 21 and 22)."""
    writer.put(sealed(issuer, "theirs", of="gitlab"))

    assert issuer.outcome("theirs") == "issuer_unavailable"
    assert ALARM in LOG.text()


def test_keys_of_an_issuer_before_its_url_was_changed_do_not_count(
    issuer: CorpIssuer, writer: StoreWriter
) -> None:
    before = sealed(issuer, "first")
    octo = issuer.broker.folder / "policies" / "octo.yaml"
    octo.write_text(octo.read_text().replace(issuer.publisher.url, "http://127.0.0.1:9"))
    issuer.broker.reload(forced=True)
    writer.put(before)

    assert issuer.outcome("first") == "issuer_unavailable"


def test_a_row_that_is_put_back_revives_no_withdrawn_key_while_the_broker_runs(
    issuer: CorpIssuer, writer: StoreWriter
) -> None:
    before = sealed(issuer, "withdrawn", ago=60)
    issuer.publish("first")
    assert issuer.outcome("first") == "ok"
    issuer.away()

    writer.put(before)
    issuer.broker.clock.advance(31)

    assert issuer.outcome("withdrawn") == "issuer_unavailable"
    assert issuer.outcome("first") == "ok"


def test_a_row_that_is_put_back_counts_no_longer_than_it_would_have(
    issuer: CorpIssuer, writer: StoreWriter
) -> None:
    """No seal shows that a row is an old one of its own; its time lies under the seal."""
    writer.put(sealed(issuer, "first", ago=DAY))
    assert issuer.outcome("first") == "issuer_unavailable"

    writer.put(sealed(issuer, "first", ago=DAY - 60))
    issuer.broker.clock.advance(31)
    assert issuer.outcome("first") == "ok"
    issuer.broker.clock.advance(30)
    assert issuer.outcome("first") == "issuer_unavailable"


def test_a_row_from_the_future_does_not_count(issuer: CorpIssuer, writer: StoreWriter) -> None:
    """Copied while a broker's clock was ahead, it would count for longer than a day."""
    writer.put(sealed(issuer, "first", ago=-3600))

    assert issuer.outcome("first") == "issuer_unavailable"
