"""docs/reference/capacity.md: every number follows from one that was measured or configured."""

import json
import re
from pathlib import Path

import pytest

from broker.core.redis_address import read_redis_address
from broker.settings import keys
from tests.deploy import test_compose_redis
from tests.deploy.test_kubernetes import one
from tests.deploy.test_kubernetes_redis import redis_settings
from tests.docs.markdown import Page, rows
from tests.redis_server import RedisServer
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

PAGE = Page("docs/reference/capacity.md")
MEASURED = Page("docs/performance.md").text
VERIFIED = Page("docs/reference/http.md").text

DAY = 86_400
JOBS = (10_000, 100_000, 1_000_000)
PEAK = 10
HALF = 0.5
EVENT_BYTES, LINE_BYTES = 4300, 2060
BACKED_UP_PER_SECOND = 10_000


def measured(row: str) -> int:
    """Give the median of a row of the table of exchanges, in µs."""
    [median] = re.findall(rf"^\| {re.escape(row)} \| (\d+) \|", MEASURED, re.MULTILINE)[:1]
    return int(median)


RS256, ES256 = measured("exchange, RS256"), measured("exchange, ES256")
[RESIDENT] = re.findall(r"A worker has (\d+ MB resident)", MEASURED)
RETENTION_DAYS = keys.RETENTION.default // DAY


