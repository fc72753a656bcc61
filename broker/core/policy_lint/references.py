"""Lints about names that lead nowhere, and entries that nothing leads to."""

from collections.abc import Iterator

from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet


def account_undefined(linted: LintedSet) -> Iterator[Remark]:
    """Find policies for an account that no file defines."""
    for allow in linted.allows:
        if allow.account is None:
            yield Remark(
                ("policies", allow.policy.name, "service_account"),
                f"whoever may create accounts can make `{allow.policy.service_account}` and decide"
                " what it is, and until then these jobs are refused; define it under"
                " `service_accounts:`",
            )


def unused_account(linted: LintedSet) -> Iterator[Remark]:
    """Find accounts that no policy uses and no service lets introspect."""
    used = {allow.policy.service_account for allow in linted.allows}
    used.update(*(service.introspection for service in linted.policy_set.services.values()))
    for name in linted.written.get("service_accounts", {}):
        if name not in used:
            yield Remark(
                ("service_accounts", name),
                "no policy acts as this account, but its grants stay open for one that will;"
                f" delete it, or write a policy with `service_account: {name}`",
                at_key=True,
            )


def unused_service(linted: LintedSet) -> Iterator[Remark]:
    """Find services that no account and no policy in the files is granted."""
    granting = [account.grants for account in linted.policy_set.service_accounts.values()]
    granting += [allow.grants for allow in linted.allows]
    used = {name for grants in granting for name in grants}
    for name in linted.written.get("services", {}):
        if name not in used:
            yield Remark(
                ("services", name),
                "no account of these files is granted this service; delete it, unless accounts made"
                f" through the API use it, or write `grants: {{{name}: […]}}`",
                at_key=True,
            )


def unused_issuer(linted: LintedSet) -> Iterator[Remark]:
    """Find issuers that are trusted for nothing."""
    used = {policy.issuer for policy in linted.policy_set.policies.values()}
    for name in linted.written.get("issuers", {}):
        if name not in used:
            yield Remark(
                ("issuers", name),
                "its keys are fetched and its tokens verified, but no policy is about them; delete"
                f" it, or write a policy with `issuer: {name}`",
                at_key=True,
            )
