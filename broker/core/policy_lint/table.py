"""Every lint there is: its code, its severity, its title, and the function that finds it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from broker.core.policy_lint.chosen_claims import actor_by_name, author_chosen
from broker.core.policy_lint.claim_names import claim_unknown
from broker.core.policy_lint.environments import environment_not_protected, environment_without_ref
from broker.core.policy_lint.lifetimes import expired, expires_soon
from broker.core.policy_lint.lint import Finding, Lint, Severity
from broker.core.policy_lint.linted_set import LintedSet
from broker.core.policy_lint.literals import literal_star
from broker.core.policy_lint.overlaps import ambiguous_account
from broker.core.policy_lint.redundant import no_effect, shadowed
from broker.core.policy_lint.references import (
    account_undefined,
    unused_account,
    unused_issuer,
    unused_service,
)
from broker.core.policy_lint.refs import (
    any_ref,
    ref_form,
    ref_not_pinned,
    ref_not_protected,
    ref_pattern,
)
from broker.core.policy_lint.scopes import scope_wildcard
from broker.core.policy_lint.shared_ids import ids_of_several_issuers
from broker.core.policy_lint.sub import sub_form
from broker.core.policy_lint.templates import metadata_by_organization
from broker.core.policy_lint.tenants import (
    fork_merge_request,
    names_without_ids,
    org_wide,
    workflow_alone,
    workflow_without_ref,
)

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

ALLOW_WITHOUT_REASON: Final = Lint(
    "allow-without-reason", _ERROR, "A finding is accepted without a reason"
)
ALLOW_UNUSED: Final = Lint("allow-unused", _WARNING, "A comment accepts nothing")

LINTS: Final[Mapping[str, Lint]] = MappingProxyType({
    lint.code: lint
    for lint in (
        Lint("account-undefined", _WARNING, "No file defines the account", account_undefined),
        Lint("actor-by-name", _WARNING, "A person is named by a name", actor_by_name),
        ALLOW_UNUSED,
        ALLOW_WITHOUT_REASON,
        Lint(
            "ambiguous-account", _WARNING, "A job can satisfy policies of two accounts",
            ambiguous_account,
        ),
        Lint("any-ref", _ERROR, "Every branch or tag matches", any_ref),
        Lint("author-chosen", _INFO, "A claim says what its author wants", author_chosen),
        Lint("claim-unknown", _WARNING, "The platform writes no such claim", claim_unknown),
        Lint(
            "environment-not-protected", _WARNING, "The GitLab environment may be unprotected",
            environment_not_protected,
        ),
        Lint(
            "environment-without-ref", _WARNING, "An environment alone says which branch deploys",
            environment_without_ref,
        ),
        Lint("expired", _WARNING, "The policy has expired", expired),
        Lint("expires-soon", _INFO, "The policy expires within 14 days", expires_soon),
        Lint(
            "fork-merge-request", _INFO, "A merge request from a fork is not told apart",
            fork_merge_request,
        ),
        Lint(
            "ids-of-several-issuers", _WARNING, "Jobs of two issuers get the same identity",
            ids_of_several_issuers,
        ),
        Lint("literal-star", _WARNING, "A star that stands for itself", literal_star),
        Lint(
            "metadata-by-organization", _WARNING, "An organization chooses what its tokens say",
            metadata_by_organization,
        ),
        Lint("names-without-ids", _WARNING, "Names without ids", names_without_ids),
        Lint("no-effect", _WARNING, "A policy or a grant takes no effect", no_effect),
        Lint("org-wide", _WARNING, "Every repository of the organization matches", org_wide),
        Lint("ref-form", _WARNING, "The ref is not written as the platform does", ref_form),
        Lint("ref-not-pinned", _ERROR, "Jobs of any branch may change something", ref_not_pinned),
        Lint(
            "ref-not-protected", _WARNING, "The GitLab ref may be unprotected", ref_not_protected
        ),
        Lint("ref-pattern", _WARNING, "Whoever may push can fit the pattern", ref_pattern),
        Lint("scope-wildcard", _WARNING, "Scopes added later are granted, too", scope_wildcard),
        Lint("shadowed", _WARNING, "Another policy makes this one superfluous", shadowed),
        Lint("sub-form", _WARNING, "The immutable form of `sub` ends this condition", sub_form),
        Lint("unused-account", _WARNING, "No policy uses the account", unused_account),
        Lint("unused-issuer", _WARNING, "No policy is about the issuer", unused_issuer),
        Lint("unused-service", _INFO, "No account is granted the service", unused_service),
        Lint("workflow-alone", _ERROR, "A workflow is trusted whoever calls it", workflow_alone),
        Lint(
            "workflow-without-ref", _WARNING, "A workflow is trusted on any branch",
            workflow_without_ref,
        ),
    )
})  # fmt: skip
"""By code, in alphabetical order."""


def lint(linted: LintedSet) -> Iterator[Finding]:
    """Find everything there is to say about a policy set, each thing once; in no order."""
    told: set[tuple[object, ...]] = set()
    for each in LINTS.values():
        for remark in each.remarks(linted) if each.remarks else ():
            finding = Finding(each, remark.path, remark.message, at_key=remark.at_key)
            key = (each.code, remark.path, remark.message)
            if key not in told:
                told.add(key)
                yield finding
