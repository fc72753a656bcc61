"""Every token verifies at every instant of any history of the keys (attacks row 127).

The clock is simulated, and so are the rows; the plans are the real ones. A history is a sequence of
starts, upkeeps, rotations, outages and changes of the configured algorithms. While nobody keeps the
keys up, they go on by their schedule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from broker.core.key_line import LONGEST_TOKEN_LIFE, RotationRules, ScheduledKey
from broker.core.key_schedule import KeyPlan, KeysHeld, rotate, upkeep

DAY = 86_400.0
JWKS_MAX_AGE = 300.0
ALGORITHMS = ("RS256", "ES256", "EdDSA")


@dataclass
class History:
    """Rows over time, and what verifiers could have seen of them."""

    rules: RotationRules
    now: float = 1_800_000_000.0
    rows: list[ScheduledKey] = field(default_factory=list)
    generations: dict[str, int] = field(default_factory=dict)
    jwks: list[tuple[float, frozenset[str]]] = field(default_factory=list)
    tokens: dict[tuple[str, str], float] = field(default_factory=dict)
    """By algorithm and key: until when the last token that it signed lives."""

    listed_since: dict[str, float] = field(default_factory=dict)
    made: int = 0

    def held(self) -> KeysHeld:
        return KeysHeld(list(self.rows), dict(self.generations))

    def apply(self, plan: KeyPlan) -> None:
        changed = {key.key_id: key for _, key in plan.changed}
        gone = {key.key_id for key in plan.removed}
        kept = [changed.get(row.key_id, row) for row in self.rows if row.key_id not in gone]
        for key in plan.created:
            self.made += 1
            kept.append(replace(key, key_id=f"{key.algorithm}-{self.made}"))
            highest = max(self.generations.get(key.algorithm, 0), key.generation)
            self.generations[key.algorithm] = highest
        self.rows = kept

    def keep_up(self) -> None:
        self.apply(upkeep(self.held(), self.rules, self.now))
        # One that looks at once again has nothing to do, so two that look end with the same rows.
        assert not upkeep(self.held(), self.rules, self.now)

    def published(self) -> frozenset[str]:
        return frozenset(str(row.key_id) for row in self.rows if row.schedule.published(self.now))

    def observe(self) -> None:
        """Sign with every algorithm for as long as a token may live, and verify all tokens."""
        published = self.published()
        self.jwks.append((self.now, published))
        self.jwks = [each for each in self.jwks if each[0] > self.now - JWKS_MAX_AGE]
        for algorithm in self.rules.algorithms:
            [signing] = [
                row
                for row in self.rows
                if row.algorithm == algorithm and row.schedule.signs(self.now)
            ]
            self.tokens[algorithm, str(signing.key_id)] = self.now + LONGEST_TOKEN_LIFE
        self.tokens = {key: until for key, until in self.tokens.items() if until > self.now}
        for fetched, keys in self.jwks:
            for algorithm, key_id in self.tokens:
                # Before its algorithm was listed, no verifier could know the first key of it.
                if fetched >= self.listed_since.get(algorithm, 0):
                    assert key_id in keys, (algorithm, key_id, self.now - fetched)

    def advance(self, seconds: float) -> None:
        """Let time pass, looking closely at every hour at which a schedule says something."""
        end = self.now + seconds
        hours = {
            hour + step
            for row in self.rows
            for hour in (
                row.schedule.publish_at,
                row.schedule.sign_from,
                row.schedule.sign_until,
                row.schedule.remove_at,
            )
            if hour is not None
            for step in (-JWKS_MAX_AGE, -0.001, 0.0, 0.001, JWKS_MAX_AGE, JWKS_MAX_AGE + 1)
        }
        for instant in sorted(hour for hour in hours if self.now < hour < end):
            self.now = instant
            self.observe()
        self.now = end
        self.observe()


def list_algorithms(history: History, algorithms: Sequence[str]) -> None:
    """Start with another list of algorithms."""
    history.rules = replace(history.rules, algorithms=tuple(algorithms))
    history.keep_up()
    for algorithm in ALGORITHMS:
        if algorithm not in algorithms:
            continue
        known = [row for row in history.rows if row.algorithm == algorithm]
        if all(row.schedule.publish_at == history.now for row in known):
            history.listed_since[algorithm] = history.now


@st.composite
def rules(draw: st.DrawFn) -> RotationRules:
    before_use = draw(st.sampled_from([JWKS_MAX_AGE, 3600.0, DAY, 5 * DAY]))
    rotate_every = before_use + draw(st.sampled_from([1.0, 60.0, DAY, 30 * DAY]))
    return RotationRules(
        ("RS256", "ES256"), rotate_every, before_use, draw(st.sampled_from([0, 60]))
    )


moves = st.one_of(
    st.tuples(st.just("upkeep"), st.just(0.0)),
    st.tuples(st.just("rotate"), st.just(0.0)),
    st.tuples(
        st.just("wait"),
        st.one_of(
            st.floats(0.001, 600),
            st.floats(1, 2 * DAY),
            st.sampled_from([60.0, 300.0, DAY, 30 * DAY, 100 * DAY]),
        ),
    ),
)
lists = st.tuples(
    st.just("list"), st.lists(st.sampled_from(ALGORITHMS), min_size=1, max_size=3, unique=True)
)


@given(rules=rules(), history=st.lists(st.one_of(moves, moves, moves, lists), max_size=25))
def test_every_token_verifies_at_every_instant(
    rules: RotationRules, history: list[tuple[str, object]]
) -> None:
    broker = History(rules)
    list_algorithms(broker, rules.algorithms)
    broker.observe()
    for move, value in history:
        if move == "wait":
            assert isinstance(value, float)
            broker.advance(value)
        elif move == "list":
            assert isinstance(value, list)
            broker.now += 0.001
            list_algorithms(broker, value)
        elif move == "rotate":
            broker.apply(rotate(broker.held(), broker.rules, broker.now, at_once=False))
        else:
            broker.keep_up()
        broker.observe()
    assert len(broker.rows) <= 100


@given(rules=rules(), waits=st.lists(st.floats(1, 40 * DAY), max_size=12), at_once=st.booleans())
def test_two_that_plan_by_the_same_rows_plan_the_same(
    rules: RotationRules, waits: list[float], *, at_once: bool
) -> None:
    broker = History(rules)
    broker.keep_up()
    for wait in waits:
        broker.now += wait
        held = broker.held()
        shuffled = KeysHeld(held.keys[::-1], held.generations)
        assert upkeep(held, rules, broker.now) == upkeep(
            KeysHeld(tuple(held.keys), held.generations), rules, broker.now
        )
        first = rotate(held, rules, broker.now, at_once=at_once)
        second = rotate(shuffled, rules, broker.now, at_once=at_once)
        assert set(first.changed) == set(second.changed)
        assert set(first.created) == set(second.created)
        assert set(first.removed) == set(second.removed)
        broker.apply(first)
