"""How the broker's signing keys follow one another: pure functions of rows, rules and `now`.

One key of each algorithm signs; the next is published while it waits, and its hour is already set,
so that it takes over without anybody's doing. Every process that plans by the same rows plans the
same, and none has to lead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from broker.core.errors import BrokerError
from broker.core.key_line import KeyLine, RotationRules, ScheduledKey
from broker.core.signing_keys import SigningSchedule


class RetirementRefused(BrokerError):
    """The key cannot be retired; the message says why."""


@dataclass(frozen=True, slots=True)
class KeysHeld:
    """The keys that a plan starts from."""

    keys: Sequence[ScheduledKey]
    """Those that can be used."""

    generations: Mapping[str, int]
    """The highest generation of each algorithm, rows included that cannot be read."""


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What makes the keys as they are into those that ought to be."""

    created: tuple[ScheduledKey, ...]
    changed: tuple[tuple[SigningSchedule, ScheduledKey], ...]
    """The schedule of before, and the key with the one from now on."""

    removed: tuple[ScheduledKey, ...]

    @classmethod
    def between(cls, before: Sequence[ScheduledKey], after: Sequence[ScheduledKey]) -> "KeyPlan":
        """Compare; a key is told by its algorithm and generation."""
        known = {_place(key): key for key in before}
        stays = {_place(key): key for key in after if key.key_id is not None}
        return cls(
            created=tuple(key for key in after if key.key_id is None),
            changed=tuple(
                (known[place].schedule, key)
                for place, key in stays.items()
                if known[place].schedule != key.schedule
            ),
            removed=tuple(key for place, key in known.items() if place not in stays),
        )

    def __bool__(self) -> bool:
        return bool(self.created or self.changed or self.removed)


Change: TypeAlias = Callable[[KeyLine], None]


def upkeep(held: KeysHeld, rules: RotationRules, now: float) -> KeyPlan:
    """Plan what is due: a first key, the next standby, an end, a removal; mostly nothing.

    A line without a key that signs gets one at once: a standby, or a key that has signed before,
    and a new one only if there is neither.
    """
    return _planned(held, rules, now, lambda _: None)


def rotate(held: KeysHeld, rules: RotationRules, now: float, *, at_once: bool) -> KeyPlan:
    """Plan that every standby takes over as soon as it has been published for long enough.

    `at_once` does not wait for that: verifiers that cache the JWKS may not know the key yet.
    """

    def hasten(line: KeyLine) -> None:
        for standby in line.waiting()[:1]:
            line.hasten(standby, now if at_once else line.known_at(standby))

    return _planned(held, rules, now, hasten)


def retire(held: KeysHeld, rules: RotationRules, now: float, key_id: str) -> KeyPlan:
    """Plan that a key is gone at once; from one that signs, the standby takes over.

    Raises `RetirementRefused` for a key that is not there, and for one that nothing could replace.
    """
    if all(key.key_id != key_id for key in held.keys):
        raise RetirementRefused(f"there is no signing key '{key_id[:64]}'")

    def drop(line: KeyLine) -> None:
        key = line.find(key_id)
        if key is None:
            return
        signed = line.signing() == key
        line.drop(key)
        if signed:
            # One that this very plan makes does not count: no verifier knows it.
            standby = next((each for each in line.waiting() if each.key_id is not None), None)
            if standby is None:
                raise RetirementRefused(
                    f"it is the only key that can sign {key.algorithm}; let another one sign first:"
                    " broker keys rotate --now"
                )
            line.hasten(standby, now)

    return _planned(held, rules, now, drop)


def _planned(held: KeysHeld, rules: RotationRules, now: float, change: Change) -> KeyPlan:
    """Bring every line up to date, change it, and bring it up to date again."""
    after: list[ScheduledKey] = []
    for algorithm in sorted({key.algorithm for key in held.keys} | set(rules.algorithms)):
        keys = [key for key in held.keys if key.algorithm == algorithm]
        line = KeyLine(algorithm, keys, held.generations.get(algorithm, 0), rules, now)
        bring_up_to_date = line.keep_up if algorithm in rules.algorithms else line.end
        bring_up_to_date()
        change(line)
        bring_up_to_date()
        after += line.keys()
    return KeyPlan.between(held.keys, after)


def _place(key: ScheduledKey) -> tuple[str, int]:
    return key.algorithm, key.generation
