"""Requests of a client: bounded as a whole, never led elsewhere, tried again where it helps."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client import BrokerTrouble, ClientError, Misuse, Refused
from broker.client import http as client_http
from broker.client.exchange import refused_by
from broker.client.http import MAX_BODY, new_client, send
from broker.client.patience import TryAgain
from broker.client.refusal import told
from tests.client.stand_in import (
    HeldClock,
    a_token,
    an_id_token,
    answering,
    as_json,
    refusal,
    source_at,
    trouble,
)
from tests.consumers.loopback_server import Answer, LoopbackServer
from tests.github_runner import GithubRunner
from tests.issuer_keys.certificates import Authority, make_authority


def failure(url: str, clock: HeldClock | None = None) -> ClientError:
    """Ask for a token, which has to fail."""
    with source_at(url, clock) as source, pytest.raises(ClientError) as failed:
        source.token()
    return failed.value


# --- what is tried again ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 451, 499])
def test_a_refusal_is_never_tried_again(status: int) -> None:
    with answering(refusal(status)) as server:
        error = failure(server.url)

        assert (type(error), error.exit_code) == (Refused, 4)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    clock = HeldClock()
    with (
        answering(trouble(status), trouble(status), a_token()) as server,
        source_at(server.url, clock) as source,
    ):
        assert source.token().access_token == "one"
        assert len(server.requests) == 3
        assert len(clock.pauses) == 2


@pytest.mark.parametrize("status", [200, 400, 404, 403])
def test_a_page_for_people_is_no_answer_of_a_broker(status: int) -> None:
    page = b"<html><h1>Sign in\x1b[31m</h1>\n\nto the proxy</html>"
    with answering(Answer(page, status, {"content-type": "text/html"})) as server:
        error = failure(server.url)

        assert (type(error), error.exit_code, len(server.requests)) == (BrokerTrouble, 5, 1)
        assert str(error).isprintable()
        if status != 200:
            assert "<html><h1>Sign in" in str(error)


def test_an_error_page_of_a_proxy_is_shown_and_tried_again() -> None:
    with answering(Answer(b"<h1>Bad gateway</h1>", 502)) as server:
        error = failure(server.url)

        assert "502" in str(error)
        assert "<h1>Bad gateway</h1>" in str(error)
        assert len(server.requests) > 3


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Let a function have each connection; give the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    over = threading.Event()
    serving: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
            except OSError:
                # The client has gone, as it should.
                return

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(30)
            serving.append(threading.Thread(target=one, args=(connection,)))
            serving[-1].start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        for each in serving:
            each.join()
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    """Read a request with a form."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    lengths = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    ]
    while len(body) < sum(lengths):
        body += connection.recv(65536)
    return body


def breaking_twice(forms: list[bytes]) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        forms.append(read_request(connection))
        if len(forms) > 2:
            body = b'{"access_token":"one","token_type":"Bearer","expires_in":600}'
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    return serve


def subject_token(form: bytes) -> str:
    return dict(httpx.QueryParams(form.decode()))["subject_token"]


def test_after_a_broken_exchange_github_gives_a_new_id_token(tmp_path: Path) -> None:
    forms: list[bytes] = []
    numbers = iter(range(9))
    runner = GithubRunner(tmp_path, lambda audience: an_id_token(aud=audience, jti=next(numbers)))
    with runner.serving(), raw_server(breaking_twice(forms)) as url:
        variables = runner.variables()
        with source_at(url, environment=variables, audience="https://broker.example") as source:
            assert source.token().access_token == "one"

    sent = [subject_token(form) for form in forms]
    assert sent == runner.minted
    assert len(set(sent)) == 3


def test_after_a_broken_exchange_gitlab_s_only_id_token_is_sent_again() -> None:
    forms: list[bytes] = []
    job = {"GITLAB_CI": "true", "BROKER_ID_TOKEN": an_id_token()}
    with raw_server(breaking_twice(forms)) as url, source_at(url, environment=job) as source:
        assert source.token().access_token == "one"

    assert [subject_token(form) for form in forms] == [an_id_token()] * 3


# --- where it goes ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_refused(status: int) -> None:
    with (
        answering(a_token()) as elsewhere,
        answering(Answer(b"", status, {"location": elsewhere.url})) as server,
    ):
        error = failure(server.url)

        assert (type(error), len(server.requests)) == (BrokerTrouble, 1)
        assert "redirect" in str(error)
        assert elsewhere.requests == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "ca")


def test_a_certificate_that_is_not_trusted_is_told_with_what_helps(authority: Authority) -> None:
    with LoopbackServer(lambda _: a_token(), tls=authority.server).serving() as server:
        error = failure(server.url)

        assert (type(error), server.requests) == (BrokerTrouble, [])
        assert "SSL_CERT_FILE" in str(error)


