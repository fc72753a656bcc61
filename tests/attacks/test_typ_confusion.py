"""Attacks row 11: a token of another kind, signed by the same issuer (RFC 8725 §3.11)."""

import pytest

from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker

OTHERS = [
    "at+jwt",
    "application/at+jwt",
    "logout+jwt",
    "dpop+jwt",
    "dpop+id_token",
    "secevent+jwt",
    "client-authentication+jwt",
    "authorization-grant+jwt",
    "token-introspection+jwt",
    "JOSE",
    "JWT ",
    "",
    ["JWT"],
    {"JWT": 1},
    1,
    True,
]


@pytest.mark.parametrize("kind", OTHERS, ids=range(len(OTHERS)))
def test_a_token_of_another_kind_is_refused(live_broker: RunningBroker, kind: object) -> None:
    token = live_broker.github_token(header={"typ": kind})

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


@pytest.mark.parametrize("kind", ["at+jwt", "dpop+jwt"])
def test_a_token_of_another_kind_is_refused_however_it_is_presented(
    live_broker: RunningBroker, present: Present, kind: str
) -> None:
    token = live_broker.github_token(header={"typ": kind})

    assert_refused(live_broker, present(live_broker, token), "malformed_token")


@pytest.mark.parametrize("kind", ["JWT", None])
def test_a_jwt_and_a_token_that_does_not_say_are_accepted(
    live_broker: RunningBroker, present: Present, kind: str | None
) -> None:
    token = live_broker.github_token(header={"typ": kind})

    assert present(live_broker, token).status_code == 200


def test_the_brokers_own_token_is_no_subject_token(
    live_broker: RunningBroker, present: Present
) -> None:
    own = live_broker.exchange(live_broker.github_token()).json()["access_token"]

    assert_refused(live_broker, present(live_broker, own), "issuer_not_trusted")
