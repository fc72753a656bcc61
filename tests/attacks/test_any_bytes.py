"""Whatever arrives, the broker answers: never with a fault of its own, and never not at all."""

import json
import math
import re
import socket
from typing import Final
from urllib.parse import quote_from_bytes, urlsplit

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.vocabulary import GRANT_JWT_BEARER, GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.testing import gitlab_claims
from tests.running_broker import AUDIENCE, RunningBroker

FORM: Final = "application/x-www-form-urlencoded"
PATHS: Final = ["/oauth/token", "/api/v1/auth/token"]
CONTENT_TYPES: Final = [
    None,
    FORM,
    f"{FORM}; charset=utf-8",
    f"{FORM}; charset=utf-16",
    "application/json",
    "application/json; charset=utf-8",
    "multipart/form-data; boundary=x",
    "text/plain",
    ";",
]
# Those that the broker or its server reads; the framing of HTTP itself is left alone.
HEADERS: Final = [
    "accept", "accept-encoding", "authorization", "cache-control", "content-encoding",
    "content-type", "cookie", "expect", "forwarded", "host", "if-none-match", "origin", "range",
    "traceparent", "upgrade", "user-agent", "x-forwarded-for", "x-forwarded-proto", "x-request-id",
]  # fmt: skip
STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
SECONDS: Final = 5
"""Longer than this is as good as never."""

examples = settings(max_examples=120, deadline=None)

words = st.sampled_from([
    *gitlab_claims(), "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "grant_type", "scope",
    "subject_token", "subject_token_type", "assertion", "audience", "resource", "expires_in",
    "client_id", GRANT_TOKEN_EXCHANGE, GRANT_JWT_BEARER, TOKEN_TYPE_JWT, AUDIENCE, "deploy-api",
    "*", "\ud800",
])  # fmt: skip
numbers = (
    st.integers()
    | st.integers(0, 60).map(lambda exponent: 10**exponent)
    | st.floats()
    | st.sampled_from([10**400, -(2**63), math.inf])
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words | st.text(max_size=40),
    lambda values: (
        st.lists(values, max_size=4)
        | st.dictionaries(words | st.text(max_size=10), values, max_size=4)
    ),
    max_leaves=12,
)


def assert_answered(response: httpx.Response) -> None:
    """Assert that a request was refused or served, and says which decision it was."""
    assert response.status_code < 500, response.text
    if response.status_code != 200:
        assert response.json()["decision_id"]


def form_of(token: bytes) -> bytes:
    return (
        f"grant_type={quote_from_bytes(GRANT_TOKEN_EXCHANGE.encode())}"
        f"&subject_token_type={TOKEN_TYPE_JWT}&subject_token={quote_from_bytes(token)}"
    ).encode()


def post(broker: RunningBroker, path: str, body: bytes, content_type: str | None) -> httpx.Response:
    headers = {} if content_type is None else {"content-type": content_type}
    return broker.request("POST", path, content=body, headers=headers, timeout=SECONDS)


