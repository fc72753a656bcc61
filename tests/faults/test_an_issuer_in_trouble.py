"""Issuers that are slow, broken, turning or gone: who has a token under a known key is served.

On SQLite and on Redis, with real HTTP; a day passes on a clock that is held (contract §7).
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.attacks.key_publisher import Answer, KeyPublisher, document, publishing
from tests.corp_issuer import CorpIssuer, corp_issuer, jwk

HOUR = 3600
WAIT_SECONDS = 60.0


@pytest.fixture(params=["sqlite", "redis"])
def issuer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CorpIssuer]:
    """An issuer whose first key is held, and kept."""
    redis = request.getfixturevalue("redis") if request.param == "redis" else None
    with corp_issuer(tmp_path, redis) as issuer:
        assert issuer.outcome("first") == "ok"
        until(lambda: issuer.kept_row() is not None)
        yield issuer


@pytest.fixture
def elsewhere() -> Iterator[KeyPublisher]:
    """A server that a redirect leads to; it publishes keys, too."""
    with publishing() as server:
        server.answers["/keys"] = document(jwk("first"), jwk("theirs"))
        yield server


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_while_an_issuer_is_slow_only_tokens_under_a_new_key_wait(issuer: CorpIssuer) -> None:
    gate = threading.Event()
    issuer.answer(Answer(document(jwk("first"), jwk("second")).body, until=gate))

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(issuer.outcome, "second")
        until(lambda: issuer.fetches() == 2)
        assert [issuer.outcome("first") for _ in range(10)] == ["ok"] * 10
        assert not waiting.done()
        gate.set()
        assert waiting.result(timeout=60) == "ok"


GARBAGE = [
    Answer(b"<!doctype html><title>Down</title>", content_type="text/html"),
    Answer(b'{"keys": [{"kty": "RSA", "kid": "first", "n": "AQ'),
    document(),
    Answer(b"", status=500),
]


def test_garbage_leaves_the_keys_that_are_held(issuer: CorpIssuer) -> None:
    for answer in GARBAGE:
        issuer.answer(answer)
        refused = issuer.present("second")
        assert (refused.status_code, refused.json()["reason"]) == (503, "issuer_unavailable")
        assert issuer.outcome("first") == "ok"
        issuer.broker.clock.advance(int(refused.headers["retry-after"]))

    issuer.broker.restart()
    assert issuer.outcome("first") == "ok"
    issuer.settle()
    issuer.publish("first", "second")
    issuer.broker.clock.advance(30)
    assert issuer.outcome("second") == "ok"


def test_a_redirect_leads_nowhere_and_leaves_the_keys_that_are_held(
    issuer: CorpIssuer, elsewhere: KeyPublisher
) -> None:
    issuer.answer(Answer(status=302, headers=(f"Location: {elsewhere.url}/keys",)))

    assert issuer.outcome("theirs") == "issuer_unavailable"
    assert issuer.outcome("first") == "ok"
    issuer.broker.restart()
    assert issuer.outcome("first") == "ok"
    assert elsewhere.connections == 0


def test_an_issuer_that_changes_its_keys_loses_no_job(issuer: CorpIssuer) -> None:
    issuer.publish("first", "second")
    assert [issuer.outcome(name) for name in ("second", "first")] == ["ok", "ok"]

    issuer.publish("second")
    issuer.broker.clock.advance(301)
    issuer.fetch_if_due()
    assert [issuer.outcome(name) for name in ("first", "second")] == ["key_not_found", "ok"]
    # Nor does the key come back when the broker is started while the issuer is away.
    issuer.away()
    issuer.broker.restart()
    assert issuer.outcome("second") == "ok"
    assert issuer.outcome("first") == "issuer_unavailable"


def test_an_issuer_may_be_gone_for_a_day_and_the_broker_started_anew_meanwhile(
    issuer: CorpIssuer,
) -> None:
    issuer.away()
    clock = issuer.broker.clock
    for hours in (1, 5, 6):
        clock.advance(hours * HOUR)
        issuer.broker.restart()
        assert issuer.outcome("first") == "ok"
    clock.advance(12 * HOUR - 1)
    assert issuer.outcome("first") == "ok"

    clock.advance(1)
    refused = issuer.present("first")
    assert (refused.status_code, refused.json()["reason"]) == (503, "issuer_unavailable")
    assert refused.json()["error"] == "temporarily_unavailable"
    issuer.broker.restart()
    assert issuer.outcome("first") == "issuer_unavailable"
    issuer.settle()

    issuer.publish("first")
    clock.advance(30)
    assert issuer.outcome("first") == "ok"
