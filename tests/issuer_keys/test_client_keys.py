"""Keys that accounts publish: followed like an issuer's, as many as are in use, and no others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from broker.core.client import LiveAccount
from broker.core.errors import Unavailable
from broker.core.managed_account import FILE_INCARNATION
from broker.core.policy import ServiceAccount
from broker.issuer_keys import ClientKeys
from broker.testing import FrozenClock
from tests.client_keys import KeyPair
from tests.issuer_keys.key_server import KEYS, KeyServer

AT_MOST = 6


@pytest.fixture
async def client_keys(clock: FrozenClock) -> AsyncIterator[ClientKeys]:
    made = ClientKeys(
        clock, broker_on_loopback=True, rng=lambda: 0.0, hosts=["127.0.0.1"], at_most=AT_MOST
    )
    yield made
    await made.close()


def registered(incarnation: str = FILE_INCARNATION, **members: Any) -> LiveAccount:
    return LiveAccount(
        ServiceAccount(**({"client_id": "web", "grants": {}} | members)), incarnation
    )


def publishing(client_id: str, server: KeyServer) -> LiveAccount:
    return registered(client_id=client_id, jwks_uri=server.origin + KEYS)


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
        account = registered(client_id=f"m-{number}", jwks_uri="ftp://127.0.0.1/")
        with pytest.raises(Unavailable):
            await client_keys.find(account, "k1")
    assert len(client_keys._followed) == AT_MOST // 2

    [_] = await client_keys.find(publishing("first", server), "k1")
    assert server.fetches() == 2


async def test_stated_keys_need_no_network(client_keys: ClientKeys) -> None:
    pair, other = KeyPair.made(), KeyPair.made("RS256", "key-2")
    jwks = {"keys": [*pair.jwks()["keys"], *other.jwks()["keys"]]}
    account = registered(jwks=jwks)

    assert [each.key_id for each in await client_keys.find(account, "key-2")] == ["key-2"]
    assert len(await client_keys.find(account, "")) == 2
    assert await client_keys.find(account, "key-3") == ()
    assert await client_keys.find(registered(), "key-1") == ()


async def test_what_the_api_registered_is_fetched_from_configured_hosts_alone(
    client_keys: ClientKeys, server: KeyServer
) -> None:
    named = server.origin + KEYS
    for jwks_uri in (named.replace("127.0.0.1", "localhost"), "https://127.0.0.2/jwks", "x"):
        assert await client_keys.find(registered("i-1", jwks_uri=jwks_uri), "k1") == ()
    assert server.fetches() == 0

    [_] = await client_keys.find(registered("i-1", jwks_uri=named), "k1")
    assert server.fetches() == 1
