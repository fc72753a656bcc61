"""Lints about what tokens of a service carry."""

from collections.abc import Iterator

from broker.core.claim_templates import METADATA, ORGANIZATION, Template
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet
from broker.core.token_shape import templates_in


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
    return METADATA in sources and ORGANIZATION not in sources


def _remark(path: tuple[str, ...], template: Template) -> Remark:
    return Remark(
        path,
        f"whoever administers an organization that this service is open to chooses what stands for"
        f" `{template.text}`, also what another organization has; write `{{organization}}` beside"
        " it",
    )
