"""What the reports found, in sentences, with the lines to paste.

Each name in a sentence goes through `mark`, which makes it fit for the place where it is shown:
repositories and refs are chosen by others (attacks rows 58, 174).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from broker.core.conditions import Effect
from broker.core.policy import Mode
from broker.core.policy_reports.dependence import Dependence
from broker.core.policy_reports.expiring import Expiring, ExpiringReport
from broker.core.policy_reports.over_broad import FEW, Breadth, OverBroad, TooBroad
from broker.core.policy_reports.policy_reports import PolicyReports, Read
from broker.core.policy_reports.policy_use import Period
from broker.core.policy_reports.report_name import ReportName
from broker.core.policy_reports.shadowed import Shadowed
from broker.core.policy_reports.sub_form import Breaking, SubForm, SubPolicy
from broker.core.policy_reports.unused import Newer, Unused, UnusedPolicy
from broker.core.record import record
from broker.core.simulation.outcome import Kind

Mark: TypeAlias = Callable[[str], str]

TITLES: Final = {
    ReportName.UNUSED: "unused",
    ReportName.OVER_BROAD: "over-broad",
    ReportName.SUB_FORM: "broken by the immutable form of `sub`",
    ReportName.SHADOWED: "shadowed",
    ReportName.EXPIRING: "expiring",
}
"""What the reports are called; the order is that of the whole."""

_NAMED: Final = 5
_REPOSITORIES: Final = 20
_WOULD: Final = {
    Kind.NEWLY_DENIED: "would be refused",
    Kind.NEWLY_PERMITTED: "would be let in",
    Kind.CHANGED: "would get something else",
}


@record
class Told:
    """One thing that is told: a sentence, what belongs below it, and a line to paste."""

    sentence: str
    below: tuple[str, ...] = ()
    line: str | None = None
    """Printable YAML."""


def sections(reports: PolicyReports, mark: Mark) -> Iterator[tuple[str, list[Told]]]:
    """Give title and content of each report that was made."""
    if reports.unused is not None:
        yield TITLES[ReportName.UNUSED], list(_unused(reports.unused, mark))
    if reports.over_broad is not None:
        yield TITLES[ReportName.OVER_BROAD], list(_over_broad(reports.over_broad, mark))
    if reports.sub_form is not None:
        yield TITLES[ReportName.SUB_FORM], list(_sub_form(reports.sub_form, mark))
    if reports.shadowed is not None:
        yield TITLES[ReportName.SHADOWED], list(_shadowed(reports.shadowed, mark))
    if reports.expiring is not None:
        yield TITLES[ReportName.EXPIRING], list(_expiring(reports.expiring, mark))


def scope_sentence(read: Read | None) -> str:
    """Say what was looked at."""
    if read is None:
        return "the files alone, without what was decided"
    if not read.decisions.runs:
        return "no decision is on record that policies made"
    these = read.by_these_files
    if these.first is None:
        by = "none of them by these very files"
    elif these.runs == read.decisions.runs:
        by = "all of them by these very files"
    else:
        by = f"{these.runs:,} of them by these very files, since {_date(these.first)}"
    return f"{_runs(read.decisions.runs)}, {_between(read.decisions)}, {by}"


def notes(reports: PolicyReports) -> Iterator[str]:
    """Say what a reader has to know of what was read."""
    if reports.left_out:
        names = ", ".join(reports.left_out)
        yield f"left out for want of decisions (--against, --server): {names}"
    read = reports.read
    if read is None:
        return
    if 0 < read.decisions.runs < FEW:
        yield "so few decisions tell little"
    if read.erased:
        yield f"the claims of {_runs(read.erased)} were erased: what these had is not known"
    if read.undecidable:
        yield (
            f"what these files make of {_runs(read.undecidable)} is not known: it hangs on what is"
            " not on record"
        )
    if passed := sum(read.passed_over.values()):
        yield f"{_number(passed, 'event')} passed over: no decisions of policies"


def _unused(found: Unused, mark: Mark) -> Iterator[Told]:
    for each in found.policies:
        yield Told(_unused_policy(each, mark))
    for newer in found.newer:
        yield Told(_newer(newer, mark))
    if found.without_traffic:
        yield Told(
            "nothing is known, since no run of their issuers is on record, of"
            f" {_names(found.without_traffic, mark)}"
        )
    if found.accounts:
        yield Told(f"nobody acted as the {_those('account', found.accounts, mark)}")
    if found.services:
        yield Told(f"nobody got a token for the {_those('service', found.services, mark)}")


def _newer(each: Newer, mark: Mark) -> str:
    text = f"{mark(each.policy)} decided nothing on record, and"
    if each.would_decide:
        runs = _runs(each.would_decide)
        return f"{text} would decide {runs}: it is newer, or was changed since"
    return f"{text} may decide {_runs(each.may_decide)}: that hangs on what is not on record"


def _unused_policy(each: UnusedPolicy, mark: Mark) -> str:
    policy, total = each.policy, each.decisions
    if policy.mode is Mode.OBSERVE:
        did = "(observed) held in"
    else:
        did = "refused" if policy.effect is Effect.DENY else "permitted"
    text = f"{mark(policy.name)} {did} none of {_runs(total.runs)} of {mark(policy.issuer)},"
    text += f" {_between(total)}"
    known = each.in_force
    if known.first is None:
        text += "; whether it was there then is not on record"
    elif known.runs < total.runs:
        text += f"; it was surely there for {known.runs:,} of them, since {_date(known.first)}"
    named = [
        _number(count, what)
        for count, what in ((each.refused, "refusal"), (each.explained, "explanation"))
        if count
    ]
    if named:
        text += f"; named in {' and '.join(named)}"
    return text + _few(total.runs)


def _over_broad(found: OverBroad, mark: Mark) -> Iterator[Told]:
    for each in found.found:
        yield Told(_too_broad(each, mark), line=each.line)
    for unknown in found.not_on_record:
        yield Told(
            f"{mark(unknown.policy)}: nothing is said of {mark(unknown.claim)}, which is not on"
            f" record of {_runs(unknown.runs)}"
        )


def _too_broad(each: TooBroad, mark: Mark) -> str:
    observed = " (observed)" if each.observed else ""
    text = f"{mark(each.policy)}{observed}: {_breadth(each, mark)}"
    text += f", {_runs(each.runs)}, {_date(each.first)} to {_date(each.last)}"
    if each.asked_for_all:
        text += f"; {each.asked_for_all:,} of them asked for whatever there is"
    if each.erased:
        text += f"; {each.erased:,} more were erased"
    return text + _few(each.runs)


def _breadth(each: TooBroad, mark: Mark) -> str:
    claim = mark(each.claim or "")
    if each.breadth is Breadth.NOT_PINNED:
        return f"any {claim} is allowed, only {_seen(each, mark)} seen"
    if each.breadth is Breadth.PATTERN:
        allows = mark(f"{each.claim}: {each.allows}")
        return f"{allows} allows more, only {_seen(each, mark)} seen"
    never = _names(each.never, mark)
    return f"{claim} was never {never}" if each.claim else f"never granted {never}"


def _seen(each: TooBroad, mark: Mark) -> str:
    texts = []
    for value, _ in each.seen:
        name = each.labels.get(value)
        texts.append(f"{mark(value)} ({mark(name)})" if name else mark(value))
    return ", ".join(texts)


def _sub_form(found: SubForm, mark: Mark) -> Iterator[Told]:
    for each in found.policies:
        yield _sub_policy(each, mark)
    if found.by_require:
        yield Told("by what is required of all", _breaking(found.by_require, mark))
    if found.more:
        yield Told(f"and {_runs(found.more)} of further repositories")
    if found.without_ids:
        yield Told(f"of {_runs(found.without_ids)} the ids are not on record")
    if found.undecidable:
        yield Told(f"of {_runs(found.undecidable)} it is not known what would come out")


def _sub_policy(each: SubPolicy, mark: Mark) -> Told:
    observed = " (observed)" if each.observed else ""
    why = f": {each.why}" if each.why else ""
    sentence = f"{mark(each.policy)}{observed} asks for {mark(each.condition)}{why}"
    return Told(sentence, _breaking(each.breaking, mark), each.line)


def _breaking(found: Sequence[Breaking], mark: Mark) -> tuple[str, ...]:
    lines = [
        f"{mark(f'{each.repository.owner}/{each.repository.name}')}"
        f" ({each.repository.repository_id}): {_runs(each.runs)} {_WOULD[each.kind]}"
        for each in found[:_REPOSITORIES]
    ]
    if rest := len(found) - _REPOSITORIES:
        lines += [f"and {rest:,} more"] if rest > 0 else []
    return tuple(lines)


def _shadowed(found: Shadowed, mark: Mark) -> Iterator[Told]:
    for each in found.by_conditions:
        yield Told(f"{mark(each.policy)}: {each.why}")
    for record_ in found.by_record or ():
        others = f", beside {_names(record_.others, mark)}" if record_.others else ""
        yield Told(
            f"{mark(record_.policy)}: without it the same would have come out of each of"
            f" {_runs(record_.runs)}{others}{_few(record_.runs)}"
        )
    if found.by_record:
        yield Told(
            "of policies that stand beside each other, one has to stay: delete one at a time"
        )


def _expiring(found: ExpiringReport, mark: Mark) -> Iterator[Told]:
    for each in found.policies:
        yield Told(_expiring_policy(each, mark))
    if found.together is not None and len(found.policies) > 1:
        yield Told(f"without all of them {_hanging(found.together)}")


def _expiring_policy(each: Expiring, mark: Mark) -> str:
    observed = " (observed)" if each.policy.mode is Mode.OBSERVE else ""
    ends = "stopped" if each.expired else "stops"
    began = "began" if each.expired else "begins"
    text = (
        f"{mark(each.policy.name)}{observed} {ends} to hold when {_date(each.expires_at)} {began}"
    )
    if each.policy.owner:
        text += f" (owner {mark(each.policy.owner)})"
    if each.depending is not None and each.policy.mode is Mode.ENFORCE:
        text += f": without it {_hanging(each.depending)}"
    return text


def _hanging(depending: Dependence) -> str:
    parts = [
        f"{_runs(period.runs)} {_WOULD[kind]}"
        for kind, period in depending.kinds.items()
        if period.runs
    ]
    return " and ".join(parts) or "every run on record would come out the same"


def _those(what: str, names: Sequence[str], mark: Mark) -> str:
    return f"{what}{'' if len(names) == 1 else 's'} {_names(names, mark)}"


def _names(names: Sequence[str], mark: Mark) -> str:
    listed = ", ".join(mark(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{listed} and {more:,} more" if more > 0 else listed


def _few(runs: int) -> str:
    return " (few: they tell little)" if runs < FEW else ""


def _runs(count: int) -> str:
    return _number(count, "run")


def _number(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _between(period: Period) -> str:
    return f"{_date(period.first or 0.0)} to {_date(period.last or 0.0)}"


def _date(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).date().isoformat()
