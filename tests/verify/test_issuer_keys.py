"""When a service fetches the broker's keys, and what it does while it cannot."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.testing import FrozenClock
from broker.verify import NotVerifiable, Reason, TokenRefused, Verifier
from broker.verify.key_fetch import JWKS_PATH
from tests.verify.publishing import AUDIENCE, NOW, Publisher, publishing, signing_key, token

HOUR = 3600


def eventually(done: Callable[[], bool]) -> None:
    """Wait for what a thread beside does."""
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def fresh(clock: FrozenClock, publisher: Publisher, *, key: str = "first") -> str:
    """Sign a token that counts by the clock, and no other like it."""
    now = int(clock.now())
    return token(
        signing_key("ES256", key), publisher.url, iat=now, nbf=now, exp=now + 600, jti=f"j-{now}"
    )


def test_keys_are_fetched_for_the_first_token_and_then_held(
    verifier: Verifier, publisher: Publisher
) -> None:
    assert publisher.requests == []
    for number in range(20):
        verifier.verify(token(signing_key("ES256"), publisher.url, jti=str(number)))

    assert publisher.requests == [JWKS_PATH]


def test_a_first_crowd_causes_one_fetch(verifier: Verifier, publisher: Publisher) -> None:
    publisher.delay = 0.1
    tokens = [token(signing_key("RS256"), publisher.url, jti=str(each)) for each in range(16)]
    with ThreadPoolExecutor(16) as threads:
        callers = list(threads.map(verifier.verify, tokens))

    assert len(callers) == 16
    assert publisher.requests == [JWKS_PATH]


async def test_a_first_crowd_in_an_event_loop_causes_one_fetch(
    verifier: Verifier, publisher: Publisher
) -> None:
    publisher.delay = 0.1
    tokens = [token(signing_key("RS256"), publisher.url, jti=str(each)) for each in range(16)]

    callers = await asyncio.gather(*map(verifier.verify_async, tokens))

    assert len(callers) == 16
    assert publisher.requests == [JWKS_PATH]


def test_a_new_key_is_found_at_its_first_token(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    verifier.verify(fresh(clock, publisher))
    publisher.publish(signing_key("ES256"), signing_key("ES256", "second"))
    clock.advance(31)

    assert verifier.verify(fresh(clock, publisher, key="second")).client_id == "deploy-web"
    assert len(publisher.requests) == 2


def test_a_flood_of_unknown_keys_costs_one_fetch(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    verifier.verify(fresh(clock, publisher))
    for number in range(50):
        with pytest.raises(TokenRefused) as refused:
            verifier.verify(
                token(signing_key("ES256"), publisher.url, header={"kid": f"made-up-{number}"})
            )
        assert refused.value.reason is Reason.KEY_NOT_FOUND
    assert len(publisher.requests) == 2

    clock.advance(30)
    with pytest.raises(TokenRefused):
        verifier.verify(token(signing_key("ES256"), publisher.url, header={"kid": "made-up"}))
    assert len(publisher.requests) == 3


def test_keys_are_fetched_anew_beside_the_requests(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    verifier.verify(fresh(clock, publisher))
    publisher.delay = 0.2
    clock.advance(301)

    # It is served by what is held, and does not wait.
    assert verifier.verify(fresh(clock, publisher)).client_id
    eventually(lambda: len(publisher.requests) == 2)
    eventually(lambda: verifier._keys._fetching is None)


def test_a_key_that_is_published_no_more_verifies_nothing_from_the_next_fetch_on(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    old = fresh(clock, publisher)
    verifier.verify(old)
    publisher.publish(signing_key("ES256", "second"))
    clock.advance(301)
    verifier.verify(fresh(clock, publisher))
    eventually(lambda: verifier._keys.generation == 2)

    # Not even what was verified before, and is remembered.
    clock.advance(-200)
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(old)
    assert refused.value.reason is Reason.KEY_NOT_FOUND


def test_an_outage_of_a_day_is_survived_and_no_longer_one(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    verifier.verify(fresh(clock, publisher))
    publisher.status = 503
    for _ in range(24):
        clock.advance(HOUR)
        assert verifier.verify(fresh(clock, publisher)).client_id
        eventually(lambda: verifier._keys._fetching is None)
    assert [each.levelno for each in caplog.records] == [logging.WARNING]

    clock.advance(HOUR)
    with pytest.raises(NotVerifiable) as refused:
        verifier.verify(fresh(clock, publisher))
    assert 1 <= refused.value.retry_after <= 30

    publisher.status = 200
    clock.advance(31)
    assert verifier.verify(fresh(clock, publisher)).client_id


def test_while_there_are_no_keys_nobody_knows(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    publisher.status = 500
    for _ in range(20):
        with pytest.raises(NotVerifiable):
            verifier.verify(fresh(clock, publisher))
    # Failures back off.
    assert len(publisher.requests) == 1

    clock.advance(3)
    publisher.status = 200
    assert verifier.verify(fresh(clock, publisher)).client_id


def test_an_unknown_key_while_the_broker_is_away_may_be_good(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    verifier.verify(fresh(clock, publisher))
    publisher.status = 502

    with pytest.raises(NotVerifiable):
        verifier.verify(fresh(clock, publisher, key="second"))
    assert verifier.verify(fresh(clock, publisher)).client_id


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"not JSON",
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct", "k": "AA"}]}',
        b"x" * 300_000,
    ],
    ids=lambda document: repr(document[:20]),
)
def test_a_broken_document_takes_the_place_of_no_good_one(
    document: bytes, verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    verifier.verify(fresh(clock, publisher))
    publisher.document = document
    clock.advance(301)
    verifier.verify(fresh(clock, publisher))
    eventually(lambda: len(publisher.requests) == 2 and verifier._keys._fetching is None)
    clock.advance(60)

    assert verifier.verify(fresh(clock, publisher)).client_id


def test_no_redirect_is_followed(publisher: Publisher, clock: FrozenClock) -> None:
    with publishing(signing_key("ES256")) as elsewhere:
        publisher.status, publisher.headers = 302, {"location": elsewhere.url + JWKS_PATH}
        verifier = Verifier(publisher.url, audience=AUDIENCE, clock=clock.now)
        with pytest.raises(NotVerifiable):
            verifier.verify(fresh(clock, publisher))
        assert elsewhere.requests == []


def test_a_clock_that_is_set_back_does_not_prolong_the_life_of_keys(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    verifier.verify(fresh(clock, publisher))
    publisher.status = 503
    clock.advance(-26 * HOUR)

    with pytest.raises(NotVerifiable):
        verifier.verify(fresh(clock, publisher))


def test_keys_may_come_from_a_file(
    tmp_path: Path, clock: FrozenClock, publisher: Publisher
) -> None:
    file = tmp_path / "jwks.json"
    verifier = Verifier(
        "https://broker.example.com", audience=AUDIENCE, jwks_file=file, clock=clock.now
    )
    good = token(signing_key("ES256"), "https://broker.example.com")
    with pytest.raises(NotVerifiable):
        verifier.verify(good)

    file.write_bytes(publisher.document)
    clock.advance(3)
    assert verifier.verify(good).client_id == "deploy-web"
    assert publisher.requests == []


def test_a_thread_that_cannot_be_started_stops_no_request(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier.verify(fresh(clock, publisher))
    clock.advance(301)

    def no_more_threads(_: threading.Thread) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more_threads)
        assert verifier.verify(fresh(clock, publisher)).client_id
    assert verifier.verify(fresh(clock, publisher)).client_id
    eventually(lambda: len(publisher.requests) == 2)


def test_the_issuer_may_have_a_path(clock: FrozenClock) -> None:
    with publishing(signing_key("ES256")) as publisher:
        issuer = publisher.url + "/broker"
        verifier = Verifier(issuer, audience=AUDIENCE, clock=clock.now)
        assert verifier.verify(token(signing_key("ES256"), issuer)).issued_at == int(NOW)
        assert publisher.requests == ["/broker" + JWKS_PATH]
