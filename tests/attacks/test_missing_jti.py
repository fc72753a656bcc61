"""Row 42: a token without an id cannot be spent, so it must not buy anything where ids count."""

from typing import Any

import pytest

from broker.testing import gitlab_claims
from tests.attacks.hand_made_tokens import with_raw_claim, without_claim
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified

WRONG_IDS: list[Any] = ["", 7, True, 1.5, ["a"], {"a": "b"}, "j" * 256]


@pytest.mark.parametrize("jti", [None, *WRONG_IDS], ids=lambda jti: repr(jti)[:16])
def test_a_single_use_token_has_a_bounded_text_as_its_id(
    live_broker: RunningBroker, jti: Any
) -> None:
    answer = live_broker.exchange(with_raw_claim(live_broker, "jti", jti))

    assert_refused(live_broker, answer, "claim_invalid")


def test_a_single_use_token_without_id_is_refused(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(without_claim(live_broker, "jti"))

    assert_refused(live_broker, answer, "claim_invalid")


def test_an_id_of_255_characters_is_spent_like_any_other(live_broker: RunningBroker) -> None:
    token = live_broker.github_token(jti="j" * 255)

    verified(live_broker, live_broker.exchange(token))
    assert_refused(live_broker, live_broker.exchange(token), "token_already_used")


def test_an_id_of_a_megabyte_does_not_get_that_far(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(live_broker.github_token(jti="j" * 20_000))

    assert_refused(live_broker, answer, "malformed_token")


def test_a_per_audience_token_needs_an_id_too(live_broker: RunningBroker) -> None:
    token = live_broker.gitlab_corp.token(gitlab_claims(jti=None), audience=AUDIENCE)

    assert_refused(live_broker, live_broker.exchange(token), "claim_invalid")


def test_a_reusable_token_may_have_none(live_broker: RunningBroker) -> None:
    token = live_broker.gitlab_token(jti=None)

    verified(live_broker, live_broker.exchange(token))
    verified(live_broker, live_broker.exchange(token))


@pytest.mark.parametrize("jti", WRONG_IDS, ids=lambda jti: repr(jti)[:16])
def test_but_not_a_wrong_one(live_broker: RunningBroker, jti: Any) -> None:
    answer = live_broker.exchange(live_broker.gitlab_token(jti=jti))

    assert_refused(live_broker, answer, "claim_invalid")
