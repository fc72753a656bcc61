"""Every worker exports its own spans, those of its last requests included."""

from pathlib import Path

import pytest

from tests.traces.collector import collecting
from tests.workers.several_workers import a_home, connections, form, several_workers


def test_each_worker_exports_its_spans_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    home = a_home(tmp_path)
    with collecting() as collector:
        with (home / "broker.yaml").open("a") as settings:
            settings.write(f"otel: {{endpoint: '{collector.url}'}}\n")
        with several_workers(home) as broker:
            with connections(broker.url) as clients:
                for client in clients:
                    assert client.post("/oauth/token", data=form()).status_code == 200
                served = len(clients)
            assert broker.stop() == 0

        exchanges = [each for each in collector.spans() if each.name == "POST /oauth/token"]
        resources = collector.resources()
    assert len(exchanges) == served
    assert {each["broker.worker"] for each in resources} == {0, 1}
    assert len({each["service.instance.id"] for each in resources}) == 2
