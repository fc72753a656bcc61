"""What the configured store says: accounts, secrets, and the events of issued tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from broker.cli.audit.opening import master_key_of, settings_of, store_of
from broker.cli.endings import fail
from broker.cli.terminal import progress

if TYPE_CHECKING:
    from broker.core.access.grant import AccessGrant
    from broker.core.access.grants import StoredState
    from broker.core.access.review import LookUp
    from broker.core.access.uses import LiveSecrets
    from broker.core.policy import PolicySet
    from broker.ports import AccountReading, StoreReading
    from broker.settings import Settings

PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Stored:
    """A store that is there, opened for reading."""

    settings: "Settings"
    store: "StoreReading"
    accounts: "AccountReading"

    @classmethod
    async def open(cls, config: Path | None, data: Path) -> "Stored | None":
        """Open the configured store; None when there is none yet.

        Raises `ConfigurationError` and `Unavailable`.
        """
        from broker.signing.sealed_accounts import SealedAccountsReading
        from broker.signing.sealed_rows import SealedBox
        from broker.stores.opening import store_exists

        settings = settings_of(config, data)
        if not await store_exists(settings.store):
            return None
        store = store_of(settings)
        box = SealedBox(await master_key_of(settings, store))
        return cls(settings, store, SealedAccountsReading(store, box))

    async def state(self) -> "StoredState":
        """Give which accounts were made, and what is stopped. Raises `Unavailable`."""
        from broker.core.access.grants import StoredState
        from broker.core.blocks import Blocks

        page = await self.accounts.accounts(limit=PAGE)
        managed = [*page.accounts]
        while page.next_after is not None:
            page = await self.accounts.accounts(after=page.next_after, limit=PAGE)
            managed += page.accounts
        return StoredState(
            tuple(managed),
            await self.accounts.account_overrides(),
            frozenset(await self.store.issuers_off()),
            Blocks(await self.store.blocks()),
        )

    async def note_another_set(self, policy_set: "PolicySet") -> None:
        """Say so when brokers of this store run another set. Raises `Unavailable`."""
        kept = await self.store.last_policy_set()
        if kept is not None and kept.version != policy_set.version:
            typer.echo(
                f"broker: these files are policy set {policy_set.version}; brokers of this store"
                f" last ran {kept.version}",
                err=True,
            )

    async def look_up(
        self,
        grants: Sequence["AccessGrant"],
        policy_set: "PolicySet",
        since: float,
        now: float,
    ) -> "LookUp":
        """Find when grants were used, and which secrets are alive; times in seconds.

        `policy_set` is that of the files. Ends the command at an event that was changed. Raises
        `Unavailable`.
        """
        from broker.core.access.review import LookUp
        from broker.core.access.uses import Uses
        from broker.core.audit import ERASED, rfc3339
        from broker.ports import EventFilter

        uses = Uses(grants)
        # Events of before the first one were never there, or are pruned.
        first = await self.store.find_events(EventFilter(), limit=1)
        begins = str(first[0].members()["time"]) if first else rfc3339(now)
        end = await self.store.chain_end()
        after = 0
        wanted = EventFilter(outcome="success", since=since)
        with progress(end.sequence if end else 0, "reading events") as advance:
            while page := await self.store.find_events(wanted, after=after, limit=PAGE):
                for event in page:
                    if not event.link().fits:
                        fail(f"event {event.sequence} was changed; see `broker audit verify`")
                    # What jobs claimed is left out: nothing here asks for it.
                    uses.add(replace(event, claims=ERASED).members())
                advance(page[-1].sequence - after)
                after = page[-1].sequence
        return LookUp(max(begins, rfc3339(since)), uses, await self._secrets(policy_set, now))

    async def _secrets(self, policy_set: "PolicySet", now: float) -> Mapping[str, "LiveSecrets"]:
        from broker.core.access.uses import LiveSecrets
        from broker.registry.report import accounts_with_secrets

        found = {}
        async for each in accounts_with_secrets(self.accounts, policy_set, now):
            used = [each.last_uses.get(secret.secret_id) for secret in each.secrets]
            last = max((at for at in used if at is not None), default=None)
            found[each.account.client_id] = LiveSecrets(len(each.secrets), last)
        return found
