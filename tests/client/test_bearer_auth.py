"""Requests of httpx with a service token: one more try after a 401, and no other."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest

from broker.client import BearerAuth, Refused
from tests.client.stand_in import a_token, answering, refusal, source_at
from tests.consumers.loopback_server import Answer, LoopbackServer

UNAUTHORIZED = Answer(b"no", 401)
GOOD = Answer(b"good")
Send = Callable[..., httpx.Response]


@contextmanager
def sync_client(auth: BearerAuth) -> Iterator[Send]:
    with httpx.Client(auth=auth, trust_env=False, follow_redirects=True, timeout=60) as client:
        yield client.request


@contextmanager
def async_client(auth: BearerAuth) -> Iterator[Send]:
    async def ask(method: str, url: str, *, content: bytes | None = None) -> httpx.Response:
        async with httpx.AsyncClient(
            auth=auth, trust_env=False, follow_redirects=True, timeout=60
        ) as client:
            return await client.request(method, url, content=content)

    yield lambda *words, **named: asyncio.run(ask(*words, **named))


KINDS = pytest.mark.parametrize("client", [sync_client, async_client])
Client = Callable[[BearerAuth], AbstractContextManager[Send]]


def tokens(server: LoopbackServer) -> list[str | None]:
    return [each.headers.get("authorization") for each in server.requests]


@KINDS
def test_a_request_carries_the_token(client: Client) -> None:
    with answering(a_token("one")) as broker, answering(GOOD) as service:
        with source_at(broker.url) as source, client(BearerAuth(source)) as send:
            assert send("GET", service.url).text == "good"
            assert send("GET", service.url).text == "good"

        assert tokens(service) == ["Bearer one", "Bearer one"]
        assert len(broker.requests) == 1


@KINDS
def test_after_a_401_it_is_sent_once_more_with_a_new_token_and_the_same_body(
    client: Client,
) -> None:
    with (
        answering(a_token("one"), a_token("two")) as broker,
        answering(UNAUTHORIZED, GOOD) as service,
    ):
        with source_at(broker.url) as source, client(BearerAuth(source)) as send:
            assert send("POST", service.url, content=b"start").text == "good"

        assert tokens(service) == ["Bearer one", "Bearer two"]
        assert [each.body for each in service.requests] == ["start", "start"]


@KINDS
def test_a_second_401_is_the_answer(client: Client) -> None:
    with answering(a_token("one"), a_token("two")) as broker, answering(UNAUTHORIZED) as service:
        with source_at(broker.url) as source, client(BearerAuth(source)) as send:
            assert send("GET", service.url).status_code == 401

        assert len(service.requests) == 2
        assert len(broker.requests) == 2


@KINDS
@pytest.mark.parametrize("status", [400, 403, 404, 407, 429, 500, 503])
def test_no_other_answer_is_tried_again(client: Client, status: int) -> None:
    with answering(a_token()) as broker, answering(Answer(b"", status)) as service:
        with source_at(broker.url) as source, client(BearerAuth(source)) as send:
            assert send("GET", service.url).status_code == status

        assert len(service.requests) == 1


@KINDS
def test_without_a_token_nothing_is_sent(client: Client) -> None:
    with answering(refusal()) as broker, answering(GOOD) as service:
        with (
            source_at(broker.url) as source,
            client(BearerAuth(source)) as send,
            pytest.raises(Refused),
        ):
            send("GET", service.url)

        assert service.requests == []


@KINDS
def test_a_service_that_leads_elsewhere_takes_no_token_there(client: Client) -> None:
    with (
        answering(a_token()) as broker,
        answering(GOOD) as elsewhere,
        answering(Answer(b"", 307, {"location": f"{elsewhere.url}/"})) as service,
    ):
        with source_at(broker.url) as source, client(BearerAuth(source)) as send:
            send("GET", service.url)

        assert tokens(service) == ["Bearer one"]
        assert tokens(elsewhere) == [None]
