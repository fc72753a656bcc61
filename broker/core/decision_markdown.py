"""A decision on record as a message for a chat: short, and inert whatever its texts hold.

Chats read different Markdown. Whatever others chose stands in a span of code, in which none of
them sees mark-up, links or mentions; what could end the span, or counts in some of them even
there, is written otherwise (attacks row 174).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from broker.core.condition_text import shown
from broker.core.decision_facts import facts, headline
from broker.core.errors import Reason
from broker.core.explain import Explanation
from broker.core.explanation_text import condition_text
from broker.core.judged_policy import Candidate
from broker.core.personal_claims import is_personal
from broker.core.printable import printable
from broker.core.recorded_decision import RecordedDecision

MAX_CHARACTERS: Final = 3_000
"""Of a whole message; most chats take 4,000."""

MAX_SPAN: Final = 200
MAX_POLICIES: Final = 3
MAX_CONDITIONS: Final = 6
MAX_FIX_LINES: Final = 6

_CUT: Final = "_There is more._\n"
# An address or `file@ref` is no mention; the words that call everybody are, wherever they stand.
_MENTION: Final = re.compile(r"(?<![A-Za-z0-9])@|@(?=everyone|here|channel|all)", re.IGNORECASE)


def decision_markdown(event: Mapping[str, Any], recorded: RecordedDecision) -> str:
    """Write a decision, given as JSON members and explained, in at most `MAX_CHARACTERS`.

    No claim that tells of a person is in it.
    """
    event = _without_persons(event)
    command = f"broker audit explain {event.get('id')}"
    end = f"All of it: {span(command)}\n"
    text = ""
    for line in _lines(event, recorded):
        if len(text) + len(line) + 1 + len(_CUT) + len(end) > MAX_CHARACTERS:
            return text + _CUT + end
        text += f"{line}\n"
    return text + end


def span(text: str) -> str:
    """Write a text as a span of code of one line that nothing in the text can end."""
    plain = printable(text if len(text) <= MAX_SPAN else f"{text[:MAX_SPAN]}...").strip()
    plain = plain.replace("`", "'").replace("<", r"\x3c").replace(">", r"\x3e")
    # Where a span is not known, this would be a link.
    plain = plain.replace("](", "] (")
    plain = _MENTION.sub(r"\\x40", plain)
    if plain.endswith("\\"):
        plain = rf"{plain[:-1]}\x5c"
    return f"`{plain or '-'}`"


def _lines(event: Mapping[str, Any], recorded: RecordedDecision) -> Iterator[str]:
    how, word = headline(event)
    yield f"**{how.capitalize()}: {span(word)}**"
    explanation = recorded.explanation
    for name, fact in facts(event, explanation):
        if name != "who" or not is_personal("sub", event.get("subject")):
            yield f"- {name}: {span(fact)}"
    if explanation is not None:
        for candidate in explanation.candidates[:MAX_POLICIES]:
            yield from _candidate(candidate)
        if explanation.fix is not None and not _about_a_person(explanation):
            yield "What would help:"
            for line in explanation.fix.split("\n")[:MAX_FIX_LINES]:
                yield f"- {span(line)}"
    for note in recorded.notes:
        yield f"Note: {span(note)}"


def _without_persons(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name the account alone where one of its instances is of a person."""
    named = {name: event.get(name) for name in ("sub", "actor")}
    return {
        **event,
        **{name: f"{sub.partition(':')[0]} (an instance of it)"
           for name, sub in named.items() if isinstance(sub, str) and _is_of_a_person(sub)},
    }  # fmt: skip


def _is_of_a_person(sub: str) -> bool:
    """Tell whether an identity is one of an account that has one for each person."""
    _, *parts = sub.split(":")
    return any(map(is_personal, parts[::2], parts[1::2]))


def _about_a_person(explanation: Explanation) -> bool:
    """Tell whether what could be mended, and so its mending, tells of a person."""
    failing = (each for candidate in explanation.candidates for each in candidate.failing)
    if any(is_personal(each.claim, each.value) for each in failing):
        return True
    # A `sub` or a template that cannot be filled in is told with what it would be filled in with.
    claims = explanation.case.claims
    return explanation.reason == Reason.CLAIM_INVALID and any(
        is_personal(name, value) and shown(value) in (explanation.fix or "")
        for name, value in claims.items()
    )


def _candidate(candidate: Candidate) -> Iterator[str]:
    policy = candidate.policy
    whom = f"allow, service account {policy.service_account}" if candidate.allows else "deny"
    holds = "holds" if candidate.holds else "does not hold"
    yield f"Policy {span(f'{policy.name} ({whom})')} {holds}:"
    for result in candidate.failing[:MAX_CONDITIONS]:
        if is_personal(result.claim, result.value):
            yield "- a condition on who started the job"
        else:
            yield f"- {span(condition_text(result))}"
    if candidate.expired:
        yield "- it has expired"
    if candidate.other_account:
        yield "- another service account was asked for"
    if candidate.other_service:
        yield "- it is not about the service asked for"
