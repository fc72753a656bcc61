"""The keys of one algorithm in line: one signs, one waits, those before stay for a while."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from broker.core.signing_keys import SigningSchedule

LONGEST_TOKEN_LIFE: Final = 24 * 3600
"""Seconds; no `max_ttl` may be longer (contract §3)."""


@dataclass(frozen=True, slots=True)
class RotationRules:
    """What the configuration says of signing keys; durations in seconds."""

    algorithms: tuple[str, ...]
    rotate_every: float
    publish_before_use: float
    leeway: float

    def removal(self, ended: float) -> float:
        """Tell when the last token of a key is over that ceased to sign at `ended`."""
        return ended + LONGEST_TOKEN_LIFE + self.leeway


@dataclass(frozen=True, slots=True)
class ScheduledKey:
    """A key of which only its place and its hours count; one not made yet has no `key_id`."""

    key_id: str | None
    algorithm: str
    generation: int
    schedule: SigningSchedule


class KeyLine:
    """The keys of one algorithm while a plan is made at `now`; later generations come behind.

    `generation` is the highest that was ever taken, also by keys that are not in the line.
    """

    def __init__(
        self,
        algorithm: str,
        keys: Iterable[ScheduledKey],
        generation: int,
        rules: RotationRules,
        now: float,
    ) -> None:
        self._algorithm = algorithm
        self._keys = {key.generation: key for key in keys if not key.schedule.over(now)}
        self._generation = generation
        self._rules = rules
        self._now = now

    def keys(self) -> list[ScheduledKey]:
        """List the keys, the oldest first."""
        return [self._keys[generation] for generation in sorted(self._keys)]

    def find(self, key_id: str) -> ScheduledKey | None:
        """Find a key by its id."""
        return next((key for key in self._keys.values() if key.key_id == key_id), None)

    def signing(self) -> ScheduledKey | None:
        """Find the key that signs: the one that began last."""
        signs = [key for key in self._keys.values() if key.schedule.signs(self._now)]
        return max(signs, key=_by_begin, default=None)

    def waiting(self) -> list[ScheduledKey]:
        """List the keys whose time to sign is yet to come, the first of them first."""
        waits = [key for key in self._keys.values() if not key.schedule.began(self._now)]
        return sorted(waits, key=_by_begin)

    def drop(self, key: ScheduledKey) -> None:
        """Take a key out of the line."""
        del self._keys[key.generation]

    def hasten(self, key: ScheduledKey, instant: float) -> None:
        """Let a key sign from an instant on, if it would later; never before it is published."""
        instant = max(instant, key.schedule.publish_at)
        if instant < key.schedule.sign_from:
            self._reschedule(key, replace(key.schedule, sign_from=instant))

    def known_at(self, key: ScheduledKey) -> float:
        """Tell from when on every verifier knows the key."""
        return max(self._now, key.schedule.publish_at + self._rules.publish_before_use)

    def keep_up(self) -> None:
        """See to it that one key signs, that one waits, and that their hours are in order."""
        signing = self.signing() or self._begun()
        waiting = self.waiting()
        if waiting:
            # Only ever earlier: what `rotate` has brought forward stays so.
            due = signing.schedule.sign_from + self._rules.rotate_every
            self.hasten(waiting[0], max(due, self.known_at(waiting[0])))
            signing = self.signing() or signing
        if not self.waiting():
            due = signing.schedule.sign_from + self._rules.rotate_every
            self._add(max(due, self._now + self._rules.publish_before_use))
        self._put_in_order(signing)

    def end(self) -> None:
        """Let the line run out: nothing signs, and what has signed stays until it is over."""
        for key in self.keys():
            if not key.schedule.began(self._now):
                self.drop(key)
            elif not key.schedule.ended(self._now):
                self._end(key, self._now)

    def _begun(self) -> ScheduledKey:
        """Let a key sign at once: the one that most verifiers know."""
        published = [key for key in self.keys() if key.schedule.published(self._now)]
        standbys = [key for key in self.waiting() if key in published]
        if any(self.known_at(key) == self._now for key in standbys):
            standbys = [key for key in standbys if self.known_at(key) == self._now]
            return self._reschedule(standbys[0], replace(standbys[0].schedule, sign_from=self._now))
        ended = [key for key in published if key.schedule.began(self._now)]
        if ended:
            last = max(ended, key=_by_begin)
            return self._reschedule(last, replace(last.schedule, sign_until=None, remove_at=None))
        if standbys:
            return self._reschedule(standbys[0], replace(standbys[0].schedule, sign_from=self._now))
        return self._add(self._now)

    def _put_in_order(self, signing: ScheduledKey) -> None:
        waiting = self.waiting()
        for key in self.keys():
            if key.schedule.began(self._now) and key != signing:
                until = key.schedule.sign_until
                self._end(key, self._now if until is None else min(until, self._now))
        for key, following in pairwise([signing, *waiting]):
            self._end(key, following.schedule.sign_from)
        last = waiting[-1]
        self._reschedule(last, replace(last.schedule, sign_until=None, remove_at=None))

    def _end(self, key: ScheduledKey, instant: float) -> None:
        schedule = key.schedule
        if schedule.sign_until == instant and schedule.remove_at is not None:
            return
        removal = self._rules.removal(instant)
        self._reschedule(key, replace(schedule, sign_until=instant, remove_at=removal))

    def _add(self, sign_from: float) -> ScheduledKey:
        self._generation += 1
        schedule = SigningSchedule(publish_at=self._now, sign_from=sign_from)
        new = ScheduledKey(None, self._algorithm, self._generation, schedule)
        self._keys[new.generation] = new
        return new

    def _reschedule(self, key: ScheduledKey, schedule: SigningSchedule) -> ScheduledKey:
        changed = replace(key, schedule=schedule)
        self._keys[key.generation] = changed
        return changed


def _by_begin(key: ScheduledKey) -> tuple[float, int]:
    return key.schedule.sign_from, key.generation
