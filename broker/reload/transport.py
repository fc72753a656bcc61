"""A policy set on its way between two processes of one broker: pickled in batches.

Only values of `broker.core` come out at the other end. The process that reads the files parses
what many people can write; were it taken over, it could send no code to run.
"""

import copyreg
import io
import pickle
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import islice
from operator import attrgetter
from typing import Any, Final

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


def pickled(policy_set: PolicySet) -> bytes:
    """Write a set as one header and batches of entries."""
    stream = io.BytesIO()
    # One pickler for all batches: what several entries share is written once.
    pickler = _Pickler(stream, pickle.HIGHEST_PROTOCOL)
    pickler.dump(policy_set.version)
    for name in MAPS:
        items = iter(getattr(policy_set, name).items())
        while batch := list(islice(items, BATCH)):
            pickler.dump((name, batch))
    pickler.dump(None)
    return stream.getvalue()


def unpickled(data: bytes | memoryview) -> Steps[PolicySet]:
    """Read a set, pausing after each batch. Raises `pickle.UnpicklingError`."""
    unpickler = _Unpickler(io.BytesIO(data))
    version = unpickler.load()
    maps: dict[str, dict[str, Any]] = {name: {} for name in MAPS}
    while (batch := unpickler.load()) is not None:
        name, items = batch
        maps[name].update(items)
        yield
    return PolicySet(**maps, version=version)


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
