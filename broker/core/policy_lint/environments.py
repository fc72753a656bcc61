"""Lints about environments, and what their protection rules guard (attacks rows 90, 92)."""

from collections.abc import Iterator

from broker.core.platforms import GITHUB, GITLAB
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import AllowPolicy, LintedSet
from broker.core.policy_lint.ref_openness import (
    Openness,
    names_environment,
    names_its_code,
    narrowest_ref,
)


def environment_protects(allow: AllowPolicy) -> bool:
    """Tell whether the rules of a named environment can say who deploys there.

    A pattern names none: whoever pushes can make a new environment that it matches.
    """
    if allow.issuer.platform is GITLAB and not allow.demands_true("environment_protected"):
        return False
    return names_environment(allow)


def environment_without_ref(linted: LintedSet) -> Iterator[Remark]:
    """Find GitHub policies that leave it to an environment which refs may deploy."""
    for allow in linted.allows:
        if allow.issuer.platform is not GITHUB or not names_environment(allow):
            continue
        ref = narrowest_ref(allow)
        if names_its_code(allow) or (ref is not None and ref[0] is not Openness.ANY):
            continue
        named = next(allow.on("environment", "environment_node_id", "sub"))
        yield Remark(
            allow.own_path(named),
            "any branch can name this environment, unless its protection rules say which may;"
            " add `ref: refs/heads/main`",
            at_key=True,
        )


def environment_not_protected(linted: LintedSet) -> Iterator[Remark]:
    """Find GitLab policies that name an environment which nobody need have protected."""
    for allow in linted.allows:
        environment = next(allow.on("environment"), None)
        if allow.issuer.platform is not GITLAB or environment is None:
            continue
        if not allow.demands_true("environment_protected"):
            yield Remark(
                allow.own_path(environment),
                "whoever may run a job can name this environment while it is not protected;"
                " add `environment_protected: true`",
                at_key=True,
            )
