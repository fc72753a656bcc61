"""A collector that is away, slow or leads elsewhere holds up nobody."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.traces import spans
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker
from tests.traces.collector import Collector, collecting


@contextmanager
def silent() -> Iterator[str]:
    """Take connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces"


def nobody() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/v1/traces"


def exchange_often(broker: RunningBroker) -> None:
    for _ in range(20):
        assert broker.exchange(broker.github_token()).status_code == 200


def test_without_a_collector_everything_is_served_and_the_end_comes_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spans, "FLUSH_SECONDS", 0.2)
    with special_broker(tmp_path, traces_endpoint=nobody()) as broker:
        exchange_often(broker)

    assert len(broker.github.url) > 0
    assert any(each.name.startswith("opentelemetry") for each in caplog.records)


def test_a_collector_that_never_answers_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "FLUSH_SECONDS", 0.2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    with silent() as endpoint, special_broker(tmp_path, traces_endpoint=endpoint) as broker:
        exchange_often(broker)


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    held, asked = threading.Event(), threading.Event()
    with collecting() as collector:

        def holding() -> tuple[int, dict[str, str]]:
            asked.set()
            held.wait(60)
            return 200, {}

        collector.answer = holding
        with special_broker(tmp_path, traces_endpoint=collector.endpoint) as broker:
            broker.request("GET", "/healthz")
            assert asked.wait(60)
            for _ in range(100):
                broker.request("GET", "/readyz")
            held.set()

        names = [each.name for each in collector.spans()]
    assert (names.count("GET /healthz"), names.count("GET /readyz")) == (1, 16)


def test_what_waits_at_the_end_is_handed_over(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    with special_broker(tmp_path, traces_endpoint=collector.endpoint) as broker:
        exchange_often(broker)
        assert collector.spans() == []

    assert len(collector.spans()) == 20


def test_a_collector_that_redirects_is_not_followed(
    collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting() as other:
        collector.answer = lambda: (307, {"location": other.endpoint})
        with special_broker(tmp_path, traces_endpoint=collector.endpoint) as broker:
            broker.request("GET", "/healthz")

    assert (len(collector.heads), len(other.heads)) == (1, 0)
    assert "the collector redirects" in caplog.text


def test_no_proxy_of_the_environment_is_used(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with special_broker(tmp_path, traces_endpoint=collector.endpoint) as broker:
            broker.request("GET", "/healthz")

    assert (len(collector.heads), len(proxy.heads)) == (1, 0)