def test_an_authority_of_one_s_own_is_trusted(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    with (
        LoopbackServer(lambda _: a_token(), tls=authority.server).serving() as server,
        source_at(server.url) as source,
    ):
        assert source.token().access_token == "one"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_told(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(Misuse, match="SSL_CERT_FILE"):
        new_client()


@pytest.mark.parametrize("proxy", ["ftp://proxy", "http://[::1", "socks5://u:s3cret@proxy:1080"])
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(Misuse, match="ALL_PROXY") as refused:
        new_client()

    assert "s3cret" not in str(refused.value)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(a_token("by the proxy".replace(" ", "-"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        with source_at("http://127.0.0.1:9") as source:
            assert source.token().access_token == "by-the-proxy"


# --- how long and how much ----------------------------------------------------------------------


def trickle(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Send the last piece again and again, for longer than any client should listen."""

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        for each in pieces[:-1]:
            connection.sendall(each)
        if not pieces[-1]:
            connection.recv(1)
        over = threading.Event()
        for _ in range(400 if pieces[-1] else 0):
            connection.sendall(pieces[-1])
            over.wait(0.05)

    return serve


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nx: ", b"y"], id="a header without an end"),
        pytest.param([b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"], id="headers without an end"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n"], id="interim answers without an end"),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n", b" "], id="body"),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\n", b" "], id="body until the connection ends"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"], id="chunks"
        ),
        pytest.param([b""], id="silence"),
    ],
)
def test_the_time_is_for_the_request_as_a_whole(
    pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_http, "TIMEOUT", 0.3)
    with (
        raw_server(trickle(*pieces)) as url,
        new_client() as client,
        pytest.raises(TryAgain, match="within"),
    ):
        send(client, "the broker", "POST", url, form={"a": "b"})


def test_the_time_holds_behind_tls_too(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_http, "TIMEOUT", 0.5)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))

    def serve(connection: socket.socket) -> None:
        with authority.server.wrap_socket(connection, server_side=True) as wrapped:
            trickle(b"HTTP/1.1 200 OK\r\nx: ", b"y")(wrapped)

    with (
        raw_server(serve) as url,
        new_client() as client,
        pytest.raises(TryAgain, match="within"),
    ):
        send(client, "the broker", "POST", url.replace("http:", "https:"), form={"a": "b"})


def test_a_request_in_time_leaves_nothing_behind() -> None:
    with answering(a_token()) as server, new_client() as client:
        for _ in range(3):
            send(client, "the broker", "GET", server.url)
        timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
        for each in timers:
            each.join(60)

        assert not any(each.is_alive() for each in timers)


def test_of_a_huge_body_only_the_beginning_is_read() -> None:
    huge = b'{"access_token": "' + b"x" * (MAX_BODY * 4) + b'"}'
    with answering(Answer(huge)) as server:
        error = failure(server.url)
        with new_client() as client:
            assert len(send(client, "x", "GET", server.url).body) == MAX_BODY

        assert type(error) is BrokerTrouble


def test_a_body_is_not_unpacked() -> None:
    packed = gzip.compress(b'{"access_token": "one", "token_type": "Bearer", "expires_in": 5}')
    with answering(Answer(packed, 200, {"content-encoding": "gzip"})) as server:
        assert type(failure(server.url)) is BrokerTrouble
        assert server.requests[0].headers["accept-encoding"] == "identity"


# --- what is shown ------------------------------------------------------------------------------

HOSTILE = "\x1b]0;title\x07\x1b[2J\r::error::\n\u202eevil\x9b31m"


@given(
    text=st.text(max_size=30),
    name=st.sampled_from(["error", "error_description", "reason", "decision_id", "detail", "code"]),
)
def test_whatever_a_broker_says_reaches_no_terminal_raw(text: str, name: str) -> None:
    answer = client_http.Answer(
        "the broker",
        400,
        {"x-request-id": HOSTILE},
        as_json({"error": HOSTILE, "error_description": HOSTILE, name: text}).body,
    )
    assert all(line.isprintable() for line in told(refused_by(answer)).split("\n"))


def test_control_characters_are_shown_as_what_they_are() -> None:
    told_so = {
        "error": "invalid_grant",
        "error_description": HOSTILE,
        "reason": HOSTILE,
        "conditions": [{"claim": HOSTILE, "operator": HOSTILE, "expected": [HOSTILE], "got": 1}],
        "service_accounts": [HOSTILE, 5],
    }
    for answer in (as_json(told_so, 400), as_json(told_so, 503), Answer(HOSTILE.encode(), 403)):
        with answering(answer) as server:
            text = told(failure(server.url))

        assert all(line.isprintable() for line in text.split("\n"))
        assert "\\x1b" in text


@pytest.mark.parametrize("service", ["\udcff", "a\ud800b"])
def test_what_cannot_be_sent_is_told(service: str) -> None:
    with answering(a_token()) as server:
        with source_at(server.url, service=service) as source, pytest.raises(Misuse):
            source.token()

        assert server.requests == []
