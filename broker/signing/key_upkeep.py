"""Carrying out what the schedule of the signing keys says; every process may, none has to lead.

A change is made only if the store is still as it was when the change was planned. So processes that
plan at the same moment end with the same rows.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from broker.core import key_schedule
from broker.core.errors import ConfigurationError, Reason, Unavailable
from broker.core.key_line import KeyLine, RotationRules, ScheduledKey
from broker.core.key_schedule import KeyPlan, KeysHeld
from broker.core.signing_keys import PrivateKey, SigningKey
from broker.ports import (
    Clock,
    Identifiers,
    ListedKey,
    SigningKeyChange,
    SigningKeyRow,
    StateEpoch,
    Succession,
)
from broker.signing.key_pairs import generate
from broker.signing.key_record import events_of, key_event, log_events
from broker.signing.keyring import Keyring, KeyringStore

ACTOR: Final = "key upkeep"
"""Who makes and removes keys when their time has come, for the audit."""

LONGEST_INTERVAL: Final = 60.0
"""Seconds between two looks at the keys; shorter where keys are published for minutes only."""

RETRY_AFTER: Final = 5.0
"""Seconds until the next look when one has failed."""

ATTEMPTS: Final = 10

logger = logging.getLogger(__name__)

Plan = Callable[[KeysHeld, float], KeyPlan]


class UpkeepStore(KeyringStore, StateEpoch, Protocol):
    """Where the keys are read and changed."""


class KeyUpkeep:
    """Keeps the signing keys to their schedule; implements the port `SigningKeyOperations`."""

    def __init__(
        self,
        store: UpkeepStore,
        keyring: Keyring,
        rules: RotationRules,
        clock: Clock,
        identifiers: Identifiers,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._rules = rules
        self._clock = clock
        self._identifiers = identifiers
        self._interval = min(LONGEST_INTERVAL, rules.publish_before_use / 8)

    async def run(self) -> None:
        """Do what is due, for as long as the broker serves."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._keyring.alarmed.wait()
            self._keyring.alarmed.clear()
            try:
                await self.keep_up()
            except (Unavailable, ConfigurationError) as error:
                logger.error("the signing keys are looked at again: %s", error)  # noqa: TRY400
                await asyncio.sleep(min(RETRY_AFTER, self._interval))
                self._keyring.alarmed.set()

    async def keep_up(self) -> None:
        """Do what is due now: a first key, the next standby, a removal; mostly nothing.

        Raises `Unavailable`, and `ConfigurationError` when the store is under another master key.
        """
        await self._carry_out(
            lambda held, now: key_schedule.upkeep(held, self._rules, now), actor=ACTOR
        )

    async def listed(self) -> list[ListedKey]:
        """List the keys by algorithm, the oldest first. Raises `Unavailable`."""
        await self._keyring.reload()
        now = self._clock.now()
        listed = [_listed(row, now, readable=True) for row in self._keyring.rows()]
        listed += [_listed(row, now, readable=False) for row in self._keyring.unreadable()]
        return sorted(listed, key=lambda key: (key.algorithm, key.generation))

    async def rotate(self, *, at_once: bool, actor: str) -> list[Succession]:
        """Let the standbys sign as soon as every verifier knows them, or at once.

        Raises `Unavailable`.
        """
        done = await self._carry_out(
            lambda held, now: key_schedule.rotate(held, self._rules, now, at_once=at_once),
            actor=actor,
        )
        after = self._keyring.schedules()
        return [
            _succession(algorithm, done.before, after, self._rules, done.now)
            for algorithm in self._rules.algorithms
        ]

    async def retire(self, key_id: str, actor: str) -> None:
        """Let a key be gone at once; one that cannot be read, too.

        Raises `RetirementRefused` and `Unavailable`.
        """

        def plan(held: KeysHeld, now: float) -> KeyPlan:
            if any(row.key_id == key_id for row in self._keyring.unreadable()):
                return key_schedule.upkeep(held, self._rules, now)
            return key_schedule.retire(held, self._rules, now, key_id)

        await self._carry_out(plan, actor=actor, retired=key_id)

    async def _carry_out(self, make: Plan, *, actor: str, retired: str | None = None) -> "_Done":
        """Plan and change until nobody else has changed anything in between."""
        made: dict[tuple[str, int], PrivateKey] = {}
        for _ in range(ATTEMPTS):
            epoch = await self._store.state_epoch()
            await self._keyring.reload()
            held, now = self._keyring.schedules(), self._clock.now()
            plan = make(held, now)
            dropped = [row for row in self._keyring.unreadable() if row.key_id == retired]
            done = _Done(held, now)
            if not plan and not dropped:
                return done
            change = await self._change(epoch, plan, dropped, made, actor, retired, now)
            if await self._store.change_signing_keys(change):
                await self._keyring.reload()
                log_events(change.events)
                return done
        raise Unavailable(Reason.STORE_UNAVAILABLE, "the state changes too fast", retry_after=1)

    async def _change(
        self,
        epoch: int,
        plan: KeyPlan,
        dropped: list[SigningKeyRow],
        made: dict[tuple[str, int], PrivateKey],
        actor: str,
        retired: str | None,
        now: float,
    ) -> SigningKeyChange:
        rows = {(row.algorithm, row.generation): row for row in self._keyring.rows()}
        put: list[SigningKeyRow] = []
        for _, key in plan.changed:
            held = self._keyring.rows()[rows[key.algorithm, key.generation]]
            put.append(self._keyring.wrapped(replace(held, schedule=key.schedule), key.generation))
        created = await self._created(plan.created, made)
        put += [self._keyring.wrapped(key, each.generation) for each, key in created]
        named = [replace(each, key_id=key.key_id) for each, key in created]
        events = events_of(
            replace(plan, created=tuple(named)),
            retired=retired,
            ended=self._has_ended,
            actor=actor,
            now=now,
            draw_id=self._identifiers.new,
        )
        for row in dropped:
            facts = {"algorithm": row.algorithm, "generation": row.generation, "readable": False}
            event_id = self._identifiers.new(now)
            events += (
                key_event(
                    "key.retired", row.key_id, facts, actor=actor, now=now, event_id=event_id
                ),
            )
        removed = [rows[key.algorithm, key.generation] for key in plan.removed]
        return SigningKeyChange(epoch, tuple(put), (*removed, *dropped), events)

    async def _created(
        self, wanted: Sequence[ScheduledKey], made: dict[tuple[str, int], PrivateKey]
    ) -> list[tuple[ScheduledKey, SigningKey]]:
        """Make the key pairs that a plan asks for, those excepted that an earlier attempt made."""
        missing = [key for key in wanted if (key.algorithm, key.generation) not in made]
        # In threads, because an RSA key takes long to find and the event loop may be serving.
        pairs = await asyncio.gather(
            *(asyncio.to_thread(generate, key.algorithm) for key in missing)
        )
        for key, pair in zip(missing, pairs, strict=True):
            made[key.algorithm, key.generation] = pair
        return [
            (key, SigningKey.of(made[key.algorithm, key.generation], key.algorithm, key.schedule))
            for key in wanted
        ]

    def _has_ended(self, key: ScheduledKey) -> bool:
        """Tell whether a key ends because its algorithm is no longer configured."""
        return key.algorithm not in self._rules.algorithms


@dataclass(frozen=True, slots=True)
class _Done:
    """What a change started from."""

    before: KeysHeld
    now: float


def _succession(
    algorithm: str, before: KeysHeld, after: KeysHeld, rules: RotationRules, now: float
) -> Succession:
    signed = _line(algorithm, before, rules, now).signing()
    line = _line(algorithm, after, rules, now)
    signs = line.signing()
    following = signs if signs is not None and signs.generation != _generation(signed) else None
    following = following or line.waiting()[0]
    return Succession(
        algorithm=algorithm,
        key_id=str(following.key_id),
        before=None if signed is None else signed.key_id,
        sign_from=following.schedule.sign_from,
    )


def _line(algorithm: str, held: KeysHeld, rules: RotationRules, now: float) -> KeyLine:
    keys = [key for key in held.keys if key.algorithm == algorithm]
    return KeyLine(algorithm, keys, held.generations.get(algorithm, 0), rules, now)


def _generation(key: ScheduledKey | None) -> int | None:
    return None if key is None else key.generation


def _listed(row: SigningKeyRow, now: float, *, readable: bool) -> ListedKey:
    state = row.schedule.state(now) if readable else None
    return ListedKey(row.key_id, row.algorithm, row.generation, state, row.schedule)
