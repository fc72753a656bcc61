"""docs/reference/http.md and the endpoints of a running broker say the same."""

import re
from typing import TYPE_CHECKING, Any, cast

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from broker.core.access_token import MAX_TOKEN_BYTES as MAX_SERVICE_TOKEN_BYTES
from broker.core.json_text import MAX_DEPTH
from broker.core.subject_token import MAX_JTI_LENGTH, MAX_SUB_LENGTH, MAX_TOKEN_BYTES
from broker.core.vocabulary import TOKEN_TYPE_JWT
from broker.grants.request import MAX_ASKED_BYTES, MAX_CLIENT_ID_LENGTH, MAX_SCOPES
from broker.http.connections import (
    MAX_FRAMING_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
    ConnectionLimits,
)
from broker.http.parameters import BODY_DEADLINE_SECONDS, MAX_BODY_BYTES, MAX_PARAMETERS
from broker.http.token_endpoint import GRANT_TYPES
from tests.docs.markdown import Page, code, rows
from tests.running_broker import RunningBroker

if TYPE_CHECKING:
    from broker.http.middleware import RequestEdge

PAGE = Page("docs/reference/http.md")
DECISION = "01a20b88-c550-7c2b-869f-de7a5e664017"
ENDPOINTS = [code(heading).split() for heading in PAGE.headings(level=3)]


def app_of(broker: RunningBroker) -> Starlette:
    assert broker._broker is not None
    edge = cast("RequestEdge", broker._broker.app)
    return cast("Starlette", edge._app)


def documented(section: str) -> list[str]:
    """Give the names in the first column of the section's tables."""
    cells = [row[0] for row in rows(PAGE.section(section))]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


# The section has two tables: what goes in, and what comes out.
_NAMES = documented("`POST /oauth/token`")
PARAMETERS, ANSWER = (
    _NAMES[: _NAMES.index("access_token")],
    _NAMES[_NAMES.index("access_token") :],
)


def test_every_route_has_a_heading_and_every_heading_is_a_route(live_broker: RunningBroker) -> None:
    routes = [each.path for each in app_of(live_broker).routes if isinstance(each, Route)]

    assert sorted({path for _, path in ENDPOINTS}) == sorted(routes)
    assert len({tuple(each) for each in ENDPOINTS}) == len(ENDPOINTS)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_an_endpoint_takes_its_method_and_no_other(
    live_broker: RunningBroker, method: str, path: str
) -> None:
    taken = {each for each, place in ENDPOINTS if place == path}

    path = path.replace("{decision_id}", DECISION)
    assert live_broker.request(method, path).status_code not in {404, 405}
    for other in {"GET", "POST", "PUT", "PATCH", "DELETE"} - taken:
        assert live_broker.request(other, path).status_code == 405
    # The API asks who calls before it answers anything.
    got = 401 if path.startswith("/api/v1/") else 200
    assert live_broker.request("HEAD", path).status_code == (got if "GET" in taken else 405)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_answer_has_the_headers_that_the_page_names(
    live_broker: RunningBroker, method: str, path: str
) -> None:
    headers = live_broker.request(method, path.replace("{decision_id}", DECISION)).headers

    assert headers.keys() >= {"x-request-id", "x-content-type-options", "referrer-policy"}
    cacheable = "/.well-known/" in path or path == "/openapi.json"
    assert headers["cache-control"] == ("public, max-age=300" if cacheable else "no-store")


def test_the_page_names_every_member_of_a_granted_answer(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(live_broker.github_token()).json()

    assert list(answer) == ANSWER


def test_the_page_names_every_member_of_an_explanation(live_broker: RunningBroker) -> None:
    token = live_broker.github_token(ref="refs/heads/other")
    form = {"subject_token": token, "subject_token_type": TOKEN_TYPE_JWT, "audience": "deploy-api"}

    explanation: dict[str, Any] = live_broker.request("POST", "/oauth/explain", data=form).json()

    assert documented("`POST /oauth/explain`") == list(explanation)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_that_the_page_names_is_read(live_broker: RunningBroker, name: str) -> None:
    token = live_broker.github_token()
    form = {"grant_type": GRANT_TYPES[0], "subject_token": token, "audience": "deploy-api"}
    form |= {"subject_token_type": TOKEN_TYPE_JWT}
    if name == "assertion":
        form["grant_type"] = GRANT_TYPES[1]
    elif name == "resource":
        del form["audience"]

    assert live_broker.post(form | {name: "not:this one"}).status_code == 400


def test_the_page_names_both_grants() -> None:
    assert [grant for grant in GRANT_TYPES if f"`{grant}`" not in PAGE.text] == []


def test_the_limits_are_those_of_the_code() -> None:
    connection_limits = ConnectionLimits()
    limits = {
        "body of a request": f"{MAX_BODY_BYTES:,} bytes",
        "time for the body to arrive": f"{BODY_DEADLINE_SECONDS:g} seconds",
        "parameters in a request": str(MAX_PARAMETERS),
        "CI token": f"{MAX_TOKEN_BYTES:,} bytes",
        "its `jti`": f"{MAX_JTI_LENGTH} characters",
        "its `sub`": f"{MAX_SUB_LENGTH:,} characters",
        "scopes asked for": str(MAX_SCOPES),
        "`scope` as a whole": f"{MAX_ASKED_BYTES:,} bytes",
        "`audience` and `resource` together": f"{MAX_ASKED_BYTES:,} bytes",
        "`client_id`": f"{MAX_CLIENT_ID_LENGTH} characters",
        "depth of JSON": str(MAX_DEPTH),
        "service token": f"{MAX_SERVICE_TOKEN_BYTES:,} bytes",
        "headers of a request": str(MAX_HEADERS),
        "head of a request, or what frames its body": f"{MAX_FRAMING_BYTES:,} bytes",
        "requests sent ahead of an answer": str(MAX_PIPELINED),
        "time for a whole request to arrive, on a kept connection too": (
            f"{connection_limits.request_seconds:g} seconds"
        ),
        "time for an answer to be made and taken": f"{connection_limits.answer_seconds:g} seconds",
        "connections at a time": f"{connection_limits.connections:,}",
    }

    assert {row[0]: row[1] for row in rows(PAGE.section("Limits"))} == limits
