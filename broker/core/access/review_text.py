"""An access review as lines for a terminal, by service and scope."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from broker.core.access.grant import AccessGrant, Mark, Way
from broker.core.access.review import AccessReview, LookUp
from broker.core.access.uses import Use
from broker.core.audit import rfc3339
from broker.core.condition_text import shown, written, yaml
from broker.core.conditions import Condition

NOT_LOOKED_UP: Final = "not looked up"
NO_SCOPE: Final = "(no scope)"

_MARKS: Final = {
    Mark.OBSERVED: "observed only",
    Mark.EXPIRED: "expired",
    Mark.ISSUER_DISABLED: "its issuer is switched off",
    Mark.ACCOUNT_DISABLED: "the account is switched off or over",
    Mark.BLOCKED: "blocked",
    Mark.ACCOUNT_MISSING: "there is no such account",
    Mark.ACCOUNT_NOT_LOOKED_UP: "account not looked up",
}


def render(review: AccessReview, *, ascii_only: bool = False) -> str:
    """Write a review as lines, each ended by a line feed.

    What others have named never begins a line and never holds a control character.
    """
    text = "".join(f"{line}\n" for line in _lines(review))
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def conditions_text(conditions: Iterable[Condition]) -> str:
    """Write conditions as the policy files have them, on one line."""
    return "; ".join(f"{yaml(each.claim)}: {yaml(written(each.matcher))}" for each in conditions)


def _lines(review: AccessReview) -> Iterator[str]:
    yield from _about(review)
    for (service, scope), grants in groupby(
        review.grants, key=lambda each: (each.service.name, each.scope)
    ):
        yield ""
        yield f"{shown(service)}  {NO_SCOPE if scope is None else shown(scope)}"
        for grant in grants:
            yield from _grant_lines(grant, review)
    if not review.grants:
        yield ""
        yield "nothing is granted"


def _about(review: AccessReview) -> Iterator[str]:
    yield f"as of {rfc3339(review.as_of)}, policy set {shown(review.policy_set)}"
    if review.commit is not None:
        changed = ", with changes that are not committed" if review.commit.changed else ""
        yield f"commit {shown(review.commit.sha)}{changed}"
    if review.look_up is None:
        yield f"uses, secrets and accounts made through the API: {NOT_LOOKED_UP}"
    else:
        yield f"uses since {shown(review.look_up.since)}"


def _grant_lines(grant: AccessGrant, review: AccessReview) -> Iterator[str]:
    yield f"  {shown(grant.service_account)} by {_by(grant)}{_marks(grant)}"
    if grant.description is not None:
        yield f"    {shown(grant.description)}"
    facts = {
        "tenant": conditions_text(grant.tenant),
        "when": conditions_text(grant.conditions),
        "required of all": conditions_text(grant.required),
        "outsiders may cause": ", ".join(map(shown, grant.outside_events)),
        "denied by": ", ".join(map(shown, grant.denied_by)),
        "owner": _owner(grant),
    }
    for name, text in facts.items():
        if text:
            yield f"    {name}: {text}"
    yield f"    {_used(grant, review)}"


def _by(grant: AccessGrant) -> str:
    if grant.policy is None:
        return "client credentials"
    place = f" ({shown(grant.policy.place)})" if grant.policy.place else ""
    return f"policy {shown(grant.policy.name)} of {shown(grant.policy.issuer)}{place}"


def _marks(grant: AccessGrant) -> str:
    words = ", ".join(_MARKS[each] for each in grant.marks)
    return f"  [{words}]" if words else ""


def _owner(grant: AccessGrant) -> str:
    policy, (own, of_account) = grant.policy, grant.owners
    facts = {
        "": own,
        "account of ": of_account,
        "organization ": grant.organization,
        "ticket ": None if policy is None else policy.ticket,
        "until ": _day(None if policy is None else policy.expires_at),
        "account until ": _day(grant.account_expires_at),
    }
    return ", ".join(f"{name}{shown(value)}" for name, value in facts.items() if value is not None)


def _day(instant: float | None) -> str | None:
    return None if instant is None else rfc3339(instant)[:16] + "Z"


def _used(grant: AccessGrant, review: AccessReview) -> str:
    look_up = review.look_up
    used = _last(None if look_up is None else look_up.uses.of(grant), look_up)
    if grant.way is Way.POLICY:
        return used
    keys = ", a registered key" if grant.registered_keys else ""
    if look_up is None:
        return f"client secrets: {NOT_LOOKED_UP}{keys}; {used}"
    secrets = look_up.secrets_of(grant.service_account)
    last = "" if secrets.last_used_at is None else f" (used {_day(secrets.last_used_at)})"
    return f"client secrets: {secrets.count} live{last}{keys}; {used}"


def _last(use: Use | None, look_up: LookUp | None) -> str:
    if look_up is None:
        return f"last used: {NOT_LOOKED_UP}"
    if use is None:
        return "not used since then"
    count = "1 token" if use.tokens == 1 else f"{use.tokens:,} tokens"
    return f"last used: {shown(use.last)}, {count}"
