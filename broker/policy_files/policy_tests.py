"""The `tests` of the policy files, as values: claims and a request in, a decision expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import ValidationError

from broker.core.decision import DecisionRequest
from broker.core.errors import Problem, Reason
from broker.core.typical_claims import TYPICAL_EVENTS
from broker.policy_files.document_entries import Entry
from broker.policy_files.entries import Entries
from broker.policy_files.models import ExpectedPermitModel, PolicyTestModel
from broker.policy_files.sentences import did_you_mean, sentence

_REASONS: Final = frozenset(reason.value for reason in Reason)
_HOW_TO_EXPECT: Final = (
    "`expect` is `permit`, `deny`, `{permit: {service_account: …, scopes: […], ttl: …}}`"
    " or `{deny: REASON}`"
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a test expects; what is None may be anything."""

    decision: Literal["permit", "deny"]
    reason: Reason | None = None
    service_account: str | None = None
    scopes: frozenset[str] | None = None
    ttl: int | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One test of a policy set."""

    name: str
    issuer: str
    """The issuer's name."""

    base: str | None
    """The event whose typical claims lie below `claims`."""

    claims: Mapping[str, object]
    request: DecisionRequest
    expect: Expectation
    file: str
    line: int
    column: int

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    def problem(self, message: str) -> Problem:
        """Describe a fault of the test as a whole."""
        return Problem(self.file, self.line, self.column, message)


def build_tests(entries: Entries, problems: list[Problem]) -> tuple[PolicyTest, ...]:
    """Make tests of the entries, in the order of files and lines."""
    known = entries.declared["issuers"]
    tests: list[PolicyTest] = []
    for entry in entries.tests:
        model = entry.model
        if entries.lack("issuers", model.issuer):
            text = f"there is no issuer `{model.issuer}`{did_you_mean(model.issuer, known)}"
            problems.append(entry.problem(("issuer",), text))
        _check_base(entry, entries, problems)
        expect = _expectation(entry, problems)
        if expect is not None:
            line, column = entry.document.place(entry.path)
            tests.append(
                PolicyTest(
                    name=model.name,
                    issuer=model.issuer,
                    base=model.base,
                    claims=model.claims,
                    request=_request(model),
                    expect=expect,
                    file=entry.document.file,
                    line=line,
                    column=column,
                )
            )
    return tuple(tests)


def _check_base(entry: Entry[PolicyTestModel], entries: Entries, problems: list[Problem]) -> None:
    """Report a base that names no event of the issuer's platform."""
    base = entry.model.base
    issuer = entries.issuers.get(entry.model.issuer)
    if base is None or issuer is None:
        return
    if issuer.model.preset is None:
        text = "`base` needs an issuer with a preset; write the claims out"
        problems.append(entry.problem(("base",), text, at_key=True))
        return
    events = TYPICAL_EVENTS[issuer.model.preset]
    if base not in events:
        text = f"{issuer.model.preset} has no event `{base}`{did_you_mean(base, events)}"
        problems.append(entry.problem(("base",), text))


def _request(model: PolicyTestModel) -> DecisionRequest:
    request = model.request
    return DecisionRequest(
        targets=(request.audience,) if request.audience else (),
        scopes=tuple(request.scope.split()) if request.scope else None,
        client_id=request.client_id,
        expires_in=request.expires_in,
    )


def _expectation(entry: Entry[PolicyTestModel], problems: list[Problem]) -> Expectation | None:
    expect = entry.model.expect
    if expect in ("permit", "deny"):
        return Expectation("permit" if expect == "permit" else "deny")
    if isinstance(expect, dict) and len(expect) == 1:
        if "permit" in expect:
            return _expected_permit(entry, expect["permit"], problems)
        if "deny" in expect:
            return _expected_deny(entry, expect["deny"], problems)
    problems.append(entry.problem(("expect",), _HOW_TO_EXPECT))
    return None


def _expected_permit(
    entry: Entry[PolicyTestModel], value: object, problems: list[Problem]
) -> Expectation | None:
    try:
        model = ExpectedPermitModel.model_validate(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            within, text, at_key = sentence(detail, ExpectedPermitModel)
            path = ("expect", "permit", *within)
            problems.append(entry.problem(path, text, at_key=at_key))
        return None
    scopes = frozenset(model.scopes) if model.scopes is not None else None
    return Expectation("permit", None, model.service_account, scopes, model.ttl)


def _expected_deny(
    entry: Entry[PolicyTestModel], value: object, problems: list[Problem]
) -> Expectation | None:
    if isinstance(value, str) and value in _REASONS:
        return Expectation("deny", Reason(value))
    hint = did_you_mean(value, _REASONS) if isinstance(value, str) else ""
    text = f"there is no reason `{value}`{hint}"
    problems.append(entry.problem(("expect", "deny"), text))
    return None