def statuses(broker: RunningBroker, request: bytes) -> list[int]:
    """Send these bytes alone and give the status of whatever comes back until the end."""
    port = urlsplit(broker.url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return [int(status) for status in STATUS_LINE.findall(answer)]


@examples
@given(token=st.binary(max_size=100), times=st.sampled_from([1, 2, 165, 700]))
def test_any_bytes_as_a_token_are_answered(
    live_broker: RunningBroker, token: bytes, times: int
) -> None:
    assert_answered(post(live_broker, "/oauth/token", form_of(token * times), FORM))


@examples
@given(parts=st.lists(st.text("ABab01-_=.", max_size=20), max_size=5))
def test_anything_like_a_token_is_answered(live_broker: RunningBroker, parts: list[str]) -> None:
    assert_answered(live_broker.exchange(".".join(parts)))


@examples
@given(header=json_values, payload=json_values)
def test_any_json_under_a_good_signature_is_answered(
    live_broker: RunningBroker, header: object, payload: object
) -> None:
    issuer = live_broker.github
    honest = {"alg": "RS256", "kid": issuer.key_id}
    members = {**header, **honest} if isinstance(header, dict) else honest
    token = issuer.token(
        {},
        audience=AUDIENCE,
        header=json.dumps(members).encode(),
        payload=json.dumps(payload).encode(),
    )

    assert_answered(live_broker.exchange(token))


@examples
@given(changes=st.dictionaries(words, json_values, max_size=3))
def test_any_claims_under_a_good_signature_are_answered(
    live_broker: RunningBroker, changes: dict[str, object]
) -> None:
    token = live_broker.gitlab.token(gitlab_claims() | changes, audience=AUDIENCE)

    assert_answered(live_broker.exchange(token))


@examples
@given(
    path=st.sampled_from(PATHS),
    body=st.binary(max_size=400),
    content_type=st.sampled_from(CONTENT_TYPES),
)
def test_any_bytes_as_a_body_are_answered(
    live_broker: RunningBroker, path: str, body: bytes, content_type: str | None
) -> None:
    assert_answered(post(live_broker, path, body, content_type))


@examples
@given(
    pairs=st.lists(
        st.tuples(words | st.text(max_size=10), words | st.text(max_size=40)), max_size=8
    )
)
def test_any_parameters_are_answered(
    live_broker: RunningBroker, pairs: list[tuple[str, str]]
) -> None:
    text = "&".join(
        f"{quote_from_bytes(name.encode(errors='surrogatepass'))}"
        f"={quote_from_bytes(value.encode(errors='surrogatepass'))}"
        for name, value in pairs
    )

    assert_answered(post(live_broker, "/oauth/token", text.encode(), FORM))


@examples
@given(members=json_values, present=st.booleans())
def test_any_json_as_a_body_is_answered(
    live_broker: RunningBroker, members: object, present: bool
) -> None:
    if present and isinstance(members, dict):
        token = live_broker.github_token()
        members = {"grant_type": GRANT_JWT_BEARER, "assertion": token, **members}
    body = json.dumps(members).encode()

    assert_answered(post(live_broker, "/api/v1/auth/token", body, "application/json"))


@examples
@given(
    path=st.sampled_from([*PATHS, "/.well-known/jwks.json", "/healthz", "/readyz"]),
    headers=st.lists(
        st.tuples(
            st.sampled_from(HEADERS),
            st.binary(max_size=60).map(lambda value: value.translate(None, b"\r\n")),
        ),
        max_size=6,
    ),
)
def test_any_header_values_are_answered(
    live_broker: RunningBroker, path: str, headers: list[tuple[str, bytes]]
) -> None:
    body = form_of(live_broker.github_token().encode())
    method = "POST" if path in PATHS else "GET"
    lines = [f"{method} {path} HTTP/1.1".encode(), b"connection: close"]
    lines += [name.encode() + b": " + value for name, value in headers]
    if method == "POST":
        lines += [b"content-length: %d" % len(body)]
    if method == "POST" and "content-type" not in dict(headers):
        lines += [b"content-type: " + FORM.encode()]
    request = b"\r\n".join([*lines, b"", b""]) + (body if method == "POST" else b"")

    found = statuses(live_broker, request)

    assert found
    assert all(status < 500 for status in found)


@examples
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"]),
    target=st.sampled_from([*PATHS, "*", "//", "/oauth/token/", "http://evil.example/", "/%00"])
    | st.binary(min_size=1, max_size=30).map(lambda path: "/" + quote_from_bytes(path)),
)
def test_any_method_and_target_are_answered(
    live_broker: RunningBroker, method: str, target: str
) -> None:
    request = f"{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()

    found = statuses(live_broker, request)

    assert found
    assert all(status < 500 for status in found)


@examples
@given(request=st.binary(min_size=1, max_size=200).filter(lambda each: each.strip(b"\r\n")))
def test_what_is_no_request_is_not_served(live_broker: RunningBroker, request: bytes) -> None:
    assert all(400 <= status < 500 for status in statuses(live_broker, request + b"\r\n\r\n\r\n"))


def test_the_broker_serves_on_after_all_of_it(live_broker: RunningBroker) -> None:
    assert live_broker.exchange(live_broker.github_token()).status_code == 200
