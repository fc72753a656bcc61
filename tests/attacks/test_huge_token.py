"""Row 35: a body or a token of megabytes, to keep the broker busy decoding and parsing."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from tests.attacks.refusals import LOG, assert_refused
from tests.raw_http import send_raw
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

MAX_BODY = 64 * 1024
MAX_TOKEN = 16 * 1024
FORM = {"content-type": "application/x-www-form-urlencoded"}


def form_of(token: str, size: int) -> bytes:
    """A form of exactly this many bytes, filled up with a parameter that nobody knows."""
    form = urlencode(
        {
            "grant_type": GRANT_TOKEN_EXCHANGE,
            "subject_token": token,
            "subject_token_type": TOKEN_TYPE_JWT,
            "audience": "deploy-api",
            "filler": "",
        }
    )
    return form.encode() + b"x" * (size - len(form))


def token_of(broker: RunningBroker, size: int) -> str:
    """A good token of exactly this many characters."""
    for thumbprint in ("", "x", "xx", "xxx", "xxxx"):
        filler = size * 3 // 4 - 1500
        while True:
            token = broker.github_token(header={"x5t": thumbprint}, workflow="w" * filler)
            if len(token) >= size:
                break
            filler += max(1, (size - len(token)) * 3 // 4)
        if len(token) == size:
            return token
    raise AssertionError("no token of this size")


def test_a_body_of_five_megabytes_is_refused_unread(live_broker: RunningBroker) -> None:
    answer = live_broker.post({"subject_token": "A" * 5_000_000})

    event = assert_refused(live_broker, answer, "malformed_request", status=413)
    assert event["client_address"] == "127.0.0.1"


@pytest.mark.parametrize(("zeros", "size", "status"), [(5000, 5, 400), (60_000, MAX_BODY + 1, 413)])
@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/auth/token"])
def test_a_length_with_thousands_of_zeros_is_no_fault_of_the_broker(
    live_broker: RunningBroker, path: str, zeros: int, size: int, status: int
) -> None:
    head = [
        f"POST {path} HTTP/1.1",
        "Host: broker.example",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {'0' * zeros}{size}",
        "Connection: close",
    ]

    answer = send_raw(live_broker, "\r\n".join([*head, "", "a=b&c"]).encode())

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b'"malformed_request"' in answer
    assert "Traceback" not in LOG.text()


def test_the_body_is_bounded_whatever_size_it_states(live_broker: RunningBroker) -> None:
    def endless() -> Iterator[bytes]:
        yield from (b"A" * 1024 for _ in range(65))

    answer = live_broker.request("POST", "/oauth/token", content=endless(), headers=FORM)

    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert answer.status_code == 413
    assert answer.json()["reason"] == "malformed_request"


@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/auth/token"])
def test_the_largest_body_is_64_kib(live_broker: RunningBroker, path: str) -> None:
    def send(size: int) -> int:
        body = form_of(live_broker.github_token(), size)
        return live_broker.request("POST", path, content=body, headers=FORM).status_code

    assert send(MAX_BODY) == 200
    assert send(MAX_BODY + 1) == 413


def test_the_largest_token_is_16_kib(live_broker: RunningBroker) -> None:
    verified(live_broker, live_broker.exchange(token_of(live_broker, MAX_TOKEN)))
    too_large = live_broker.exchange(token_of(live_broker, MAX_TOKEN + 2))

    assert_refused(live_broker, too_large, "malformed_token")


def test_a_token_that_is_too_large_is_not_even_decoded(live_broker: RunningBroker) -> None:
    fetches = live_broker.fetches()

    answer = live_broker.jwt_bearer("A" * 60_000)

    assert_refused(live_broker, answer, "malformed_token")
    assert live_broker.fetches() == fetches
