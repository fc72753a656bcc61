"""A policy set on its way from the process that reads: whole, in batches, and nothing else."""

import pickle
from dataclasses import replace
from enum import Enum
from typing import Any

import pytest

from broker.core import conditions, decision, policy
from broker.core.platforms import GITHUB
from broker.core.policy import PolicySet
from broker.core.steps import finish
from broker.reload.transport import _ENUMS, BATCH, KnownBatches, pickled, unpickled
from tests.core.builders import a_policy, a_policy_set
from tests.core.test_pickling import RICH


def travelled(policy_set: PolicySet) -> PolicySet:
    return finish(unpickled(pickled(policy_set)))


def test_a_set_arrives_as_it_was_sent() -> None:
    arrived = travelled(RICH)

    assert arrived == RICH
    assert arrived.version == RICH.version
    assert arrived.policies["web"].place == "web.yaml:3"
    assert arrived.issuers["github"].platform is GITHUB


def test_an_empty_set_arrives() -> None:
    assert travelled(PolicySet({}, {}, {}, {}, version="v")) == PolicySet({}, {}, {}, {}, {}, "v")


def test_the_order_of_entries_stays() -> None:
    policies = [a_policy(f"p{number}") for number in range(3 * BATCH, 0, -1)]

    assert list(travelled(a_policy_set(*policies)).policies) == [each.name for each in policies]


def test_a_large_set_is_unpacked_with_pauses() -> None:
    data = pickled(a_policy_set(*(a_policy(f"p{number}") for number in range(10 * BATCH))))

    assert sum(1 for _ in unpickled(data)) >= 3


def test_what_has_not_changed_is_the_same_thing_as_before() -> None:
    policies = [a_policy(f"p{number}") for number in range(20 * BATCH)]
    changed = replace(policies[7], ttl=61)
    known = KnownBatches()
    before = finish(unpickled(pickled(a_policy_set(*policies)), known))
    after = finish(unpickled(pickled(a_policy_set(*policies[:7], changed, *policies[8:])), known))

    assert after == a_policy_set(*policies[:7], changed, *policies[8:])
    same = [name for name in before.policies if after.policies[name] is before.policies[name]]
    assert len(same) > 15 * BATCH
    assert "p7" not in same


def test_a_policy_that_comes_or_goes_moves_few_others() -> None:
    policies = [a_policy(f"p{number}") for number in range(20 * BATCH)]
    known = KnownBatches()
    before = finish(unpickled(pickled(a_policy_set(*policies)), known))
    after = finish(unpickled(pickled(a_policy_set(*policies[1:])), known))

    same = [name for name in after.policies if after.policies[name] is before.policies[name]]
    assert len(same) > 15 * BATCH


def test_batches_of_sets_that_are_gone_are_forgotten() -> None:
    known = KnownBatches()
    for name in ("a", "b", "c"):
        finish(unpickled(pickled(a_policy_set(a_policy(name))), known))

    assert {name for _, entries in known._entries.values() for name, _ in entries} >= {"c"}
    assert not {name for _, entries in known._entries.values() for name, _ in entries} & {"a", "b"}


def test_sets_that_are_read_in_turns_do_not_disturb_one_another() -> None:
    first = a_policy_set(*(a_policy(f"p{number}") for number in range(10 * BATCH)))
    second = a_policy_set(*(a_policy(f"q{number}") for number in range(10 * BATCH)))
    known = KnownBatches()
    reading = unpickled(pickled(first), known)
    # Into the policies, which the two do not share.
    for _ in range(6):
        next(reading)

    assert finish(unpickled(pickled(second), known)) == second
    assert finish(reading) == first


def test_a_set_that_was_cut_off_is_no_set() -> None:
    data = pickled(a_policy_set(a_policy("a")))

    for end in range(len(data)):
        with pytest.raises(pickle.UnpicklingError):
            finish(unpickled(data[:end]))


def test_what_policies_share_is_one_thing_afterwards() -> None:
    shared = a_policy("a")
    policies = (shared, replace(shared, name="b"))
    first, second = travelled(a_policy_set(*policies)).policies.values()

    assert first.conditions[0] is second.conditions[0]


def test_every_kind_of_word_in_a_set_travels_by_its_value() -> None:
    words = {
        each
        for module in (conditions, policy)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Enum) and each.__module__ == module.__name__
    }

    assert words == set(_ENUMS)


class Running:
    """What unpickling would call."""

    def __init__(self, what: Any, *arguments: Any) -> None:
        self.call = what, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "value",
    [
        Running(print, "code runs"),
        Running(eval, "1"),
        Running(getattr, {}, "clear"),
        decision.decide,
        Exception,
        ValueError("x"),
        policy.PolicySet.service,
    ],
)
def test_what_is_no_value_of_the_core_does_not_come_out(value: Any) -> None:
    parts = (pickle.dumps(("version", 1)), pickle.dumps(("policies", [("p", value)])))
    hostile = b"".join(len(part).to_bytes(4) + part for part in parts)

    with pytest.raises(pickle.UnpicklingError, match="no value of a policy set"):
        finish(unpickled(hostile))
