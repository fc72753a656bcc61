"""`/openapi.json` describes every endpoint there is, and no other."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from jsonschema import Draft202012Validator

from broker.core.broker_service import BROKER_SCOPES
from broker.http.api.audit_logs import FILTERS
from broker.http.api.endpoint import ApiEndpoint, ByMethod
from broker.http.health import Readiness
from broker.http.oauth_endpoint import OAuthEndpoint
from broker.http.openapi.document import operations_of
from broker.http.openapi.operations import OPERATIONS
from broker.http.openapi.schemas import SCHEMAS
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from broker.http.middleware import RequestEdge


def routes_of(broker: RunningBroker) -> list[Any]:
    assert broker._broker is not None
    edge = cast("RequestEdge", broker._broker.app)
    return list(cast("Starlette", edge._app).routes)


def described(broker: RunningBroker, path: str = "/openapi.json") -> dict[str, Any]:
    answer = broker.request("GET", path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = answer.json()
    return document


@pytest.fixture(scope="module")
def below_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), path="/ci/broker") as broker:
        yield broker


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_endpoint_is_described_and_nothing_else_is(live_broker: RunningBroker) -> None:
    served = {(method, route.path) for method, route in operations_of(routes_of(live_broker))}

    assert operations(described(live_broker)).keys() == served == OPERATIONS.keys()


def test_every_route_takes_the_methods_that_are_described(live_broker: RunningBroker) -> None:
    for method, path in operations(described(live_broker)):
        asked = path.replace("{client_id}", "deploy-web").replace("{secret_id}", "s-1")
        asked = asked.replace("{decision_id}", "01a20b88-c550-7c2b-869f-de7a5e664017")
        assert live_broker.request(method, asked).status_code not in {404, 405}


def test_the_scopes_are_those_that_the_endpoints_ask_for(live_broker: RunningBroker) -> None:
    found = operations(described(live_broker))
    for method, route in operations_of(routes_of(live_broker)):
        wanted = found[method, route.path]["security"]
        endpoint = route.endpoint
        if isinstance(endpoint, ByMethod):
            endpoint = endpoint.endpoints[method]
        if isinstance(endpoint, ApiEndpoint):
            scopes = [each["broker"][0] for each in wanted]
            assert scopes[0] == endpoint.scope
            assert set(scopes) <= BROKER_SCOPES.keys()
        elif isinstance(endpoint, OAuthEndpoint):
            assert wanted == [{}, {"client": []}]
        elif isinstance(endpoint, Readiness):
            assert wanted == [{}, {"broker": ["broker:metrics:read"]}]
        else:
            assert wanted == []


def test_each_kind_of_credentials_is_described(live_broker: RunningBroker) -> None:
    schemes = described(live_broker)["components"]["securitySchemes"]

    assert {name: each["scheme"] for name, each in schemes.items()} == {
        "broker": "bearer",
        "client": "basic",
    }
    assert "API key" in schemes["broker"]["description"]


def test_a_body_of_another_media_type_is_refused_as_described(live_broker: RunningBroker) -> None:
    found = operations(described(live_broker))["POST", "/api/v1/service-accounts"]

    assert found["responses"]["415"]["content"].keys() == {"application/problem+json"}


def test_every_name_is_used_and_every_reference_leads_somewhere(live_broker: RunningBroker) -> None:
    text = json.dumps(described(live_broker))

    assert {name for name in SCHEMAS if f'"#/components/schemas/{name}"' not in text} == set()
    identifiers = [each["operationId"] for each in operations(json.loads(text)).values()]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_shape_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_filter_of_the_audit_is_described(live_broker: RunningBroker) -> None:
    listing = operations(described(live_broker))["GET", "/api/v1/audit-logs"]

    names = [each["name"] for each in listing["parameters"]]
    assert names == [*FILTERS, "cursor", "limit"]


def test_the_events_on_record_are_of_the_shape(live_broker: RunningBroker) -> None:
    schema = SCHEMAS["AuditEvent"]["anyOf"][0]
    assert live_broker.exchange(live_broker.github_token()).status_code == 200
    for event in live_broker.events():
        Draft202012Validator(schema).validate(event)
        assert event.keys() <= schema["properties"].keys()


def test_it_is_served_below_the_path_of_the_issuer_too(below_a_path: RunningBroker) -> None:
    document = described(below_a_path, "/ci/broker/openapi.json")

    assert document["servers"] == [{"url": f"{below_a_path.url}/ci/broker"}]
    assert described(below_a_path) == document


def test_it_is_cached_by_its_tag(live_broker: RunningBroker) -> None:
    tag = live_broker.request("GET", "/openapi.json").headers["etag"]

    answer = live_broker.request("GET", "/openapi.json", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_it_tells_nobody_which_version_runs(live_broker: RunningBroker) -> None:
    assert described(live_broker)["info"]["version"] == "1"
