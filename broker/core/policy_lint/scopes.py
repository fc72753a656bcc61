"""Lints about scopes, and which of them only read."""

from collections.abc import Iterator
from typing import Final

from broker.core.policy import Grants, PolicySet
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet

_READING: Final = frozenset({
    "read", "readonly", "read-only", "list", "get", "view", "pull", "download", "fetch",
    "describe", "plan",
})  # fmt: skip
_CHANGING: Final = frozenset({"write", "admin", "delete", "all"})


def changing_scope(grants: Grants, policy_set: PolicySet) -> str | None:
    """Name one scope among these that may change something, or a service that knows no scopes.

    A scope only reads when its last word says so (`deploy:read`), or its first (`read:packages`);
    whatever else it is called counts as changing.
    """
    for name in sorted(grants):
        if not policy_set.services[name].scopes:
            return name
        for scope in sorted(grants[name]):
            if not _only_reads(scope):
                return scope
    return None


def scope_wildcard(linted: LintedSet) -> Iterator[Remark]:
    """Find grants of `x:*`: what they grant grows with the catalogue."""
    for section in ("service_accounts", "policies"):
        for name, entry in linted.written.get(section, {}).items():
            grants = entry.get("grants") if isinstance(entry, dict) else None
            for service, scopes in grants.items() if isinstance(grants, dict) else ():
                known = linted.policy_set.services[service].scopes
                for index, scope in enumerate(scopes):
                    if scope.endswith("*"):
                        meant = ", ".join(each for each in known if each.startswith(scope[:-1]))
                        yield Remark(
                            (section, name, "grants", service, index),
                            f"`{scope}` also grants every scope that `{service}` is given later;"
                            f" write what is meant today: `{service}: [{meant}]`",
                        )


def _only_reads(scope: str) -> bool:
    words = scope.lower().replace(".", ":").replace("/", ":").split(":")
    if words[-1] in _READING:
        return True
    return words[0] == "read" and words[-1] not in _CHANGING
