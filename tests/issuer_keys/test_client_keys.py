"""Keys that accounts publish: followed like an issuer's, as many as are in use, and no others."""

from collections.abc import AsyncIterator

import pytest

from broker.core.errors import Unavailable
from broker.core.policy import ServiceAccount
from broker.issuer_keys import ClientKeys
from broker.testing import FrozenClock
from tests.client_keys import KeyPair
from tests.issuer_keys.key_server import KEYS, KeyServer

AT_MOST = 6


@pytest.fixture
async def client_keys(clock: FrozenClock) -> AsyncIterator[ClientKeys]:
    made = ClientKeys(clock, broker_on_loopback=True, rng=lambda: 0.0, at_most=AT_MOST)
    yield made
    await made.close()


def publishing(client_id: str, server: KeyServer) -> ServiceAccount:
    jwks_uri = server.origin + KEYS
    return ServiceAccount(client_id, {}, secrets_allowed=True, jwks_uri=jwks_uri)


async def test_published_keys_are_fetched_once_and_found_by_their_id(
    client_keys: ClientKeys, server: KeyServer
) -> None:
    for _ in range(3):
        [found] = await client_keys.find(publishing("web", server), "k1")
        assert found.key_id == "k1"
    assert server.fetches() == 1

    assert await client_keys.find(publishing("web", server), "another") == ()
    assert await client_keys.find(publishing("web", server), "") == ()
    assert server.fetches() == 2


async def test_where_keys_were_published_before_nobody_asks_any_more(
    client_keys: ClientKeys, server: KeyServer, other_server: KeyServer
) -> None:
    [_] = await client_keys.find(publishing("web", server), "k1")
    [_] = await client_keys.find(publishing("web", other_server), "k1")
    assert (server.fetches(), other_server.fetches()) == (1, 1)

    [_] = await client_keys.find(publishing("web", server), "k1")
    assert (server.fetches(), other_server.fetches()) == (2, 1)


async def test_two_accounts_at_one_url_are_followed_apart(
    client_keys: ClientKeys, server: KeyServer
) -> None:
    for client_id in ("web", "cron", "web"):
        [_] = await client_keys.find(publishing(client_id, server), "k1")

    assert server.fetches() == 2


async def test_only_so_many_accounts_are_followed(
    client_keys: ClientKeys, server: KeyServer
) -> None:
    [_] = await client_keys.find(publishing("first", server), "k1")
    for number in range(AT_MOST):
        account = ServiceAccount(f"m-{number}", {}, jwks_uri="ftp://127.0.0.1/")
        with pytest.raises(Unavailable):
            await client_keys.find(account, "k1")
    assert len(client_keys._followed) == AT_MOST // 2

    [_] = await client_keys.find(publishing("first", server), "k1")
    assert server.fetches() == 2


async def test_stated_keys_need_no_network(client_keys: ClientKeys) -> None:
    pair, other = KeyPair.made(), KeyPair.made("RS256", "key-2")
    jwks = {"keys": [*pair.jwks()["keys"], *other.jwks()["keys"]]}
    account = ServiceAccount("web", {}, jwks=jwks)

    assert [each.key_id for each in await client_keys.find(account, "key-2")] == ["key-2"]
    assert len(await client_keys.find(account, "")) == 2
    assert await client_keys.find(account, "key-3") == ()
    assert await client_keys.find(ServiceAccount("cron", {}), "key-1") == ()
