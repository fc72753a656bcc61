"""What the tokens of a service carry beside the usual claims, ready for a decision to fill in.

Made once, when a policy set is loaded. A service without any of it has no shape, and costs nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from broker.core.claim_templates import METADATA, ORGANIZATION, WORKLOAD, Template
from broker.core.platforms import Platform

MAX_CLAIMS: Final = 20
MAX_ITEMS: Final = 50
MAX_MEMBERS: Final = 20
MAX_TAGS: Final = 50

Texts: TypeAlias = Template | tuple[Template, ...]
ClaimTemplate: TypeAlias = Texts | tuple[Mapping[str, Texts], ...]
"""A text, a list of texts, or a list of flat objects whose members are texts or lists of texts."""


@dataclass(frozen=True, slots=True)
class TokenShape:
    """The claims and session tags of one service."""

    claims: Mapping[str, ClaimTemplate]
    session_tags: Mapping[str, Template]
    transitive_tags: tuple[str, ...]
    metadata: frozenset[str]
    """The members of the account's metadata that some template names."""

    workload: frozenset[str]
    """The members of the job's description that some template names."""

    needs_organization: bool


def shape_of(
    claims: Mapping[str, ClaimTemplate],
    session_tags: Mapping[str, Template],
    transitive_tags: tuple[str, ...],
) -> TokenShape | None:
    """Give the shape of a service's tokens, None when it asks for nothing."""
    if not claims and not session_tags:
        return None
    named = [
        placeholder
        for template in templates_in(claims, session_tags)
        for placeholder in template.placeholders()
    ]
    return TokenShape(
        claims,
        session_tags,
        transitive_tags,
        frozenset(each.name for each in named if each.source == METADATA),
        frozenset(each.name for each in named if each.source == WORKLOAD),
        any(each.source == ORGANIZATION for each in named),
    )


def templates_in(
    claims: Mapping[str, ClaimTemplate], session_tags: Mapping[str, Template]
) -> Iterator[Template]:
    """Yield every template, each as often as it stands there."""
    for value in claims.values():
        yield from _templates(value)
    yield from session_tags.values()


def as_written(value: ClaimTemplate) -> object:
    """Give a claim's templates as the policy file has them."""
    if isinstance(value, Template):
        return value.text
    return [
        item.text
        if isinstance(item, Template)
        else {name: as_written(member) for name, member in item.items()}
        for item in value
    ]


def _templates(value: ClaimTemplate) -> Iterator[Template]:
    if isinstance(value, Template):
        yield value
        return
    for item in value:
        if isinstance(item, Template):
            yield item
        else:
            for member in item.values():
                yield from _templates(member)


def claim_of_job(name: str, platform: Platform | None) -> str:
    """Name the claim that `{workload.NAME}` stands for: a member of `workload`, or a claim.

    The member where there is one, as `repository_id` is the `project_id` of GitLab.
    """
    return name if platform is None else platform.workload.get(name, name)
