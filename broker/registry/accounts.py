"""Service accounts and their secrets, as operators and organizations work on them.

Every change is planned by rows of one epoch and by what its caller may do at that epoch. When the
state has changed since, nothing is written, and it is planned anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from broker.core.account_id import is_account_id
from broker.core.audit import AuditEvent
from broker.core.errors import Unavailable
from broker.core.managed_account import AccountOverride, ClientSecret
from broker.core.policy import PolicySet
from broker.core.registry.account_planning import (
    Drawn,
    plan_creation,
    plan_deletion,
    plan_patch,
    read_request,
)
from broker.core.registry.members import Reading, RegistryRules
from broker.core.registry.plan import Plan, Record
from broker.core.registry.registered import AccountEntry, RegisteredAccount, of_file, of_row
from broker.core.registry.secret_planning import SecretPlanning, secret_members
from broker.grants.current_state import StateChanged, by_current_state
from broker.ports import (
    AccountChange,
    AccountList,
    AccountStore,
    Clock,
    Identify,
    Made,
    PolicySource,
    RegistryCaller,
    State,
)
from broker.registry.drawing import Drawing
from broker.registry.file_accounts import FileAccounts

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class AccountRegistry:
    """Implements the port `AccountOperations`."""

    store: AccountStore
    state: State
    policies: PolicySource
    clock: Clock
    drawing: Drawing
    rules: RegistryRules
    _file_accounts: FileAccounts = field(default_factory=FileAccounts)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    # --- reading ----------------------------------------------------------------------------------

    async def listed(
        self, caller: RegistryCaller, *, organization: str | None, after: str, limit: int
    ) -> AccountList:
        """List accounts, those of files and those that were made, by id."""
        if organization is not None and not caller.authority.sees(organization):
            return AccountList([])
        if organization is None:
            organization = caller.authority.organization
        policy_set = self._policy_set()
        # One more than asked for tells whether there is a next page.
        in_files = self._file_accounts.page(policy_set, organization, after, limit + 1)
        page = await self.store.accounts(organization=organization, after=after, limit=limit + 1)
        found = {row.client_id: of_row(row, policy_set) for row in page.accounts}
        overrides = await self._overrides() if in_files else {}
        for account in in_files:
            found[account.client_id] = of_file(account, overrides.get(account.client_id))
        ids = sorted(found)
        if page.next_after is not None:
            # Of altered rows a page holds nothing, so that it may end before the list does.
            ids = [client_id for client_id in ids if client_id <= page.next_after]
        uses = await self.store.last_used(ids[:limit])
        items = [found[client_id].members(uses.get(client_id)) for client_id in ids[:limit]]
        return AccountList(items, ids[limit - 1] if len(ids) > limit else page.next_after)

    async def shown(self, caller: RegistryCaller, client_id: str) -> dict[str, Any]:
        """Show one account."""
        policy_set = self._policy_set()
        rows = await self._rows(client_id, policy_set)
        return await self._members(rows.found(caller.authority, policy_set))

    async def secrets(self, caller: RegistryCaller, client_id: str) -> list[dict[str, Any]]:
        """List the secrets that are alive, without themselves, the oldest first."""
        policy_set, now = self._policy_set(), self.clock.now()
        rows = await self._rows(client_id, policy_set)
        _, alive = SecretPlanning(rows, caller.authority, policy_set, now).shown()
        uses = await self.store.last_uses(client_id)
        return [secret_members(each, uses.get(each.secret_id), now) for each in alive]

    # --- accounts ---------------------------------------------------------------------------------

    async def create(
        self, identify: Identify, members: Mapping[str, Any], *, with_secret: bool
    ) -> Made:
        """Make an account, with a secret if it may have one."""

        async def plan(caller: RegistryCaller) -> tuple[Plan, Made]:
            reading = self._reading(caller)
            request = read_request(caller.authority, members, reading)
            text, new = self.drawing.secret(reading.now) if with_secret else (None, None)
            drawn = Drawn(self.drawing.client_id(), self.drawing.identifier(reading.now), new)
            client_id = request.client_id or drawn.client_id
            rows = await self._rows(client_id, reading.policy_set)
            count = await self.store.count_accounts(request.organization)
            plan = plan_creation(request, caller.authority, rows, count, drawn, reading)
            account = of_row(plan.accounts[0], reading.policy_set)
            return plan, Made(account.members(None), text if plan.secrets else None)

        return await self._change(identify, plan)

    async def patch(
        self, identify: Identify, client_id: str, patch: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Change an account by a merge patch (RFC 7396), and show it."""

        async def plan(caller: RegistryCaller) -> tuple[Plan, RegisteredAccount]:
            reading = self._reading(caller)
            rows = await self._rows(client_id, reading.policy_set)
            plan = plan_patch(rows, patch, caller.authority, reading)
            after = plan.applied_to(rows).found(caller.authority, reading.policy_set)
            return plan, after

        return await self._members(await self._change(identify, plan))

    async def delete(self, identify: Identify, client_id: str) -> None:
        """End an account and its secrets."""

        async def plan(caller: RegistryCaller) -> tuple[Plan, None]:
            reading = self._reading(caller)
            rows = await self._rows(client_id, reading.policy_set)
            return plan_deletion(rows, caller.authority, reading), None

        await self._change(identify, plan)

    # --- secrets ----------------------------------------------------------------------------------

    async def create_secret(
        self, identify: Identify, client_id: str, members: Mapping[str, Any]
    ) -> Made:
        """Make one more secret."""
        text, new = self.drawing.secret(self.clock.now())
        made = await self._change_secret(
            identify, client_id, lambda planning: planning.creation(members, new)
        )
        return Made(made, text)

    async def revoke_secret(self, identify: Identify, client_id: str, secret_id: str) -> None:
        """End a secret."""
        await self._change_secret(
            identify, client_id, lambda planning: planning.revocation(secret_id)
        )

    async def rotate_secret(
        self, identify: Identify, client_id: str, members: Mapping[str, Any]
    ) -> Made:
        """Make a second secret for one that ends with the overlap."""
        text, new = self.drawing.secret(self.clock.now())
        made = await self._change_secret(
            identify, client_id, lambda planning: planning.rotation(members, new)
        )
        return Made(made, text)

    async def complete_rotation(self, identify: Identify, client_id: str) -> dict[str, Any]:
        """End the secret that is replaced; show the one that stays."""
        return await self._change_secret(identify, client_id, SecretPlanning.completion)

    async def cancel_rotation(self, identify: Identify, client_id: str) -> dict[str, Any]:
        """Drop the new secret; show the one that stays."""
        return await self._change_secret(identify, client_id, SecretPlanning.cancellation)

    async def _change_secret(
        self, identify: Identify, client_id: str, planned: Callable[[SecretPlanning], Plan]
    ) -> dict[str, Any]:
        """Make a change of secrets; show the last one that it puts, if it puts any."""

        async def plan(caller: RegistryCaller) -> tuple[Plan, ClientSecret | None]:
            policy_set = self._policy_set()
            rows = await self._rows(client_id, policy_set)
            plan = planned(SecretPlanning(rows, caller.authority, policy_set, self.clock.now()))
            return plan, plan.secrets[-1] if plan.secrets else None

        secret = await self._change(identify, plan)
        if secret is None:
            return {}
        uses = await self.store.last_uses(client_id)
        return secret_members(secret, uses.get(secret.secret_id), self.clock.now())

    # --- the change -------------------------------------------------------------------------------

    async def _change(
        self,
        identify: Identify,
        plan: Callable[[RegistryCaller], Awaitable[tuple[Plan, Result]]],
    ) -> Result:
        async def attempt(epoch: int) -> tuple[Plan, Result]:
            caller = await identify()
            planned, result = await plan(caller)
            if not planned.is_empty:
                change = self._account_change(epoch, planned, caller)
                if not await self.store.change_accounts(change):
                    raise StateChanged
                _log(change.events)
            return planned, result

        # One after another: of many at once, each would overtake all the others.
        async with self._changing:
            planned, result = await by_current_state(self.state, attempt)
            if not planned.is_empty:
                # Who has just made something finds it here at once; the change itself is made.
                with suppress(Unavailable):
                    await self.state.refresh()
        return result

    def _account_change(self, epoch: int, plan: Plan, caller: RegistryCaller) -> AccountChange:
        now = self.clock.now()
        return AccountChange(
            epoch,
            accounts=plan.accounts,
            new_ids=plan.new_ids,
            overrides=plan.overrides,
            secrets=plan.secrets,
            removed_secrets=plan.removed_secrets,
            events=tuple(self._event(record, caller, now) for record in plan.records),
        )

    def _event(self, record: Record, caller: RegistryCaller, now: float) -> AuditEvent:
        return AuditEvent(
            id=self.drawing.identifier(now),
            time=now,
            type=record.type,
            outcome="success",
            request_id=caller.request_id,
            client_address=caller.client_address,
            service_account=record.service_account,
            actor=caller.actor,
            target=record.target,
            changes=record.changes,
        )

    # --- what is planned by -----------------------------------------------------------------------

    def _policy_set(self) -> PolicySet:
        return self.policies.current().policy_set

    def _reading(self, caller: RegistryCaller) -> Reading:
        organization = caller.authority.organization
        return Reading(self._policy_set(), self.rules, self.clock.now(), organization)

    async def _rows(self, client_id: str, policy_set: PolicySet) -> AccountEntry:
        if not is_account_id(client_id):
            # It may be as long as a path, and of any characters: nothing has such an id.
            return AccountEntry()
        return AccountEntry(
            row=await self.store.account(client_id),
            in_files=policy_set.service_accounts.get(client_id),
            override=await self.store.account_override(client_id),
            secrets=await self.store.secrets_of(client_id),
        )

    async def _overrides(self) -> dict[str, AccountOverride]:
        return {each.client_id: each for each in await self.store.account_overrides()}

    async def _members(self, account: RegisteredAccount) -> dict[str, Any]:
        uses = await self.store.last_used([account.client_id])
        return account.members(uses.get(account.client_id))


def _log(events: tuple[AuditEvent, ...]) -> None:
    for event in events:
        facts = {"actor": event.actor, "account": event.service_account, "target": event.target}
        logger.info(event.type, extra=facts)
