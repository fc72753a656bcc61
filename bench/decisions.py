"""Decisions and explanations of refusals among few and among many policies.

Both sets are asked in turn, so that what slows the machine down slows both; what counts is CPU
time. The jobs are spread over the whole set.
"""

import gc
import os
import time
from collections.abc import Callable, Iterable, Sequence

from bench.policy_shapes import SERVICE, SHAPES, Shape
from bench.table import Row, Spread
from broker.core.claims import Claims
from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.explain import explain, for_caller
from broker.core.indexed_policies import IndexedPolicies

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
FEW = 10
MANY = int(os.environ.get("BENCH_POLICIES", "100000"))
JOBS = 100
DECISIONS = 1_000
NOW = 1_800_000_000.0
REQUEST = DecisionRequest(targets=(SERVICE,))
# An account asked by name brings its policies into the explanation as well.
WITH_ACCOUNT = DecisionRequest(targets=(SERVICE,), client_id="deployer")


def measure_decisions() -> tuple[list[Row], list[Row]]:
    """Give the rows of decisions, and those of explanations."""
    decisions: list[Row] = []
    explanations: list[Row] = []
    for shape in SHAPES:
        few, many = _Asked(shape, FEW), _Asked(shape, MANY)
        for kind in ("hit", "miss"):
            decisions += _ratio_rows(f"{shape.name}, {kind}", few.decider(kind), many.decider(kind))
        explanations.append(_explanation_row(shape, many))
        del few, many
        gc.unfreeze()
        gc.collect()
    return decisions, explanations


class _Asked:
    """A set of one shape and size, and jobs that ask it."""

    def __init__(self, shape: Shape, count: int) -> None:
        policy_set = shape.policy_set(count)
        self.indexed = IndexedPolicies.of(policy_set)
        self.issuer = policy_set.issuers["github"]
        numbers = [place * count // JOBS for place in range(JOBS)]
        self.jobs = {
            "hit": _claims(shape, numbers),
            "miss": _claims(shape, (count + number for number in numbers)),
        }
        # As a broker does with what stays.
        gc.collect()
        gc.freeze()
        for kind, permitted in (("hit", True), ("miss", False)):
            for claims in self.jobs[kind]:
                decision = decide(claims, self.issuer, REQUEST, self.indexed, NOW)
                if isinstance(decision, Permit) is not permitted:
                    raise SystemExit(f"{shape.name}: a {kind} was decided otherwise")

    def decider(self, kind: str) -> Callable[[], float]:
        """Give what decides many times and tells the microseconds of CPU for each."""
        jobs = self.jobs[kind] * (DECISIONS // JOBS)

        def run() -> float:
            began = time.process_time()
            for claims in jobs:
                decide(claims, self.issuer, REQUEST, self.indexed, NOW)
            return (time.process_time() - began) / len(jobs) * 1e6

        return run

    def explain_refusal(self, claims: Claims) -> float:
        """Explain one refusal as for a caller; give the milliseconds of CPU."""
        began = time.process_time()
        explanation = explain(claims, self.issuer, WITH_ACCOUNT, self.indexed, NOW)
        for_caller(explanation).as_json()
        return (time.process_time() - began) * 1e3


def _claims(shape: Shape, numbers: Iterable[int]) -> list[Claims]:
    return [{**shape.claims(number), "exp": NOW + 300} for number in numbers]


def _ratio_rows(name: str, few: Callable[[], float], many: Callable[[], float]) -> list[Row]:
    pairs = [(few(), many()) for _ in range(ROUNDS + 1)][1:]  # the first one warms up
    return [
        Row(f"{name}: {FEW:,}", Spread.of([each for each, _ in pairs]), "µs"),
        Row(f"{name}: {MANY:,}", Spread.of([each for _, each in pairs]), "µs"),
        Row(f"{name}: ratio", Spread.of([after / before for before, after in pairs]), "×", "≤ 2"),
    ]


def _explanation_row(shape: Shape, asked: _Asked) -> Row:
    jobs: Sequence[Claims] = asked.jobs["miss"]
    took = [asked.explain_refusal(claims) for _ in range(ROUNDS) for claims in jobs]
    return Row(f"{shape.name}: {MANY:,}", Spread.of(took), "ms", "< 20")
