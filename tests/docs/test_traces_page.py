"""docs/reference/traces.md says of spans what the code puts into them."""

import pytest

from broker.http.openapi.operations import OPERATIONS
from broker.settings import tracing
from broker.traces import spans
from tests.docs.markdown import Page, code, rows
from tests.running_broker import RunningBroker
from tests.traces.collector import Collector, attributes_of
from tests.traces.conftest import broker, collector, soon  # noqa: F401 - fixtures

PAGE = Page("docs/reference/traces.md")


def test_every_attribute_has_its_row(
    broker: RunningBroker,  # noqa: F811
    collector: Collector,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker.exchange(broker.github_token())
    broker.issuer_servers["gitlab"].status = 500
    broker.exchange(broker.gitlab_token())

    found = {name for span in collector.wait_for(2) for name in attributes_of(span)}
    assert {code(row[0]) for row in rows(PAGE.section("What a span says"))} == found


def test_the_example_of_a_route_is_one() -> None:
    assert "/api/v1/service-accounts/{client_id}" in {path for _, path in OPERATIONS}


def test_the_variables_and_figures_are_those_of_the_code() -> None:
    for name in (tracing.BASE, tracing.TRACES, tracing.DISABLED, tracing.EXPORTER):
        assert f"`{name}" in PAGE.text
    assert spans.SERVICE in PAGE.text
    assert f"`parentbased_traceidratio` and `{spans.SAMPLED}` by default" in PAGE.text
    assert spans.FLUSH_SECONDS == 3
    assert "three seconds" in PAGE.text
