"""Lints about what tokens of a service carry."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from broker.core.claim_templates import METADATA, ORGANIZATION, Placeholder, Template
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet
from broker.core.token_shape import templates_in

_ORGANIZATION: Final = Placeholder(ORGANIZATION)
_IN_NO_NAME: Final = re.compile(r"[^A-Za-z0-9._-]")
_IN_NO_PATH: Final = re.compile(r"[^A-Za-z0-9._/-]")


def metadata_by_organization(linted: LintedSet) -> Iterator[Remark]:
    """Find templates that let organizations' own administrators choose what a token says."""
    for name, service in linted.policy_set.services.items():
        if not service.organizations:
            continue
        for claim, value in service.claims.items():
            for template in filter(_chosen, templates_in({claim: value}, {})):
                yield _remark(("services", name, "claims", claim), template)
        for key, template in service.session_tags.items():
            if _chosen(template):
                yield _remark(("services", name, "session_tags", key), template)


def _chosen(template: Template) -> bool:
    sources = {placeholder.source for placeholder in template.placeholders()}
    return METADATA in sources and not any(
        part == _ORGANIZATION and _stands_apart(template.parts, place)
        for place, part in enumerate(template.parts)
    )


def _stands_apart(parts: Sequence[str | Placeholder], place: int) -> bool:
    """Tell whether the organization at a place can be read back, whatever stands beside it.

    With `{organization}-{metadata.team}` one organization can say what another has: either may
    hold a hyphen. A slash is enough where only one side varies, as organizations have none.
    """
    before, after = parts[:place][::-1], parts[place + 1 :]
    varying = [side for side in (before, after) if any(isinstance(p, Placeholder) for p in side)]
    sign = _IN_NO_NAME if len(varying) == 1 else _IN_NO_PATH
    return all(isinstance(side[0], str) and sign.search(side[0]) for side in varying)


def _remark(path: tuple[str, ...], template: Template) -> Remark:
    return Remark(
        path,
        f"whoever administers an organization that this service is open to chooses what stands for"
        f" `{template.text}`, also what another organization has; write `{{organization}}` beside"
        " it, with a sign between them that neither has, as in `{organization}/{metadata.team}`",
    )
