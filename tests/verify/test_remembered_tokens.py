"""A token that comes again is not verified again, and counts not a moment longer for it."""

import pytest

from broker.testing import FrozenClock
from broker.verify import Reason, TokenRefused, Verifier
from broker.verify.remembered_tokens import REMEMBERED_SECONDS, RememberedTokens
from broker.verify.verified_token import VerifiedToken
from tests.verify.publishing import NOW, Publisher, signing_key, token

VERIFIED = VerifiedToken({"client_id": "deploy-web"}, frozenset(), int(NOW) + 3600)


def test_the_same_token_gives_what_was_read_of_it(verifier: Verifier, publisher: Publisher) -> None:
    good = token(signing_key("ES256"), publisher.url)
    verifier.verify(good)

    assert verifier.verify(good) is verifier.verify(good)


def test_it_ends_when_it_ends(verifier: Verifier, publisher: Publisher, clock: FrozenClock) -> None:
    good = token(signing_key("ES256"), publisher.url, exp=int(NOW) + 60)
    for _ in range(3):
        verifier.verify(good)
    clock.advance(95)

    with pytest.raises(TokenRefused) as refused:
        verifier.verify(good)
    assert refused.value.reason is Reason.TOKEN_EXPIRED


def test_it_is_remembered_for_five_minutes_at_most() -> None:
    remembered = RememberedTokens()
    remembered.keep(b"token", VERIFIED, 1, NOW, NOW)

    assert remembered.find(b"token", 1, NOW + REMEMBERED_SECONDS - 1) is VERIFIED
    assert remembered.find(b"token", 1, NOW + REMEMBERED_SECONDS) is None
    # Nor after the clock was set back.
    assert remembered.find(b"token", 1, NOW - REMEMBERED_SECONDS - 1) is None


def test_other_keys_forget_all_of_it() -> None:
    remembered = RememberedTokens()
    remembered.keep(b"token", VERIFIED, 1, NOW, NOW)

    assert remembered.find(b"token", 2, NOW) is None
    remembered.keep(b"other", VERIFIED, 2, NOW, NOW)
    assert remembered.find(b"token", 2, NOW) is None
    assert remembered.find(b"other", 2, NOW) is VERIFIED


def test_there_are_only_so_many() -> None:
    remembered = RememberedTokens(most=10)
    for number in range(100):
        remembered.keep(b"%d" % number, VERIFIED, 1, NOW, NOW)

    found = [each for each in range(100) if remembered.find(b"%d" % each, 1, NOW)]
    assert found == list(range(90, 100))


def test_one_character_more_is_another_token(verifier: Verifier, publisher: Publisher) -> None:
    good = token(signing_key("ES256"), publisher.url)
    verifier.verify(good)

    for other in (good + "=", good + " ", " " + good, good[:-1], good + "\ud800", good.upper()):
        with pytest.raises(TokenRefused):
            verifier.verify(other)
