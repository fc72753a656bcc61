"""Lints of a policy set: what loads, and yet lets in more, or does less, than its author may think.

Pure functions, one per lint, over values; where a finding stands in a file, and which comment
accepts it, is the business of `broker.policy_files.check`.
"""

from broker.core.policy_lint.lint import Finding, Lint, Remark, Severity
from broker.core.policy_lint.linted_set import LintedSet, Path, Written
from broker.core.policy_lint.table import ALLOW_UNUSED, ALLOW_WITHOUT_REASON, LINTS, lint

__all__ = [
    "ALLOW_UNUSED",
    "ALLOW_WITHOUT_REASON",
    "LINTS",
    "Finding",
    "Lint",
    "LintedSet",
    "Path",
    "Remark",
    "Severity",
    "Written",
    "lint",
]
