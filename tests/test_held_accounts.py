"""Accounts and secrets are read once for an epoch, and never after it."""

import asyncio
from collections import Counter

from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount
from broker.held_accounts import MAX_HELD, HeldAccounts

CRON = ManagedAccount("cron", "i-1", "Cron jobs")
SECRET = ClientSecret("s-1", "cron", "i-1", b"d" * 32, 0.0)


class Reading:
    """A store with one account and one secret that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[object] = Counter()
        self.account_found: ManagedAccount | None = CRON
        self.paused = asyncio.Event()
        self.paused.set()

    async def account(self, client_id: str) -> ManagedAccount | None:
        self.asked[client_id] += 1
        found = self.account_found if client_id == "cron" else None
        await self.paused.wait()
        return found

    async def account_override(self, client_id: str) -> AccountOverride | None:
        self.asked["override", client_id] += 1
        return None

    async def secret_of_digest(self, digest: bytes) -> ClientSecret | None:
        self.asked[digest] += 1
        return SECRET if digest == SECRET.digest else None


async def test_what_was_found_is_not_read_again_until_the_store_changes() -> None:
    reading = Reading()
    held = HeldAccounts(reading)
    for _ in range(3):
        assert await held.account("cron") == CRON
        assert await held.override("cron") is None
        assert await held.secret_of_digest(SECRET.digest) == SECRET
    assert set(reading.asked.values()) == {1}

    reading.account_found = None
    await held.refresh()
    assert await held.account("cron") is None
    assert reading.asked["cron"] == 2


async def test_guesses_leave_nothing_behind() -> None:
    reading = Reading()
    held = HeldAccounts(reading)
    for _ in range(2):
        assert await held.secret_of_digest(b"g" * 32) is None

    assert reading.asked[b"g" * 32] == 2


async def test_what_is_held_is_bounded() -> None:
    reading = Reading()
    held = HeldAccounts(reading)
    for number in range(MAX_HELD + 1):
        await held.account(f"a-{number}")
    await held.account("a-0")
    await held.account(f"a-{MAX_HELD}")

    assert reading.asked["a-0"] == 2
    assert reading.asked[f"a-{MAX_HELD}"] == 1


async def test_what_was_read_before_a_change_is_not_held_after_it() -> None:
    reading = Reading()
    held = HeldAccounts(reading)
    reading.paused.clear()
    asking = asyncio.create_task(held.account("cron"))
    await asyncio.sleep(0)
    await held.refresh()
    reading.account_found = None
    reading.paused.set()

    assert await asking == CRON
    assert await held.account("cron") is None
