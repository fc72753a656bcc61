"""A collector, and a broker that traces to it without much delay."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker
from tests.traces.collector import Collector, collecting


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every span leave, and soon."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "30")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_on")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def broker(collector: Collector, tmp_path: Path, soon: None) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, traces_endpoint=collector.endpoint) as running:
        yield running
