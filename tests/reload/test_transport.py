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
from broker.reload.transport import _ENUMS, BATCH, pickled, unpickled
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

    assert sum(1 for _ in unpickled(data)) >= 10


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
    hostile = pickle.dumps("version") + pickle.dumps(("policies", [("p", value)]))

    with pytest.raises(pickle.UnpicklingError, match="no value of a policy set"):
        finish(unpickled(hostile))
