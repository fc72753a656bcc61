"""When keys are fetched, how long they count, who waits for whom (attacks rows 21, 22, 28-31)."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

import pytest

from broker.core.errors import Reason, Refusal, SubjectTokenRefused, Unavailable
from broker.core.issuer_keys import VerificationKey
from broker.core.policy import Issuer
from broker.issuer_keys import HttpIssuerKeys
from broker.testing import FrozenClock
from tests.issuer_keys.issuers import issuer_of, issuer_with_file
from tests.issuer_keys.jwks import document, rsa_jwk, rsa_key
from tests.issuer_keys.key_server import DISCOVERY, KEYS, Answer, KeyServer

HOUR = 3600.0


async def refusal_of(keys: HttpIssuerKeys, issuer: Issuer, key_id: str) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await keys.find(issuer, key_id)
    return refused.value


async def together(
    keys: HttpIssuerKeys, issuer: Issuer, key_ids: Iterable[str]
) -> list[VerificationKey | BaseException]:
    return await asyncio.gather(
        *(keys.find(issuer, key_id) for key_id in key_ids), return_exceptions=True
    )


# --- how often an issuer is asked -----------------------------------------------------------------


async def test_nothing_is_fetched_before_the_first_token(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    await keys.refresh_due()

    assert server.requests == []
    assert keys.status() == ()


async def test_known_keys_are_served_from_memory(keys: HttpIssuerKeys, server: KeyServer) -> None:
    issuer = issuer_of(server)

    first = await keys.find(issuer, "k1")
    for _ in range(100):
        assert await keys.find(issuer, "k1") is first

    assert server.fetches() == 1


async def test_five_hundred_first_tokens_cause_one_fetch(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    found = await together(keys, issuer_of(server), ["k1"] * 500)

    assert all(isinstance(each, VerificationKey) for each in found)
    assert server.fetches() == 1


async def test_five_hundred_tokens_of_a_new_key_cause_one_fetch(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    """Attacks row 29: a key that signs at once is found at once."""
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    server.publish("k1", "k2")

    found = await together(keys, issuer, ["k2"] * 500)

    assert all(isinstance(each, VerificationKey) for each in found)
    assert server.fetches() == 2


async def test_a_thousand_random_key_ids_at_once_cause_one_fetch(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    """Attacks row 28."""
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")

    found = await together(keys, issuer, (f"random-{number}" for number in range(1000)))

    assert {each.reason for each in found if isinstance(each, SubjectTokenRefused)} == {
        Reason.KEY_NOT_FOUND
    }
    assert server.fetches() == 2


async def test_a_thousand_random_key_ids_one_by_one_cause_one_fetch_in_thirty_seconds(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")

    for number in range(1000):
        refusal = await refusal_of(keys, issuer, f"random-{number}")
        assert refusal.reason is Reason.KEY_NOT_FOUND
        clock.advance(0.029)
    assert server.fetches() == 2

    clock.advance(1.001)
    await refusal_of(keys, issuer, "random")
    assert server.fetches() == 3


async def test_an_unknown_key_id_in_the_first_token_causes_no_second_fetch(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    refusal = await refusal_of(keys, issuer_of(server), "unknown")

    assert refusal.reason is Reason.KEY_NOT_FOUND
    assert server.fetches() == 1


async def test_neither_the_first_nor_a_periodic_fetch_delays_the_one_for_a_new_key(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    clock.advance(300)
    await keys.refresh_due()
    server.publish("k1", "k2")

    await keys.find(issuer, "k2")

    assert server.fetches() == 3


async def test_a_second_new_key_within_thirty_seconds_has_to_wait(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    server.publish("k1", "k2")
    await keys.find(issuer, "k2")
    server.publish("k1", "k2", "k3")

    clock.advance(29)
    refusal = await refusal_of(keys, issuer, "k3")
    assert refusal.reason is Reason.KEY_NOT_FOUND
    clock.advance(1)
    assert (await keys.find(issuer, "k3")).key_id == "k3"


async def test_a_fetch_that_began_before_the_token_came_does_not_have_the_last_word(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    gate = asyncio.Event()
    server.answers[KEYS] = replace(server.answers[KEYS], until=gate)
    clock.advance(300)
    refreshing = asyncio.create_task(keys.refresh_due())
    await server.asked(4)

    server.publish("k1", "k2")
    finding = [asyncio.create_task(keys.find(issuer, "k2")) for _ in range(100)]
    gate.set()

    assert {key.key_id for key in await asyncio.gather(*finding)} == {"k2"}
    await refreshing
    assert server.fetches() == 3


# --- who waits for whom ---------------------------------------------------------------------------


async def test_a_known_key_does_not_wait_for_a_fetch_under_way(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    gate = asyncio.Event()
    server.publish("k1", "k2")
    server.answers[KEYS] = replace(server.answers[KEYS], until=gate)
    waiting = asyncio.create_task(keys.find(issuer, "k2"))
    await server.asked(4)

    assert (await keys.find(issuer, "k1")).key_id == "k1"

    gate.set()
    assert (await waiting).key_id == "k2"


async def test_a_client_that_goes_away_does_not_take_the_fetch_of_others_along(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    issuer = issuer_of(server)
    gate = asyncio.Event()
    server.answers[KEYS] = replace(server.answers[KEYS], until=gate)
    first = asyncio.create_task(keys.find(issuer, "k1"))
    await server.asked(2)
    second = asyncio.create_task(keys.find(issuer, "k1"))

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.set()

    assert (await second).key_id == "k1"
    assert server.fetches() == 1


async def test_a_fetch_ends_even_when_every_client_has_gone_away(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    issuer = issuer_of(server)
    gate = asyncio.Event()
    server.answers[KEYS] = replace(server.answers[KEYS], until=gate)
    only = asyncio.create_task(keys.find(issuer, "k1"))
    await server.asked(2)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    gate.set()

    assert (await keys.find(issuer, "k1")).key_id == "k1"
    assert server.fetches() == 1


async def test_a_slow_issuer_does_not_hold_up_another(
    keys: HttpIssuerKeys, server: KeyServer, other_server: KeyServer
) -> None:
    gate = asyncio.Event()
    server.answers[DISCOVERY] = Answer(until=gate)
    slow = asyncio.create_task(keys.find(issuer_of(server, "slow"), "k1"))
    await server.asked(1)

    assert (await keys.find(issuer_of(other_server, "quick"), "k1")).key_id == "k1"

    assert not slow.done()
    gate.set()
    with pytest.raises(Unavailable):
        await slow


# --- when an issuer is away -----------------------------------------------------------------------


async def test_an_issuer_that_is_away_from_the_start_is_unavailable(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    await server.down()

    refusal = await refusal_of(keys, issuer_of(server), "k1")

    assert isinstance(refusal, Unavailable)
    assert refusal.reason is Reason.ISSUER_UNAVAILABLE
    assert refusal.retry_after == 3


async def test_five_hundred_tokens_of_an_issuer_that_is_away_cause_one_fetch(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    server.answers[DISCOVERY] = Answer(status=500)

    found = await together(keys, issuer_of(server), ["k1"] * 500)

    assert all(isinstance(each, Unavailable) for each in found)
    assert server.targets() == [DISCOVERY]


async def test_an_issuer_that_is_away_is_asked_ever_less_often_down_to_every_thirty_seconds(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    server.answers[DISCOVERY] = Answer(status=500)
    pauses = []
    for asked in range(1, 8):
        refusal = await refusal_of(keys, issuer, "k1")
        assert isinstance(refusal, Unavailable)
        assert len(server.requests) == asked
        pauses.append(refusal.retry_after)
        clock.advance(refusal.retry_after - 0.5)
        await refusal_of(keys, issuer, "k1")
        assert len(server.requests) == asked
        clock.advance(0.5)

    assert pauses == [3, 6, 12, 24, 30, 30, 30]

    server.publish("k1")
    assert (await keys.find(issuer, "k1")).key_id == "k1"


async def test_held_keys_serve_while_the_issuer_is_away_and_unknown_ones_are_unavailable(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    await server.down()

    refusal = await refusal_of(keys, issuer, "k2")
    assert isinstance(refusal, Unavailable)
    assert refusal.retry_after == 30
    assert (await keys.find(issuer, "k1")).key_id == "k1"

    await server.up()
    clock.advance(3)
    await keys.refresh_due()
    assert (await refusal_of(keys, issuer, "k2")).reason is Reason.KEY_NOT_FOUND


async def test_random_key_ids_do_not_ask_an_issuer_that_is_away_more_often(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    server.answers[DISCOVERY] = Answer(status=500)

    for number in range(100):
        assert isinstance(await refusal_of(keys, issuer, f"random-{number}"), Unavailable)
        clock.advance(0.29)

    assert server.targets() == [DISCOVERY, KEYS, DISCOVERY]


async def test_held_keys_serve_for_24_hours_and_no_longer(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    """Attacks row 30."""
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    await server.down()

    clock.advance(24 * HOUR - 1)
    await keys.refresh_due()
    assert (await keys.find(issuer, "k1")).key_id == "k1"
    assert keys.status()[0].usable

    clock.advance(1)
    assert isinstance(await refusal_of(keys, issuer, "k1"), Unavailable)
    (status,) = keys.status()
    assert not status.usable
    assert status.age == 24 * HOUR

    await server.up()
    clock.advance(30)
    assert (await keys.find(issuer, "k1")).key_id == "k1"


async def test_the_24_hours_count_from_the_start_of_the_fetch(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    gate = asyncio.Event()
    server.answers[KEYS] = replace(server.answers[KEYS], until=gate)
    finding = asyncio.create_task(keys.find(issuer, "k1"))
    await server.asked(2)
    clock.advance(10)
    gate.set()
    await finding

    assert keys.status()[0].age == 10


async def test_a_withdrawn_key_is_refused_after_the_next_good_fetch(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    server.publish("k1", "k2")
    await keys.find(issuer, "k2")
    server.publish("k1")

    clock.advance(300)
    await keys.refresh_due()

    assert (await refusal_of(keys, issuer, "k2")).reason is Reason.KEY_NOT_FOUND
    assert (await keys.find(issuer, "k1")).key_id == "k1"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b'{"keys": []}'),
        Answer(b'{"keys": null}'),
        Answer(b"{}"),
        Answer(b""),
        Answer(b"null"),
        Answer(b"<html>Sign in</html>"),
        Answer(b"<html>Sign in</html>", content_type="text/html"),
        Answer(b"{}", status=500),
        Answer(document(rsa_jwk(rsa_key(), "k2"))[:-3]),
        Answer(document(rsa_jwk(rsa_key(), "k2")), declared_length=9999),
        Answer(document({"kty": "RSA", "n": "AQAB", "e": "AQAB"})),
        Answer(document(rsa_jwk(rsa_key(), "k2", use="enc"))),
        Answer(document(rsa_jwk(rsa_key(), "k2", alg="HS256"))),
        Answer(document({"kty": "oct", "kid": "k2", "k": "c2VjcmV0"})),
        Answer(document(*(rsa_jwk(rsa_key(), f"k{number}") for number in range(500)))),
        Answer(raw=b""),
    ],
)
async def test_a_bad_answer_leaves_the_last_good_keys_as_they_are(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock, answer: Answer
) -> None:
    """Attacks row 31."""
    issuer = issuer_of(server)
    await keys.find(issuer, "k1")
    server.answers[KEYS] = answer

    clock.advance(300)
    await keys.refresh_due()

    (status,) = keys.status()
    assert status.failure is not None
    assert status.key_ids == ("k1",)
    assert (await keys.find(issuer, "k1")).key_id == "k1"
    assert isinstance(await refusal_of(keys, issuer, "k2"), Unavailable)


# --- the periodic fetch ---------------------------------------------------------------------------


async def test_keys_are_fetched_anew_every_five_minutes(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    await keys.find(issuer_of(server), "k1")

    for fetches in (2, 3, 4):
        clock.advance(299)
        await keys.refresh_due()
        assert server.fetches() == fetches - 1
        clock.advance(1)
        await keys.refresh_due()
        await keys.refresh_due()
        assert server.fetches() == fetches


async def test_jitter_makes_the_interval_up_to_a_minute_shorter(
    clock: FrozenClock, server: KeyServer
) -> None:
    draws = iter([1.0, 0.5, 0.0])
    keys = HttpIssuerKeys(clock, broker_on_loopback=True, rng=lambda: next(draws))
    await keys.find(issuer_of(server), "k1")

    for fetches, interval in ((2, 240), (3, 270)):
        clock.advance(interval - 1)
        await keys.refresh_due()
        assert server.fetches() == fetches - 1
        clock.advance(1)
        await keys.refresh_due()
        assert server.fetches() == fetches
    await keys.close()


async def test_an_issuer_that_never_answered_is_not_asked_without_a_token(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    server.answers[DISCOVERY] = Answer(status=500)
    await refusal_of(keys, issuer_of(server), "k1")

    clock.advance(HOUR)
    await keys.refresh_due()

    assert len(server.requests) == 1


async def test_after_a_failure_the_periodic_fetch_comes_sooner(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    await keys.find(issuer_of(server), "k1")
    await server.down()
    clock.advance(300)
    await keys.refresh_due()
    await server.up()

    clock.advance(2)
    await keys.refresh_due()
    assert server.fetches() == 1
    clock.advance(1)
    await keys.refresh_due()
    assert server.fetches() == 2
    assert keys.status()[0].failure is None


async def test_the_loop_refreshes_until_it_is_cancelled(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    await keys.find(issuer_of(server), "k1")
    clock.advance(300)

    running = asyncio.create_task(keys.run())
    await server.asked(4)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert server.fetches() == 2


async def test_an_issuer_that_nobody_asked_for_in_a_day_is_forgotten(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    await keys.find(issuer_of(server), "k1")

    clock.advance(24 * HOUR + 1)
    await keys.refresh_due()

    assert keys.status() == ()
    assert server.fetches() == 1


async def test_a_clock_that_is_set_back_prolongs_no_cooldown(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    server.answers[DISCOVERY] = Answer(status=500)
    await refusal_of(keys, issuer, "k1")
    server.publish("k1", "k2")

    clock.advance(-HOUR)
    await keys.find(issuer, "k1")
    await refusal_of(keys, issuer, "unknown")
    clock.advance(-HOUR)
    server.publish("k1", "k2", "k3")

    assert (await keys.find(issuer, "k3")).key_id == "k3"


# --- one issuer is not another --------------------------------------------------------------------


async def test_a_key_of_one_issuer_never_stands_for_another_with_the_same_key_id(
    keys: HttpIssuerKeys, server: KeyServer, other_server: KeyServer
) -> None:
    """Attacks rows 21 and 22."""
    other_server.publish("k1", "only-there")

    here = await keys.find(issuer_of(server, "github"), "k1")
    there = await keys.find(issuer_of(other_server, "gitea"), "k1")

    assert here is not there
    refusal = await refusal_of(keys, issuer_of(server, "github"), "only-there")
    assert refusal.reason is Reason.KEY_NOT_FOUND


async def test_an_equal_issuer_after_a_reload_keeps_its_keys(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    key = await keys.find(issuer_of(server), "k1")

    contact = replace(issuer_of(server), contact="platform@corp.example", max_token_lifetime=60)
    assert await keys.find(contact, "k1") is key

    assert server.fetches() == 1


async def test_an_issuer_that_a_reload_changes_starts_afresh(
    keys: HttpIssuerKeys, server: KeyServer, other_server: KeyServer
) -> None:
    server.publish("k1", "only-here")
    await keys.find(issuer_of(server), "only-here")
    changed = issuer_of(server, jwks_uri=other_server.origin + KEYS)

    assert (await refusal_of(keys, changed, "only-here")).reason is Reason.KEY_NOT_FOUND

    narrowed = issuer_of(server, algorithms=frozenset({"PS256"}))
    assert (await keys.find(narrowed, "k1")).algorithm == "PS256"


async def test_an_issuer_that_is_no_longer_configured_is_not_asked_again(
    keys: HttpIssuerKeys, server: KeyServer, other_server: KeyServer, clock: FrozenClock
) -> None:
    kept = issuer_of(other_server, "kept")
    await keys.find(issuer_of(server, "gone"), "k1")
    await keys.find(kept, "k1")

    await keys.retain([kept])
    clock.advance(300)
    await keys.refresh_due()

    assert [status.issuer for status in keys.status()] == ["kept"]
    assert server.fetches() == 1
    assert other_server.fetches() == 2


async def test_whoever_waits_when_its_issuer_is_forgotten_is_told_that_it_is_unavailable(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    issuer = issuer_of(server)
    server.answers[KEYS] = Answer(until=asyncio.Event())
    first = asyncio.create_task(keys.find(issuer, "k1"))
    await server.asked(2)
    second = asyncio.create_task(keys.find(issuer, "k1"))
    await asyncio.sleep(0)

    await keys.close()

    for waiting in (first, second):
        with pytest.raises(Unavailable):
            await waiting
    assert server.fetches() == 1


# --- keys from a file -----------------------------------------------------------------------------


async def test_configured_keys_are_used_without_any_network(
    keys: HttpIssuerKeys, clock: FrozenClock
) -> None:
    issuer = issuer_with_file(document(rsa_jwk(rsa_key(), "k1"), {"kid": "odd"}))

    key = await keys.find(issuer, "k1")
    clock.advance(1000 * HOUR)
    await keys.refresh_due()

    assert await keys.find(issuer, "k1") is key
    assert (await refusal_of(keys, issuer, "k2")).reason is Reason.KEY_NOT_FOUND
    (status,) = keys.status()
    assert (status.usable, status.key_ids, status.age) == (True, ("k1",), None)
    assert status.skipped == ("key 'odd' is of an unusable type ('kty')",)


async def test_a_broken_key_file_is_unavailable_and_logged_once(
    keys: HttpIssuerKeys, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = issuer_with_file(b'{"keys": []}')

    for _ in range(3):
        refusal = await refusal_of(keys, issuer, "k1")
        assert isinstance(refusal, Unavailable)

    assert [record.getMessage() for record in caplog.records] == [
        "issuer 'gitlab-corp': its key file is not used: the key set holds no usable key"
    ]
    assert not keys.status()[0].usable


async def test_a_changed_key_file_takes_the_place_of_the_old(keys: HttpIssuerKeys) -> None:
    await keys.find(issuer_with_file(document(rsa_jwk(rsa_key(), "k1"))), "k1")
    changed = issuer_with_file(document(rsa_jwk(rsa_key(), "k2")))

    assert (await refusal_of(keys, changed, "k1")).reason is Reason.KEY_NOT_FOUND

    await keys.retain([changed])
    assert [status.key_ids for status in keys.status()] == [("k2",)]


# --- what operators see ---------------------------------------------------------------------------


async def test_failures_and_skipped_keys_are_logged_once_per_change(
    keys: HttpIssuerKeys,
    server: KeyServer,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="broker.issuer_keys")
    issuer = issuer_of(server)
    weak = document(rsa_jwk(rsa_key(), "k1"), rsa_jwk(rsa_key(), "k2", use="enc"))

    async def refresh(times: int) -> list[str]:
        caplog.clear()
        for _ in range(times):
            clock.advance(300)
            await keys.refresh_due()
        return [record.getMessage() for record in caplog.records]

    await keys.find(issuer, "k1")
    assert await refresh(3) == []
    server.answers[KEYS] = Answer(weak)
    assert await refresh(3) == [
        "issuer 'gitlab-corp': skipped key 'k2' is not for signatures ('use')"
    ]
    server.answers[KEYS] = Answer(status=503)
    assert await refresh(3) == [
        "issuer 'gitlab-corp': its keys were not fetched: the key set was answered with 503"
    ]
    for number in range(10):
        await refusal_of(keys, issuer, f"random-{number}")
    server.answers[KEYS] = Answer(status=500)
    assert await refresh(2) == [
        "issuer 'gitlab-corp': its keys were not fetched: the key set was answered with 500"
    ]
    server.answers[KEYS] = Answer(weak)
    assert await refresh(2) == ["issuer 'gitlab-corp': its keys can be fetched again"]


async def test_the_status_tells_age_and_failure_of_every_issuer_in_use(
    keys: HttpIssuerKeys, server: KeyServer, other_server: KeyServer, clock: FrozenClock
) -> None:
    await keys.find(issuer_of(server, "b"), "k1")
    clock.advance(100)
    other_server.answers[DISCOVERY] = Answer(status=404)
    await refusal_of(keys, issuer_of(other_server, "a"), "k1")

    away, good = keys.status()

    assert (away.issuer, away.usable, away.age, away.failures) == ("a", False, None, 1)
    assert away.failure == "the discovery document was answered with 404"
    assert (good.issuer, good.usable, good.age, good.failure) == ("b", True, 100, None)
    assert good.key_ids == ("k1",)


async def test_no_message_holds_the_key_id_of_a_token(
    keys: HttpIssuerKeys, server: KeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = await refusal_of(keys, issuer_of(server), "from-a-token")

    assert "from-a-token" not in caplog.text + str(refusal) + refusal.description


# --- what a caller is told before the signature of its token holds --------------------------------


async def test_a_refusal_names_nothing_of_the_configuration(
    keys: HttpIssuerKeys, server: KeyServer, other_server: KeyServer
) -> None:
    other_server.answers[DISCOVERY] = Answer(status=500)
    refusals = [
        await refusal_of(keys, issuer_of(server), "unknown"),
        await refusal_of(keys, issuer_of(other_server), "k1"),
        await refusal_of(keys, issuer_with_file(document(rsa_jwk(rsa_key()))), "unknown"),
        await refusal_of(keys, issuer_with_file(b"{}", "empty-file"), "k1"),
    ]

    for refusal in refusals:
        assert "gitlab-corp" not in refusal.description
        assert "empty-file" not in refusal.description
