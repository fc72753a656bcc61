"""Attacks row 32: a trusted issuer that sends too much, or too slowly."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from broker.core.vocabulary import GRANT_JWT_BEARER
from tests.attacks.hostile_issuers import HostileIssuer, HostileIssuers
from tests.attacks.key_publisher import Answer
from tests.attacks.refusals import LOG, assert_refused

LIMIT = 256 * 1024
GZIPPED = ("Content-Encoding: gzip",)


def key_set(issuer: HostileIssuer, size: int) -> bytes:
    """A good key set, padded to so many bytes."""
    text = json.dumps({"padding": "", "keys": [issuer.jwk()]}).encode()
    return text.replace(b'""', b'"' + b" " * (size - len(text)) + b'"')


@pytest.mark.parametrize("headers", [(), GZIPPED], ids=["plain", "gzip"])
def test_a_key_set_is_taken_up_to_its_limit(
    hostile_issuers: HostileIssuers, headers: tuple[str, ...]
) -> None:
    fitting, too_large = hostile_issuers.fresh(), hostile_issuers.fresh()
    for issuer, size in ((fitting, LIMIT), (too_large, LIMIT + 1)):
        text = key_set(issuer, size)
        assert len(text) == size
        issuer.publish(Answer(gzip.compress(text) if headers else text, headers=headers))

    accepted = fitting.broker.exchange(fitting.token())
    refused = too_large.broker.exchange(too_large.token())

    assert accepted.status_code == 200
    assert_refused(too_large.broker, refused, "issuer_unavailable")
    assert f"larger than {LIMIT} bytes" in LOG.text()


def test_a_gigabyte_is_not_read(hostile_issuers: HostileIssuers) -> None:
    issuer = hostile_issuers.fresh()
    issuer.publish(Answer(b" " * (1 << 20), repeats=1 << 10))

    response = issuer.broker.exchange(issuer.token())

    assert_refused(issuer.broker, response, "issuer_unavailable")
    assert f"larger than {LIMIT} bytes" in LOG.text()


def test_a_gzip_bomb_is_not_unpacked(hostile_issuers: HostileIssuers) -> None:
    issuer = hostile_issuers.fresh()
    # A quarter of a gigabyte in a quarter of a megabyte: below the limit as it is sent.
    bomb = gzip.compress(b" " * (1 << 20), mtime=0) * 250
    assert len(bomb) < LIMIT * 2
    issuer.publish(Answer(bomb, headers=GZIPPED))

    response = issuer.broker.exchange(issuer.token())

    assert_refused(issuer.broker, response, "issuer_unavailable")
    assert f"larger than {LIMIT} bytes" in LOG.text()


def test_an_issuer_that_takes_its_time_is_given_up(hostile_issuers: HostileIssuers) -> None:
    """One byte at a time, or none at all: the whole fetch has one deadline (ten seconds)."""
    trickling, silent, other = (hostile_issuers.fresh() for _ in range(3))
    broker = hostile_issuers.broker
    trickling.publish(Answer(key_set(trickling, 10_000), trickles=True))
    silent.publish(Answer(silent=True))
    other.publish_well()

    def present(issuer: HostileIssuer) -> httpx.Response:
        form = {
            "grant_type": GRANT_JWT_BEARER,
            "assertion": issuer.token(),
            "audience": "deploy-api",
        }
        return broker.post(form, timeout=30)

    with ThreadPoolExecutor(2) as pool:
        slow = pool.map(present, (trickling, silent))
        # Nobody else waits meanwhile.
        assert broker.exchange(other.token()).status_code == 200
        responses = list(slow)

    for response in responses:
        assert_refused(broker, response, "issuer_unavailable")
    assert "no complete answer within 10 seconds" in LOG.text()
