"""Lints about whose jobs a policy means (attacks rows 87, 88, 96, 106)."""

from collections.abc import Iterator
from typing import Final

from broker.core.conditions import AnyOf, Condition, Equals, Glob
from broker.core.globs import literal_prefix
from broker.core.platforms import GITHUB, GITLAB, Platform
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import AllowPolicy, LintedSet
from broker.core.policy_lint.ref_openness import WORKFLOW_CLAIMS, unpinned_workflows
from broker.core.policy_lint.sub import sub_names_ids, sub_names_repository

_OF_FORKS: Final = ("merge_request_event", "external_pull_request_event")
_ORGANIZATION: Final = {"github": "organization", "gitlab": "group"}
_REPOSITORY: Final = {"github": "repository", "gitlab": "project"}


def names_without_ids(linted: LintedSet) -> Iterator[Remark]:
    """Find policies whose tenant is given by names alone."""
    for allow in linted.allows:
        platform = allow.issuer.platform
        if platform is None or allow.pins(*platform.immutable_ids):
            continue
        if any(sub_names_ids(placed.condition) for placed in allow.on("sub")):
            continue
        # The floor sees to it that there is one.
        named = next(allow.on(*platform.tenant_names, "sub"))
        id_of = dict(zip(platform.tenant_names, platform.tenant_ids, strict=True))
        yield Remark(
            allow.own_path(named),
            "whoever takes over this name after a rename or a deletion gets in;"
            f" add `{id_of.get(named.condition.claim, platform.tenant_ids[0])}: ID`, which stays;"
            " `broker policies pin` finds it in what was granted",
            at_key=True,
        )


def org_wide(linted: LintedSet) -> Iterator[Remark]:
    """Find policies that every repository of an organization, or project of a group, satisfies."""
    for allow in linted.allows:
        platform = allow.issuer.platform
        if platform is None or _names_repository(allow, platform) or _names_workflow(allow):
            continue
        instances = allow.account.instances if allow.account else ()
        if platform.tenant_ids[0] in instances:
            # Each repository acts as itself alone.
            continue
        named = next(allow.on(*platform.tenant_claims, "sub"))
        kind, group = _REPOSITORY[platform.name], _ORGANIZATION[platform.name]
        workflow = " or `job_workflow_ref: …@refs/heads/main`" if platform is GITHUB else ""
        yield Remark(
            allow.own_path(named),
            f"every {kind} of the {group} matches, also one that somebody makes tomorrow;"
            f" add `{platform.tenant_ids[0]}: ID`{workflow}",
            at_key=True,
        )


def workflow_alone(linted: LintedSet) -> Iterator[Remark]:
    """Find policies that trust a reusable workflow whoever calls it."""
    for allow in linted.allows:
        workflow = next(allow.on("job_workflow_ref"), None)
        if workflow is not None and not any(allow.on(*GITHUB.tenant_claims, "sub")):
            yield Remark(
                workflow.path,
                "every repository that can call this workflow matches, a stranger's too;"
                " add `repository_owner_id: ID`",
                at_key=True,
            )


def workflow_without_ref(linted: LintedSet) -> Iterator[Remark]:
    """Find policies that trust a workflow file on whichever ref it is."""
    for allow in linted.allows:
        for placed in allow.on(*WORKFLOW_CLAIMS):
            for within, item in unpinned_workflows(placed.condition):
                happens = "the file counts as it is on any branch that someone can push to"
                if isinstance(item, Equals):
                    happens = "this matches nothing, as the claim ends with `@` and a ref"
                yield Remark(
                    placed.path + within,
                    f"{happens}; write the ref, `{placed.condition.claim}: …@refs/heads/main`",
                )


def fork_merge_request(linted: LintedSet) -> Iterator[Remark]:
    """Find GitLab policies for merge requests that do not say where the job runs."""
    for allow in linted.allows:
        if allow.issuer.platform is not GITLAB or not (allow.events or frozenset()) & set(
            _OF_FORKS
        ):
            continue
        if any(allow.on("job_project_id", "job_project_path")):
            continue
        event = next(allow.on("pipeline_source"))
        yield Remark(
            allow.own_path(event),
            "in a merge request from a fork, `project_id` names the fork or the target, by the"
            " version of GitLab; add `job_project_id: ID` where GitLab sends it",
            at_key=True,
        )


def _names_repository(allow: AllowPolicy, platform: Platform) -> bool:
    by_id, by_name = platform.tenant_ids[0], platform.tenant_names[0]
    if allow.pins(by_id, by_name, "environment_node_id"):
        return True
    return any(sub_names_repository(placed.condition) for placed in allow.on("sub"))


def _names_workflow(allow: AllowPolicy) -> bool:
    """Tell whether a named workflow file, or a property that the organization sets, says more."""
    claims = {placed.condition.claim for placed in allow.conditions}
    if allow.pins(*(claim for claim in claims if claim.startswith("repo_property_"))):
        return True
    return any(
        _names_file(placed.condition) and not unpinned_workflows(placed.condition)
        for placed in allow.on(*WORKFLOW_CLAIMS)
    )


def _names_file(condition: Condition) -> bool:
    """Tell whether every item names at least the repository of the workflow."""
    matcher = condition.matcher
    items = matcher.items if isinstance(matcher, AnyOf) else (matcher,)
    return all(
        isinstance(item, Equals)
        or (isinstance(item, Glob) and literal_prefix(item.pattern).count("/") > 1)
        for item in items
    )
