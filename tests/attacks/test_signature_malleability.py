"""Attacks row 14: other texts for the same token, to be sent again or to slip past a filter."""

import uuid

import pytest

from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

VARIANTS = [
    "{h}.{p}.{s}=",
    "{h}.{p}.{s}==",
    "{h}.{p}.{s}====",
    "{h}=.{p}.{s}",
    "{h}.{p}==.{s}",
    " {h}.{p}.{s}",
    "{h}.{p}.{s} ",
    "{h}.{p}.{s}\n",
    "{h}.{p}.{s}\r\n",
    "{h}.{p}.{s}\t",
    "{h}.{p}.{s}\x00",
    "{h}. {p}.{s}",
    "{h}.\n{p}.\n{s}",
    "{h}.{p}.{s}\u200b",
    "{h}.{p}.{s}%3D%3D",
    "{h}.{p}.{s}!",
    "{h}.{p}.{s}#x",
    "\ufeff{h}.{p}.{s}",
]


@pytest.mark.parametrize("variant", VARIANTS, ids=range(len(VARIANTS)))
def test_another_text_of_a_good_token_is_refused(live_broker: RunningBroker, variant: str) -> None:
    header, payload, signature = live_broker.github_token().split(".")

    response = live_broker.exchange(variant.format(h=header, p=payload, s=signature))

    assert_refused(live_broker, response, "malformed_token")


def test_the_last_character_is_the_canonical_one(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    # 256 bytes leave four unused bits in the last character: sixteen texts, one signature.
    start = ALPHABET.index(token[-1])

    for unused in range(1, 16):
        variant = token[:-1] + ALPHABET[start + unused]
        assert_refused(live_broker, live_broker.exchange(variant), "malformed_token")
    assert live_broker.exchange(token).status_code == 200


def test_the_alphabet_is_that_of_urls(live_broker: RunningBroker, present: Present) -> None:
    token = live_broker.github_token()
    while not set("-_") & set(token):
        token = live_broker.github_token()

    variant = token.replace("-", "+").replace("_", "/")

    assert_refused(live_broker, present(live_broker, variant), "malformed_token")


def test_a_used_token_is_not_fresh_in_another_text(
    live_broker: RunningBroker, present: Present
) -> None:
    token = live_broker.github_token()
    assert live_broker.exchange(token).status_code == 200

    assert_refused(live_broker, present(live_broker, token + "=="), "malformed_token")
    assert_refused(live_broker, present(live_broker, token), "token_already_used")


def test_a_token_is_known_by_its_jti_and_not_by_its_text(
    live_broker: RunningBroker, present: Present
) -> None:
    jti = str(uuid.uuid4())
    first = live_broker.github_token(jti=jti)
    second = live_broker.github_token(jti=jti, header={"x5t": "another text"})
    assert live_broker.exchange(first).status_code == 200

    assert_refused(live_broker, present(live_broker, second), "token_already_used")
