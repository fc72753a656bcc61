"""Hints for conditions on `sub`: why it reads otherwise, and which claims to match instead.

`sub` changes with what starts a job, with the environment it names and with the platform's own
forms; the claims that it is made of do not.
"""

import re
from collections.abc import Iterator, Mapping

from broker.core.claims import Claims, text_of
from broker.core.condition_text import shown, with_item, yaml_line
from broker.core.conditions import AnyOf, Condition, Equals, Glob
from broker.core.hints.miss import Miss
from broker.core.nearness import names_tenant
from broker.core.sub_forms import classic_form, context_in

_GITLAB_REF = re.compile(r"ref_type:(branch|tag):ref:(.+)", re.DOTALL)

Instead = Mapping[str, object]
"""The members of `match` that say what a `sub` was meant to say."""


def other_sub(miss: Miss) -> str | None:
    """`sub` names the token's own tenant in another form, or with another context."""
    platform = miss.case.issuer.platform
    claims = miss.case.claims
    if miss.claim != "sub" or miss.text is None or platform is None:
        return None
    for item in _expected(miss.result.condition):
        expected = item.text if isinstance(item, Equals) else item.pattern
        context = context_in(expected)
        meant = _meant_by(context, claims)
        if names_tenant(expected, claims) and (meant or not context.strip("*")):
            identity = platform.tenant_ids[0]
            meant = {identity: claims.get(identity), **meant}
            if isinstance(item, Glob):
                meant = {claim: _glob(value) for claim, value in meant.items()}
            why, instead = _difference(miss, miss.text, expected, meant)
            return f"{why}; {_written(instead, miss)}"
    return _immutable_of_own_form(miss, miss.text)


def _immutable_of_own_form(miss: Miss, sub: str) -> str | None:
    """Keep what nobody but the repository can take apart, and only add the new form of it."""
    classic = classic_form(sub)
    if classic is None or not miss.would_hold(classic):
        return None
    line = yaml_line("sub", with_item(miss.matcher, sub))
    return f"the token's `sub` has the new immutable form {shown(sub)}: add it, {line}"


def _expected(condition: Condition) -> Iterator[Equals | Glob]:
    matcher = condition.matcher
    for item in matcher.items if isinstance(matcher, AnyOf) else (matcher,):
        if isinstance(item, Equals | Glob):
            yield item


def _difference(miss: Miss, sub: str, expected: str, meant: Instead) -> tuple[str, Instead]:
    """Say why a `sub` is not the one expected, and what to match instead."""
    claims = miss.case.claims
    wanted, has = context_in(expected), context_in(sub)
    environment = text_of(claims.get("environment"))
    classic = classic_form(sub)
    if classic is not None and miss.would_hold(classic):
        return f"the token's `sub` has the new immutable form {shown(sub)}", meant
    if classic_form(expected) == sub:
        return f"the token's `sub` has the classic form {shown(sub)}, without ids", meant
    if has == "" or not names_tenant(sub, claims):
        return f"`sub` has a form of its own here, {shown(sub)}", meant
    if wanted.startswith("environment:"):
        if environment is None:
            add = yaml_line("environment", meant["environment"])
            return (
                f"the job names no `environment`, so `sub` carries none: add {add} to the job",
                meant,
            )
        if _escaped(wanted) == _escaped(has):
            return "`:` inside a value is written %3A in `sub`", meant
    if wanted.startswith("ref:") and has.startswith("environment:"):
        why = "`environment` is set, so `sub` carries no ref"
        return why, {**meant, "environment": environment}
    if has == "pull_request":
        return "the event is pull_request, so `sub` carries no ref: that of a push does", meant
    return f"`sub` is {shown(sub)}", _or_as_it_is(meant, claims)


def _meant_by(context: str, claims: Claims) -> dict[str, object]:
    """Give the claims that the context of a `sub` stands for."""
    gitlab = _GITLAB_REF.fullmatch(context)
    if gitlab:
        return {"ref_type": gitlab[1], "ref": gitlab[2]}
    if context.startswith("ref:"):
        return {"ref": context.removeprefix("ref:")}
    if context == "pull_request":
        return {"event_name": context}
    if context.startswith("environment:"):
        named = context.removeprefix("environment:")
        actual = text_of(claims.get("environment"))
        same = actual is not None and _escaped(actual) == _escaped(named)
        return {"environment": actual if same else named}
    return {}


def _escaped(text: str) -> str:
    return text.replace(":", "%3A")


def _glob(value: object) -> object:
    wild = isinstance(value, str) and ("*" in value or "?" in value)
    return {"glob": value} if wild else value


def _or_as_it_is(meant: Instead, claims: Claims) -> Instead:
    """Admit what the token has beside what was meant."""
    actual = {claim: text_of(claims.get(claim)) for claim in meant}
    return {
        claim: value if actual[claim] in (None, value) else [value, actual[claim]]
        for claim, value in meant.items()
    }


def _written(instead: Instead, miss: Miss) -> str:
    named = {each.claim for each in miss.own}
    lines = [yaml_line(claim, value) for claim, value in instead.items() if claim not in named]
    if not lines:
        return "drop the condition on it, the others say the same"
    return f"match {' and '.join(lines)} instead"
