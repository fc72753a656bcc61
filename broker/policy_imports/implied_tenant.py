"""The tenant that a `sub` names, as conditions that its platform makes hold with it.

A pattern on `sub` pins no tenant for the broker (contract §4, Tenant floor). Where the pattern
begins with one, the platform writes the same name into a claim of its own: requiring that claim as
well refuses no token that the pattern admits.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from broker.core.conditions import AnyOf, Equals, Glob, Positive, Single

_GITHUB: Final = (
    (
        r"repo:(?P<owner>[^/:@]+)@(?P<repository_owner_id>[0-9]+)"
        r"/(?P<name>[^/:@]+)@(?P<repository_id>[0-9]+):"
    ),
    r"repo:(?P<owner>[^/:@]+)@(?P<repository_owner_id>[0-9]+)/",
    r"repo:(?P<owner>[^/:@]+)/(?P<name>[^/:@]+):",
    r"repo:(?P<owner>[^/:@]+)/",
    r"repository_id:(?P<repository_id>[0-9]+):",
    r"repository_owner_id:(?P<repository_owner_id>[0-9]+):",
    r"repository_owner:(?P<owner>[^/:@]+):",
)
_GITLAB: Final = (
    r"project_path:(?P<project_path>[^:]+):",
    r"project_id:(?P<project_id>[0-9]+):",
    r"project_path:(?P<group>[^:]+)/",
)
_FORMS: Final[Mapping[str, tuple[re.Pattern[str], ...]]] = {
    "github": tuple(map(re.compile, _GITHUB)),
    "gitlab": tuple(map(re.compile, _GITLAB)),
}
_CLAIMS: Final = (
    "repository_id", "project_id", "repository", "project_path", "namespace_path",
    "repository_owner_id", "repository_owner",
)  # fmt: skip
"""What a tenant may be pinned by, narrowest first."""

Singles = tuple[Single, ...]

Start = tuple[str, bool]
"""What a value begins with, and whether that is all of it."""


def implied_tenants(preset: str, claim: str, starts: Sequence[Start]) -> dict[str, Positive]:
    """Give conditions, by claim, of which each holds for every token whose `claim` begins so.

    `starts` are those of the alternatives; a claim must follow from every one of them.
    """
    found = [dict(_implied(preset, claim, start)) for start in starts]
    return {
        name: _any_of(each[name] for each in found)
        for name in _CLAIMS
        if found and all(name in each for each in found)
    }


def _implied(preset: str, claim: str, start: Start) -> Iterator[tuple[str, Singles]]:
    text, whole = start
    if claim == "sub":
        yield from _in_sub(preset, f"{text}:" if whole else text)
    elif claim == "repository" and text.find("/") > 0:
        yield "repository_owner", (Equals(text.partition("/")[0]),)
    elif claim == "project_path" and text.find("/") > 0:
        group = text.partition("/")[0]
        yield "namespace_path", (Equals(group), Glob(f"{group}/**"))
    elif claim == "namespace_path" and (whole or text.find("/") > 0):
        yield "project_path", (Glob(f"{text.partition('/')[0]}/**"),)


def _in_sub(preset: str, text: str) -> Iterator[tuple[str, Singles]]:
    form = next(filter(None, (form.match(text) for form in _FORMS[preset])), None)
    if form is None:
        return
    parts = form.groupdict()
    owner, name, group = (parts.pop(part, None) for part in ("owner", "name", "group"))
    for claim, value in parts.items():
        yield claim, (Equals(value),)
    if owner is not None:
        yield "repository_owner", (Equals(owner),)
        if name is not None:
            yield "repository", (Equals(f"{owner}/{name}"),)
    if group is not None:
        yield "project_path", (Glob(f"{group}/**"),)


def _any_of(found: Iterable[Singles]) -> Positive:
    distinct = tuple(dict.fromkeys(single for singles in found for single in singles))
    return distinct[0] if len(distinct) == 1 else AnyOf(distinct)
