"""What was learned of names, in sentences: which id each has, or why none is proposed.

Each name in a sentence goes through `mark`, which makes it fit for the place where it is shown:
names and refs are chosen by others (attacks rows 58, 174).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from broker.core.pinning.pinning import Unheeded
from broker.core.pinning.proposals import NameFound, Pin, PinOutcome, PinReport, Standing
from broker.core.pinning.sightings import Sighting
from broker.core.pinning.targets import ISSUERS, SERVICES, Target, Unpinnable

Mark: TypeAlias = Callable[[str], str]

MAX_NAMES: Final = 5
"""How many names of one list are told."""

_KINDS: Final = {ISSUERS: "issuer", SERVICES: "service"}
_WHY: Final[Mapping[Unpinnable, str]] = {
    Unpinnable.PATTERN: "it admits names that are not written out; add the id of the owner by hand",
    Unpinnable.SUB: "`sub` has no claim of its own for the id; add the id by hand",
    Unpinnable.ASKED_OTHERWISE: "there is a condition on the id already, which is no literal",
    Unpinnable.DENY: "one more condition would have it deny less",
    Unpinnable.SERVICE: "a service requires it of every issuer's tokens; require it of the issuer",
}
_UNHEEDED: Final[Mapping[Unheeded, str]] = {
    Unheeded.HOLDS_NO_MORE: "for which the policy would hold no more",
    Unheeded.DENIED: "which a deny policy would refuse",
    Unheeded.OTHER_POLICY: "by a policy that is not in these files, or has another issuer or"
    " account there",
    Unheeded.OTHER_ISSUER: "of an issuer that is not in these files, or has another preset there",
    Unheeded.ERASED: "whose claims were erased",
}


def scope_sentence(report: PinReport) -> str:
    """Say how many events count."""
    if not report.exchanges:
        return "no permitted exchange is on record"
    return f"{_number(report.heeded, 'run')} of {report.exchanges:,} permitted ones count"


def unheeded_sentence(report: PinReport) -> str | None:
    """Say which permitted exchanges do not count; None when all do."""
    parts = [
        f"{report.unheeded[each]:,} {what}"
        for each, what in _UNHEEDED.items()
        if report.unheeded.get(each)
    ]
    return f"permitted, but not counted: {'; '.join(parts)}" if parts else None


def lines_of(outcome: PinOutcome, mark: Mark) -> Iterator[str]:
    """Say how it stands with one entry; nothing of one that was pinned before."""
    entry = entry_name(outcome.target, mark)
    for pin in outcome.pins:
        yield f"{entry}: {_sentence(pin, mark)}"
        for found, names in pin.renamed:
            listed = " and ".join(mark(name) for name in names)
            yield f"{entry}: {listed} are one, {pin.named.id_claim} {mark(found)}: renamed"
    for claim, why in outcome.target.unpinnable:
        yield f"{entry}: nothing for {claim}: {_WHY[why]}"


def entry_name(target: Target, mark: Mark) -> str:
    """Name an entry by its kind and name."""
    return f"{_KINDS.get(target.section, 'policy')} {mark(target.name)}"


def _sentence(pin: Pin, mark: Mark) -> str:
    claim, id_claim = pin.named.claim, pin.named.id_claim
    match pin.standing:
        case Standing.PROPOSED:
            return _listed([f"{claim} {_name_found(each, pin, mark)}" for each in pin.found])
        case Standing.TWO_IDS:
            contested = [each for each in pin.found if len(each.ids) > 1]
            told = _listed([f"{claim} {_contested(each, mark)}" for each in contested])
            return f"no proposal: {told}; find out whose the later one is before you pin any"
        case Standing.NO_ID:
            count, event_id = pin.without_id
            return (
                f"no proposal: in {_number(count, 'permitted run')} there is no {id_claim} of"
                f" decimal digits on record, and they would be refused (decision {mark(event_id)})"
            )
        case Standing.WITHHELD:
            return f"nothing for {claim} before that"
    unseen = _listed([mark(each.name) for each in pin.found if not each.ids])
    return f"nothing for {claim}: no run that counts was of {unseen}"


def _name_found(found: NameFound, pin: Pin, mark: Mark) -> str:
    [sighting] = found.ids
    return f"{mark(found.name)} has {pin.named.id_claim} {mark(sighting.id)} ({_seen(sighting)})"


def _contested(found: NameFound, mark: Mark) -> str:
    ids = [f"{mark(each.id)} ({_seen(each)}, by {_policies(each, mark)})" for each in found.ids]
    more = f" and others ({_number(found.more, 'run')})" if found.more else ""
    return f"{mark(found.name)} was seen with {len(ids)} ids: {', '.join(ids)}{more}"


def _policies(sighting: Sighting, mark: Mark) -> str:
    return _listed([mark(name) for name in sorted(sighting.policies)])


def _seen(sighting: Sighting) -> str:
    refs = len(sighting.refs)
    least = "more than " if sighting.more_refs else ""
    first, last = _date(sighting.first), _date(sighting.last)
    span = f"on {first}" if first == last else f"{first} to {last}"
    return f"{_number(sighting.runs, 'run')} on {least}{_number(refs, 'ref')}, {span}"


def _listed(parts: list[str]) -> str:
    told = ", ".join(parts[:MAX_NAMES])
    rest = len(parts) - MAX_NAMES
    return f"{told} and {rest} more" if rest > 0 else told


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _date(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d")
