"""Row 119: a body of another kind, for which a framework may have a parser of its own."""

import gzip
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

FORM = "application/x-www-form-urlencoded"


def parameters_of(broker: RunningBroker) -> dict[str, Any]:
    return {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": broker.github_token(),
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": "deploy-api",
    }


@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        f"{FORM};charset=UTF-8",
        f"{FORM}; charset=utf-8",
        f'{FORM}; charset="UTF-8"',
        "Application/X-WWW-Form-Urlencoded",
    ],
)
def test_a_form_is_a_form_however_it_is_spelled(
    live_broker: RunningBroker, content_type: str
) -> None:
    body = urlencode(parameters_of(live_broker))

    answer = live_broker.request(
        "POST", "/oauth/token", content=body, headers={"content-type": content_type}
    )

    verified(live_broker, answer)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "text/plain; application/x-www-form-urlencoded",
        "application/octet-stream",
        "*/*",
        f"{FORM}; charset=utf-7",
        f"{FORM}; charset=utf-16",
        f"{FORM}; boundary=x",
        f"{FORM}x",
        f"{FORM}, application/json",
        "",
    ],
)
def test_a_form_is_taken_from_no_other_type(live_broker: RunningBroker, content_type: str) -> None:
    body = urlencode(parameters_of(live_broker))

    answer = live_broker.request(
        "POST", "/oauth/token", content=body, headers={"content-type": content_type}
    )

    assert_refused(live_broker, answer, "malformed_request")


def test_a_body_of_no_type_is_refused(live_broker: RunningBroker) -> None:
    answer = live_broker.request("POST", "/oauth/token", content=b"grant_type=x")

    assert "content-type" not in answer.request.headers
    assert_refused(live_broker, answer, "malformed_request")


def test_two_types_are_refused(live_broker: RunningBroker) -> None:
    body = urlencode(parameters_of(live_broker))
    headers = [("content-type", FORM), ("content-type", "application/json")]

    answer = live_broker.request("POST", "/api/v1/auth/token", content=body, headers=headers)

    assert_refused(live_broker, answer, "malformed_request")


def test_multipart_is_refused_unparsed(live_broker: RunningBroker) -> None:
    parts = {name: (None, value) for name, value in parameters_of(live_broker).items()}
    bomb = {f"part-{number}": (None, "x") for number in range(500)}

    for files in (parts, bomb):
        multipart = httpx.Request("POST", live_broker.url, files=files)
        answer = live_broker.request(
            "POST",
            "/oauth/token",
            content=multipart.read(),
            headers={"content-type": multipart.headers["content-type"]},
        )
        assert_refused(live_broker, answer, "malformed_request")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity"])
@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/auth/token"])
def test_a_compressed_body_is_refused_unread(
    live_broker: RunningBroker, path: str, encoding: str
) -> None:
    bomb = gzip.compress(b"grant_type=" + b"x" * 20_000_000)
    assert len(bomb) < 64 * 1024

    answer = live_broker.request(
        "POST", path, content=bomb, headers={"content-type": FORM, "content-encoding": encoding}
    )

    assert_refused(live_broker, answer, "malformed_request")


@pytest.mark.parametrize("encoding", ["gzip", "identity", "x"])
def test_so_is_one_that_only_says_so(live_broker: RunningBroker, encoding: str) -> None:
    body = urlencode(parameters_of(live_broker))

    answer = live_broker.request(
        "POST",
        "/oauth/token",
        content=body,
        headers={"content-type": FORM, "content-encoding": encoding},
    )

    assert_refused(live_broker, answer, "malformed_request")


def test_json_is_taken_at_its_own_place_alone(live_broker: RunningBroker) -> None:
    at_home = live_broker.request("POST", "/api/v1/auth/token", json=parameters_of(live_broker))
    elsewhere = live_broker.request("POST", "/oauth/token", json=parameters_of(live_broker))

    verified(live_broker, at_home)
    assert_refused(live_broker, elsewhere, "malformed_request")


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        '"grant_type=x"',
        "{",
        "{}{}",
        '{"grant_type": null}',
        '{"grant_type": ["a"]}',
        '{"grant_type": {"a": "b"}}',
        '{"grant_type": 7}',
        '{"grant_type": "x", "expires_in": 1.5}',
        '{"grant_type": "x", "expires_in": true}',
        '{"grant_type": "x", "scope": ["deploy:read"]}',
        '{"grant_type": "x", "audience": ["a", 7]}',
        '{"grant_type": "x", "audience": [["a"]]}',
        '{"grant_type": "x", "client_id": "a\\u0000b"}',
        '{"grant_type": "x", "client_id": "\\ud800"}',
        '{"grant_type": "x", "expires_in": NaN}',
        "{'grant_type': 'x'}",
        json.dumps({f"m{number}": "x" for number in range(51)}),
    ],
)
def test_a_json_request_is_a_flat_object_of_texts(live_broker: RunningBroker, body: str) -> None:
    answer = live_broker.request(
        "POST",
        "/api/v1/auth/token",
        content=body,
        headers={"content-type": "application/json"},
    )

    assert_refused(live_broker, answer, "malformed_request")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_a_json_request_is_utf_8(live_broker: RunningBroker, encoding: str) -> None:
    body = json.dumps(parameters_of(live_broker) | {"x": "ü"}, ensure_ascii=False)

    answer = live_broker.request(
        "POST",
        "/api/v1/auth/token",
        content=body.encode(encoding),
        headers={"content-type": "application/json"},
    )

    assert_refused(live_broker, answer, "malformed_request")
