"""Lints about claims that people choose for themselves (attacks rows 94, 95, 109)."""

from collections.abc import Iterator
from typing import Final

from broker.core.platforms import GITHUB
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet

_PEOPLE: Final = {"actor": "actor_id", "user_login": "user_id", "user_email": "user_id"}
_AUTHORS: Final = ("workflow", "head_ref")


def actor_by_name(linted: LintedSet) -> Iterator[Remark]:
    """Find policies, denying ones too, that name a person by something that changes hands."""
    for name, policy in linted.policy_set.policies.items():
        for condition in policy.conditions:
            if condition.claim in _PEOPLE:
                yield Remark(
                    ("policies", name, "match", condition.claim),
                    f"`{condition.claim}` changes when the person wants, and somebody else may"
                    f" take the old one; write `{_PEOPLE[condition.claim]}: ID`",
                    at_key=True,
                )


def author_chosen(linted: LintedSet) -> Iterator[Remark]:
    """Find conditions on text that whoever writes the workflow chooses."""
    for allow in linted.allows:
        if allow.issuer.platform is not GITHUB:
            continue
        for placed in allow.on(*_AUTHORS):
            yield Remark(
                placed.path,
                f"whoever pushes a branch chooses what `{placed.condition.claim}` says; to trust"
                " one workflow write `job_workflow_ref: …@refs/heads/main`",
                at_key=True,
            )