def figure(number: float) -> str:
    """Write two digits that count."""
    rounded = float(f"{number:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def size(number: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= factor:
            return f"{figure(number / factor)} {unit}"
    raise AssertionError(number)


def demand(jobs: int) -> list[str]:
    peak = jobs / DAY * PEAK
    return [
        f"{jobs:,}",
        figure(jobs / DAY),
        figure(peak),
        f"{figure(peak * RS256 / 1e4)} %",
        f"{figure(peak * ES256 / 1e4)} %",
        size(jobs * EVENT_BYTES),
        size(jobs * EVENT_BYTES * RETENTION_DAYS),
        size(jobs * LINE_BYTES),
        f"{figure(jobs * RETENTION_DAYS / BACKED_UP_PER_SECOND / 60)} min",
    ]


def limits() -> list[int]:
    """Give the jobs a day at which each thing is reached, in the order of the page."""
    client, address = keys.CLIENT_LIMIT.default, keys.ADDRESS_LIMIT.default
    assert client is not None
    assert address is not None
    storage = one("PersistentVolumeClaim", "ci-token-broker-data")["spec"]["resources"]
    volume = int(storage["requests"]["storage"].removesuffix("Gi")) * 2**30
    assert "some two million events" in VERIFIED
    assert "among 5,000,000 events" in MEASURED
    return [
        2_000_000 // RETENTION_DAYS,
        volume // EVENT_BYTES // RETENTION_DAYS,
        5_000_000 // RETENTION_DAYS,
        int(client.requests / client.seconds / PEAK * DAY),
        int(address.requests / address.seconds / PEAK * DAY),
        int(HALF * 1e6 / RS256 / PEAK * DAY),
    ]


REDIS_BYTES, LOG_BYTES, START_MICROSECONDS = 2900, 2400, 30
SHORT_DAYS = 7


def redis_demand(jobs: int) -> list[str]:
    return [
        f"{jobs:,}",
        size(jobs * REDIS_BYTES * RETENTION_DAYS),
        size(jobs * REDIS_BYTES * SHORT_DAYS),
        size(jobs * LOG_BYTES),
        f"{figure(jobs * SHORT_DAYS * START_MICROSECONDS / 1e6)} s",
    ]


def redis_limits() -> list[str]:
    """Give the jobs a day at which each thing is reached on Redis, in the order of the page."""
    command = test_compose_redis.REDIS["command"]
    given = command[command.index("--maxmemory") + 1], redis_settings()["maxmemory"]
    full = [int(each.removesuffix("gb")) * 2**30 / REDIS_BYTES / RETENTION_DAYS for each in given]
    [server_cpu] = re.findall(r"The server itself takes \d+ to (\d+) µs", MEASURED)
    assert f"{server_cpu} µs for an exchange" in PAGE.section("On Redis")
    assert "takes a minute" in PAGE.section("On Redis")
    return [
        *map(figure, full),
        figure(60e6 / START_MICROSECONDS / RETENTION_DAYS),
        "as above",
        figure(HALF * 1e6 / int(server_cpu) / PEAK * DAY),
    ]


def test_what_redis_needs_follows_from_the_measured_figures() -> None:
    section = PAGE.section("On Redis")
    needed, _ = section.split("So a million jobs")
    measured_bytes, measured_log = re.findall(
        r"([\d,]+) bytes of memory for each, ([\d,]+) of", MEASURED
    )[0]

    assert rows(needed) == [redis_demand(jobs) for jobs in JOBS]
    assert figure(float(measured_bytes.replace(",", ""))) == f"{REDIS_BYTES:,}"
    assert figure(float(measured_log.replace(",", ""))) == f"{LOG_BYTES:,}"
    for told in (f"{REDIS_BYTES:,} bytes", f"{LOG_BYTES:,} bytes", f"{START_MICROSECONDS} µs"):
        assert told in section
    assert f"{REDIS_BYTES / 1000:.0f} kB for each exchange" in Page("docs/reference/redis.md").text


def test_what_breaks_first_on_redis_follows_from_the_figures_and_the_files() -> None:
    _, broken = PAGE.section("On Redis").split("So a million jobs")

    assert [row[1] for row in rows(broken)] == redis_limits()


def test_an_exchange_takes_as_much_of_redis_as_the_page_says(
    tmp_path: Path, redis: RedisServer
) -> None:
    exchanges = 300
    with special_broker(tmp_path, store=read_redis_address(redis.url)) as broker:
        # What the first ones bring with them is there once.
        for _ in range(20):
            assert broker.exchange(broker.github_token()).status_code == 200
        before = held(redis)
        for _ in range(exchanges):
            assert broker.exchange(broker.github_token()).status_code == 200
        grown = held(redis) - before

    # By the clock that is held, no token has expired yet: its spending takes some more.
    assert grown / exchanges == pytest.approx(REDIS_BYTES, rel=0.15)


def held(server: RedisServer) -> int:
    [used] = re.findall(r"^used_memory_dataset:(\d+)", server.command("INFO"), re.MULTILINE)
    return int(used)


def test_the_demand_follows_from_the_measured_figures() -> None:
    assert rows(PAGE.section("What jobs need")) == [demand(jobs) for jobs in JOBS]


def test_what_breaks_first_follows_from_the_figures_and_the_defaults() -> None:
    table = rows(PAGE.section("What breaks first"))
    reached = limits()

    assert [row[1] for row in table] == [figure(jobs) for jobs in reached]
    assert reached == sorted(reached)


def test_the_page_names_what_it_counts_with() -> None:
    for told in (
        f"{RS256} µs",
        f"{ES256} µs",
        f"{EVENT_BYTES:,} bytes",
        f"{LINE_BYTES:,} bytes",
        f"{RETENTION_DAYS} days",
        "ten times the average",
        f"{BACKED_UP_PER_SECOND:,} events a second",
        RESIDENT,
    ):
        assert told in PAGE.text


def test_an_exchange_takes_as_much_of_the_disk_as_the_page_says(tmp_path: Path) -> None:
    exchanges = 100
    with RunningBroker(tmp_path).serving() as broker:
        for _ in range(exchanges):
            assert broker.exchange(broker.github_token()).status_code == 200
        lines = [json.dumps(event, separators=(",", ":")) for event in broker.decisions()]
    # The tables and the keys take 131,072 bytes before the first exchange.
    grown = (tmp_path / "broker.db").stat().st_size - 131_072

    assert len(lines) == exchanges
    assert grown / exchanges == pytest.approx(EVENT_BYTES, rel=0.1)
    assert sum(map(len, lines)) / exchanges == pytest.approx(LINE_BYTES, rel=0.05)
