"""Hints for conditions on the tenant: they say why the token's tenant is another one.

Only a new name under an id that holds is written into a policy; anything else would admit a
tenant that the policy does not mean.
"""

from typing import Final

from broker.core.condition_text import shown, with_item, written, yaml, yaml_line
from broker.core.conditions import Not
from broker.core.hints.miss import Hint, Miss
from broker.core.hints.sub_hints import other_sub


def fork(miss: Miss) -> str | None:
    """GitLab: in a fork's merge request `project_*` is the fork and `job_project_*` the target."""
    twin = f"job_{miss.claim}"
    target = miss.text_in(twin)
    if target is None or not miss.would_hold(target):
        return None
    thing = "namespace" if miss.claim.startswith("namespace") else "project"
    kind = "id" if miss.claim.endswith("_id") else "path"
    return (
        f"`{miss.claim}` {miss.shown} is the fork's {thing} {kind}; `{twin}` {shown(target)} is the"
        f" target: a merge request from a fork cannot act as the target, let a pipeline of the"
        f" target do this"
    )


def renamed(miss: Miss) -> str | None:
    """The id holds, the name does not."""
    identity = _twin(miss.claim, miss, to_id=True)
    if identity is None or miss.text is None or not miss.holds_in_policy(identity):
        return None
    value = miss.text if miss.is_equality() else with_item(miss.matcher, miss.text)
    return (
        f"`{identity}` holds but the name has changed, `{miss.claim}` is now {miss.shown}: in"
        f" policy {miss.policy} write {yaml_line(miss.claim, value)}"
    )


def taken_over(miss: Miss) -> str | None:
    """The name holds, the id does not: another one has the name now."""
    name = _twin(miss.claim, miss, to_id=False)
    if name is None or miss.text is None or not miss.holds_in_policy(name):
        return None
    meant = f"{yaml(written(miss.matcher))} in policy {miss.policy}"
    return (
        f"`{name}` {shown(miss.text_in(name))} has `{miss.claim}` {miss.shown}, not {meant}: it was"
        f" made anew, or someone took the name over; find out whose it is first"
    )


def excluded(miss: Miss) -> str | None:
    """The policy excludes the value by `not`."""
    if not isinstance(miss.matcher, Not) or miss.result.is_absent:
        return None
    return f"policy {miss.policy} excludes `{miss.claim}` {miss.shown} by `not`"


def _twin(claim: str, miss: Miss, *, to_id: bool) -> str | None:
    platform = miss.case.issuer.platform
    pairs = zip(platform.tenant_ids, platform.tenant_names, strict=True) if platform else ()
    for identity, name in pairs:
        if claim == (name if to_id else identity):
            return identity if to_id else name
    return None


TENANT_HINTS: Final[tuple[Hint, ...]] = (other_sub, renamed)

TENANT_VERDICTS: Final[tuple[Hint, ...]] = (excluded, fork, taken_over)
"""What no change to the policy can mend, or none should without a look."""
