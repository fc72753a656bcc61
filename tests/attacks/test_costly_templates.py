"""Rows 80, 130: templates that are cheap to write and dear to read.

`policies check` and `/api/v1/policies/simulate` read what somebody merely proposes, up to a
megabyte of it: what that may cost grows with its size, and no faster.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from tests.policy_files.loading import assert_refused, problems_beside_base

MANY: dict[str, Callable[[int], str]] = {
    "claims": lambda count: "claims: {" + _members(count) + "}",
    "tags": lambda count: "profile: aws, session_tags: {" + _members(count) + "}",
    "members": lambda count: "claims: {x: [{" + _members(count) + "}]}",
    "items": lambda count: "claims: {x: [" + ", ".join(["y"] * count) + "]}",
    "placeholders": lambda count: "claims: {x: '" + "{sub}" * count + "'}",
    "braces": lambda count: "claims: {x: '" + "{x" * count + "'}",
}


def _members(count: int) -> str:
    return ", ".join(f"c{number}: x" for number in range(count))


def calls_to_refuse(text: str) -> int:
    """Count the calls that it takes to say what is wrong with a service."""
    calls = 0

    def count(_frame: FrameType, _event: str, _argument: Any) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        problems_beside_base(f"services: {{s: {{audience: a, {text}}}}}")
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("what", MANY)
def test_four_times_as_many_cost_about_four_times_as_much(what: str) -> None:
    few, many = (calls_to_refuse(MANY[what](count)) for count in (400, 1600))

    assert many < 5 * few


@pytest.mark.parametrize("placeholder", ["{sub}", "{metadata.team}", "x{workload.repository_id}"])
def test_a_text_of_more_placeholders_than_can_fit_does_not_load(placeholder: str) -> None:
    assert_refused(
        f"services: {{s: {{audience: a, claims: {{x: ►'{placeholder * 257}'}}}}}}",
        "longer than 256 characters",
    )
