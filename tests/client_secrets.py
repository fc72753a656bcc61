"""Accounts and secrets for a running broker, put into its store as another process would."""

import asyncio
import base64
import os
from dataclasses import replace
from itertools import count
from typing import Any

import httpx

from broker.core import client_secret
from broker.core.managed_account import FILE_INCARNATION, ClientSecret, ManagedAccount
from broker.ports import AccountChange
from broker.signing.master_key import MasterKey
from broker.signing.pepper import load_pepper
from broker.signing.sealed_accounts import SealedAccounts
from broker.signing.sealed_rows import SealedBox
from broker.stores.sqlite import SqliteStore
from tests.running_broker import NOW, RunningBroker

GRANTS = {"deploy-api": ("deploy:read", "deploy:write"), "artifacts": ("artifacts:*",)}

_numbers = count(1)


def an_account(**members: Any) -> ManagedAccount:
    """Make an account that the API would manage."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "client_id": f"m-{number}",
        "incarnation": f"incarnation-{number}",
        "name": f"Cron job {number}",
        "grants": GRANTS,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return ManagedAccount(**(defaults | members))


def give(broker: RunningBroker, account: ManagedAccount, **members: Any) -> str:
    """Put an account and a secret of it into the store; give the secret."""
    secret = client_secret.generate("live", os.urandom)
    _put(broker, secret, account, account.client_id, account.incarnation, members)
    return secret


def give_to_file_account(broker: RunningBroker, client_id: str, **members: Any) -> str:
    """Put a secret of an account in the files into the store; give it."""
    secret = client_secret.generate("live", os.urandom)
    _put(broker, secret, None, client_id, FILE_INCARNATION, members)
    return secret


def change(broker: RunningBroker, account: ManagedAccount, **members: Any) -> ManagedAccount:
    """Change an account in the store."""
    changed = replace(account, **members)
    _change(broker, lambda _: {"accounts": (changed,)})
    return changed


def revoke(broker: RunningBroker, *secret_ids: str) -> None:
    """Take secrets out of the store."""
    _change(broker, lambda _: {"removed_secrets": secret_ids})


def ask(
    broker: RunningBroker, client_id: str, secret: str, *, basic: bool = False, **form: Any
) -> httpx.Response:
    """Ask for a token by client credentials."""
    fields: dict[str, Any] = {"grant_type": "client_credentials", "audience": "deploy-api", **form}
    fields = {name: value for name, value in fields.items() if value is not None}
    if not basic:
        return broker.post(fields | {"client_id": client_id, "client_secret": secret})
    return broker.post(fields, headers=basic_header(client_id, secret))


def basic_header(client_id: str, secret: str) -> dict[str, str]:
    """Write credentials as a Basic header, without any encoding."""
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def _put(
    broker: RunningBroker,
    secret: str,
    account: ManagedAccount | None,
    client_id: str,
    incarnation: str,
    members: dict[str, Any],
) -> None:
    def planned(pepper: bytes) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "secret_id": f"s-{client_id}-{next(_numbers)}",
            "client_id": client_id,
            "incarnation": incarnation,
            "digest": client_secret.digest(secret, pepper),
            "created_at": NOW,
        }
        kept = ClientSecret(**(defaults | members))
        return {"accounts": (account,) if account else (), "secrets": (kept,)}

    _change(broker, planned)


def _change(broker: RunningBroker, planned: Any) -> None:
    async def made() -> None:
        key_file = broker.folder / "master.key"
        box = SealedBox(MasterKey.from_text(key_file.read_text(), str(key_file)))
        store = await SqliteStore.open(broker.folder / "broker.db", broker.clock)
        try:
            members = planned(await load_pepper(store, box))
            change = AccountChange(await store.state_epoch(), **members)
            assert await SealedAccounts(store, box).change_accounts(change)
        finally:
            await store.close()

    asyncio.run(made())
