"""A span for each request: what it says, and to whom it belongs."""

import time
from pathlib import Path

import pytest

from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker
from tests.traces.collector import Collector, attributes_of

SERVER, FAILED = 2, 2
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_an_exchange_is_a_span_with_its_decision(
    broker: RunningBroker, collector: Collector
) -> None:
    before = time.time_ns()
    answer = broker.exchange(broker.github_token())
    [span] = collector.wait_for(1)

    [event] = broker.decisions()
    assert (span.name, span.kind) == ("POST /oauth/token", SERVER)
    assert attributes_of(span) == {
        "http.request.method": "POST",
        "http.route": "/oauth/token",
        "http.response.status_code": 200,
        "broker.request_id": answer.headers["x-request-id"],
        "broker.outcome": "success",
        "broker.decision_id": event["id"],
    }
    assert before <= span.start_time_unix_nano < span.end_time_unix_nano < time.time_ns()
    assert (span.parent_span_id, span.status.code) == (b"", 0)


def test_a_refusal_has_the_reason_on_record(broker: RunningBroker, collector: Collector) -> None:
    answer = broker.exchange("nonsense")
    [span] = collector.wait_for(1)

    found = attributes_of(span)
    assert (found["broker.outcome"], found["broker.reason"]) == ("refused", "malformed_token")
    assert found["broker.decision_id"] == answer.json()["decision_id"]
    assert (found["http.response.status_code"], span.status.code) == (400, 0)
    assert "error.type" not in found


def test_an_issuer_that_is_away_is_an_error(broker: RunningBroker, collector: Collector) -> None:
    broker.issuer_servers["github"].status = 500
    broker.exchange(broker.github_token())
    [span] = collector.wait_for(1)

    found = attributes_of(span)
    assert (found["broker.outcome"], found["broker.reason"]) == ("error", "issuer_unavailable")
    assert (found["error.type"], span.status.code) == ("503", FAILED)


def test_what_is_no_oauth_has_a_route_and_no_outcome(
    broker: RunningBroker, collector: Collector
) -> None:
    broker.request("GET", "/api/v1/service-accounts/some-account")
    [span] = collector.wait_for(1)

    found = attributes_of(span)
    assert span.name == "GET /api/v1/service-accounts/{client_id}"
    assert (found["http.response.status_code"], "broker.outcome" in found) == (401, False)


def test_a_method_and_a_path_that_are_not_known_are_not_repeated(
    broker: RunningBroker, collector: Collector
) -> None:
    broker.request("PROPFIND", "/secret-path?secret=query")
    [span] = collector.wait_for(1)

    assert span.name == "HTTP"
    assert attributes_of(span)["http.request.method"] == "_OTHER"
    assert b"ecret" not in b"".join(collector.bodies)
    assert b"PROPFIND" not in b"".join(collector.bodies)


def test_the_trace_of_the_caller_goes_on(broker: RunningBroker, collector: Collector) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=words"}
    broker.request("GET", "/healthz", headers=headers)
    [span] = collector.wait_for(1)

    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.trace_state == ""


def test_who_does_not_want_its_trace_sampled_has_it_so(
    broker: RunningBroker, collector: Collector
) -> None:
    broker.request("GET", "/healthz", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    broker.request("GET", "/readyz")

    assert [each.name for each in collector.wait_for(1)] == ["GET /readyz"]


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", f"00-{TRACE}-{PARENT}-01"), ("traceparent", f"00-{TRACE}-{PARENT}-01")],
        [("traceparent", f"ff-{TRACE}-{PARENT}-01")],
        [("traceparent", f"00-{'0' * 32}-{PARENT}-01")],
        [("traceparent", f"00-{TRACE.upper()}-{PARENT}-01")],
        [("traceparent", f"01-{TRACE}-{PARENT}-01-{'x' * 5000}")],
        [("traceparent", "")],
        [("traceparent", "\xff")],
    ],
)
def test_a_parent_that_is_none_begins_a_trace(
    broker: RunningBroker, collector: Collector, headers: list[tuple[str, str]]
) -> None:
    encoded = [(name, value.encode("latin-1")) for name, value in headers]
    broker.request("GET", "/healthz", headers=encoded)
    [span] = collector.wait_for(1)

    assert (span.parent_span_id, span.trace_id.hex() == TRACE) == (b"", False)


def test_the_spans_say_whose_they_are(
    broker: RunningBroker, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.request("GET", "/healthz")
    collector.wait_for(1)

    [resource] = collector.resources()
    assert resource["service.name"] == "ci-token-broker"
    assert resource.keys() == {"service.name", "service.version", "service.instance.id"}
    [(path, head)] = collector.heads
    assert (path, head["content-type"]) == ("/v1/traces", "application/x-protobuf")


def test_the_standard_variables_have_their_say(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "tokens")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20of-the-collector")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    with special_broker(tmp_path, traces_endpoint=collector.endpoint) as broker:
        broker.request("GET", "/healthz", headers=headers)

    [span] = collector.wait_for(1)
    assert span.parent_span_id.hex() == PARENT
    [resource] = collector.resources()
    assert resource["service.name"] == "tokens"
    assert resource["deployment.environment.name"] == "lab"
    [(_, head)] = collector.heads
    assert head["authorization"] == "Bearer of-the-collector"


def test_without_a_word_one_trace_in_ten_is_sampled_and_every_one_that_its_caller_samples(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_TRACES_SAMPLER")
    with special_broker(tmp_path, traces_endpoint=collector.endpoint) as broker:
        for number in range(300):
            broker.request("GET", "/healthz")
            if number % 30 == 0:
                headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
                broker.request("GET", "/openapi.json", headers=headers)

    names = [each.name for each in collector.spans()]
    assert names.count("GET /openapi.json") == 10
    # Beyond six deviations it is no chance.
    assert 0 < names.count("GET /healthz") < 70
