"""A policy set on its way between two processes of one broker: pickled in batches.

Only values of `broker.core` come out at the other end. The process that reads the files parses
what many people can write; were it taken over, it could send no code to run.
"""

import copyreg
import hashlib
import io
import pickle
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Final, TypeAlias

from broker.core import platforms
from broker.core.conditions import (
    AnyOf,
    Condition,
    Effect,
    Equals,
    Glob,
    Not,
    Present,
    Regex,
)
from broker.core.policy import MAPS, Mode, Policy, PolicySet, Replay, WorkloadDetail
from broker.core.steps import Steps

BATCH: Final = 50
"""How many entries a batch has on average: its ends are chosen by the names of the entries, so that
one that comes or goes moves the ends of no other batch."""

_MOST: Final = 4 * BATCH
_LENGTH_BYTES: Final = 4

Entries: TypeAlias = list[tuple[str, Any]]
"""Entries of one map of a set, each with its name."""


class KnownBatches:
    """The batches of the set that came last, by the digest of their bytes.

    What has not changed is not read again, and is the same thing in the set before and after.
    """

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[str, Entries]] = {}

    def entries(
        self, batch: memoryview, seen: dict[bytes, tuple[str, Entries]]
    ) -> tuple[str, Entries]:
        """Give the map and the entries of a batch, and note them in `seen`.

        Raises `pickle.UnpicklingError`.
        """
        digest = hashlib.blake2b(batch, digest_size=32).digest()
        found = self._entries.get(digest)
        if found is None:
            found = _Unpickler(io.BytesIO(batch)).load()
        seen[digest] = found
        return found

    def keep(self, seen: dict[bytes, tuple[str, Entries]]) -> None:
        """Forget all batches but these, which one set has brought.

        Several sets may be read in turns, so that none may rely on what another leaves here.
        """
        self._entries = seen


def pickled(policy_set: PolicySet) -> bytes:
    """Write a set as a head and batches of entries, each with its length before it."""
    batches = [
        _pickle((name, batch))
        for name in MAPS
        for batch in _batches(getattr(policy_set, name).items())
    ]
    # The number of batches: a set that was cut short must not pass for a smaller one.
    parts = [_pickle((policy_set.version, len(batches))), *batches]
    return b"".join(len(part).to_bytes(_LENGTH_BYTES) + part for part in parts)


def unpickled(data: bytes | memoryview, known: KnownBatches | None = None) -> Steps[PolicySet]:
    """Read a set, pausing after each batch; `known` is what came before.

    Raises `pickle.UnpicklingError`.
    """
    known = known or KnownBatches()
    parts = list(_parts(memoryview(data)))
    if not parts:
        raise pickle.UnpicklingError("there is no set")
    version, count = _Unpickler(io.BytesIO(parts[0])).load()
    if count != len(parts) - 1:
        raise pickle.UnpicklingError("the set is cut off")
    maps: dict[str, dict[str, Any]] = {name: {} for name in MAPS}
    seen: dict[bytes, tuple[str, Entries]] = {}
    for part in parts[1:]:
        name, entries = known.entries(part, seen)
        maps[name].update(entries)
        yield
    known.keep(seen)
    return PolicySet(**maps, version=version)


def _parts(data: memoryview) -> Iterator[memoryview]:
    begin = 0
    while begin < len(data):
        end = begin + _LENGTH_BYTES
        length = int.from_bytes(data[begin:end])
        begin = end + length
        if begin > len(data):
            raise pickle.UnpicklingError("a batch is cut off")
        yield data[end:begin]


def _batches(items: Iterable[tuple[str, Any]]) -> Iterator[Entries]:
    batch: Entries = []
    for item in items:
        batch.append(item)
        if zlib.crc32(item[0].encode()) % BATCH == 0 or len(batch) == _MOST:
            yield batch
            batch = []
    if batch:
        yield batch


def _pickle(value: object) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, pickle.HIGHEST_PROTOCOL).dump(value)
    return stream.getvalue()


def _by_fields(kind: type[Any]) -> Callable[[Any], tuple[type[Any], tuple[object, ...]]]:
    """Pickle a dataclass as a call of its constructor: a third of the time, and smaller."""
    names = [each.name for each in fields(kind) if each.init]
    match names:
        case []:
            return lambda _: (kind, ())
        case [name]:
            return lambda value: (kind, (getattr(value, name),))
        case _:
            get = attrgetter(*names)
            return lambda value: (kind, get(value))


def _by_value(member: Enum) -> tuple[type[Enum], tuple[object]]:
    """Pickle a member as class and value; some versions of Python would call `getattr` instead."""
    return type(member), (member.value,)


_NUMEROUS: Final = (Policy, Condition, Equals, Glob, Regex, AnyOf, Not, Present)
_ENUMS: Final = (Effect, Mode, Replay, WorkloadDetail)


class _Pickler(pickle.Pickler):
    dispatch_table = {  # noqa: RUF012 - how pickle wants it
        **copyreg.dispatch_table,
        **{kind: _by_fields(kind) for kind in _NUMEROUS},
        **dict.fromkeys(_ENUMS, _by_value),
    }


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        found = getattr(sys.modules.get(module), name, None)
        if module.startswith("broker.core.") and (
            found is platforms.preset
            or (isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)))
        ):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no value of a policy set")
