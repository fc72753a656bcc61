"""RabbitMQ of Debian takes the broker's tokens as passwords, by its plugin for OAuth 2.

It is configured by examples/services/rabbitmq; docs/reference/interop.md says what is found.
"""

import time
from collections.abc import Iterator, Sequence

import pytest
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker

from tests.interop.near_misses import ISSUER, at_now
from tests.interop.page_rows import found
from tests.issuer_keys.certificates import Authority
from tests.parties.broker_at_work import BrokerAtWork
from tests.parties.debian import version
from tests.parties.keys_over_tls import KeysOverTls, keys_over_tls
from tests.parties.rabbitmq import RabbitMq, rabbitmq
from tests.parties.said_of_debian import assert_said
from tests.verify.publishing import Publisher, signing_key

SERVICE = {"aud": "rabbitmq", "scope": "rabbitmq.write:deploy/amq.direct rabbitmq.read:deploy/jobs"}


@pytest.fixture(scope="module")
def keys(authority: Authority, publisher: Publisher) -> Iterator[KeysOverTls]:
    with keys_over_tls(authority.server, publisher.url) as served:
        yield served


@pytest.fixture(scope="module")
def server(
    keys: KeysOverTls, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RabbitMq]:
    replaced = {
        f"{ISSUER}/.well-known/jwks.json": keys.url,
        "/etc/ssl/certs/ca-certificates.crt": str(authority.ca_file),
    }
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq"), replaced) as running:
        yield running


def test_it_does_what_the_page_says(
    server: RabbitMq, keys: KeysOverTls, publisher: Publisher
) -> None:
    keys.upstream = publisher.url

    def lets_in(algorithm: str, tokens: Sequence[str]) -> list[bool]:
        return [server.lets_in(token) for token in tokens]

    assert_said(found("RabbitMQ", version("rabbitmq", "rabbitmq-server"), lets_in, **SERVICE))


def test_a_token_does_what_its_scopes_say_and_nothing_else(
    server: RabbitMq, keys: KeysOverTls, publisher: Publisher
) -> None:
    keys.upstream = publisher.url
    both = at_now(signing_key("ES256"), **SERVICE)
    reads = at_now(signing_key("ES256"), **SERVICE | {"scope": "rabbitmq.read:deploy/jobs"})
    others = at_now(signing_key("ES256"), **SERVICE | {"scope": "deploy:write"})

    assert server.publishes(both, "jobs", b"deploy web")
    assert not server.publishes(reads, "jobs")
    assert server.reads(both, "secrets") is None
    assert server.reads(reads, "jobs") == b"deploy web"
    assert not server.lets_in(both, "billing")
    assert not server.lets_in(others)


def test_it_takes_the_tokens_of_a_broker_by_old_keys_and_new(
    server: RabbitMq, keys: KeysOverTls, broker: BrokerAtWork
) -> None:
    keys.upstream = broker.url
    before = broker.token("rabbitmq")
    assert server.publishes(before, "jobs", b"first")
    assert server.reads(before, "jobs") == b"first"

    assert server.publishes(broker.token_by_a_new_key("rabbitmq"), "jobs", b"second")
    assert server.reads(before, "jobs") == b"second"
    assert not server.publishes(broker.token("rabbitmq", "rabbitmq.read:deploy/jobs"), "jobs")
    assert not server.lets_in(broker.token("store"))


def test_it_takes_an_audience_with_spaces_for_several(
    server: RabbitMq, keys: KeysOverTls, publisher: Publisher
) -> None:
    """One more reason why no service of the broker may have such an audience."""
    keys.upstream = publisher.url

    assert server.lets_in(at_now(signing_key("ES256"), **SERVICE | {"aud": "billing rabbitmq"}))


def test_a_connection_outlives_its_token_and_may_do_nothing(
    server: RabbitMq, keys: KeysOverTls, publisher: Publisher
) -> None:
    keys.upstream = publisher.url
    began = time.monotonic()
    assert server.lets_in(at_now(signing_key("ES256"), **SERVICE))
    # On a busy machine it takes long to log in, and the token has to last until then.
    ends = int(time.time() + 2 + 10 * (time.monotonic() - began))
    with server.connection(at_now(signing_key("ES256"), exp=ends, **SERVICE)) as connection:

        def reads_by_a_new_channel() -> bool:
            """What a channel has been allowed once, it may for a while."""
            try:
                connection.channel().basic_get("jobs", auto_ack=True)
            except ChannelClosedByBroker as refused:
                return int(refused.reply_code) != 403
            return True

        while reads_by_a_new_channel():
            assert time.time() < ends + 60
            time.sleep(0.1)
        assert time.time() >= ends
        assert connection.is_open


def test_a_token_longer_than_a_first_frame_does_not_get_through(
    server: RabbitMq, keys: KeysOverTls, publisher: Publisher
) -> None:
    """Said in docs/guides/relying-parties.md."""
    keys.upstream = publisher.url
    short, long = (at_now(signing_key("ES256"), pad="x" * pad, **SERVICE) for pad in (2150, 2600))

    assert 3400 < len(short) < 3500
    assert 4000 < len(long) < 4096
    assert server.lets_in(short)
    with pytest.raises(AMQPConnectionError), server.connection(long):
        pytest.fail("it reads more than it did")
