"""The lint about ids that say which job it is, where several issuers give ids.

Each platform counts its own repositories: the same number is another repository elsewhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from broker.core.claim_templates import SERVICE_ACCOUNT, SUB, WORKLOAD, Template
from broker.core.claims import fold_ascii
from broker.core.policy import Issuer, Service
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import AllowPolicy, LintedSet, Path
from broker.core.token_shape import claim_of_job, templates_in

_OF_THE_ACCOUNT: Final = frozenset({SERVICE_ACCOUNT, SUB})


def ids_of_several_issuers(linted: LintedSet) -> Iterator[Remark]:
    """Find identities and claims of tokens that jobs of two issuers can have alike (row 130).

    A value that the policies of both write out was meant; so was none that only one writes out.
    """
    counting = [allow for allow in linted.allows if linted.counts(allow.policy)]
    yield from _of_instances(counting)
    for name, service in linted.policy_set.services.items():
        if service.shape is not None and service.shape.workload:
            yield from _of_templates(service, [each for each in counting if name in each.grants])


def _of_instances(allows: Iterable[AllowPolicy]) -> Iterator[Remark]:
    for client_id, its_allows in _by_account(allows).items():
        account = its_allows[0].account
        claims = account.instances if account else ()
        issuers = _alike(its_allows, dict.fromkeys(_issuers(its_allows), claims))
        if claims and issuers is not None:
            sub = ":".join([client_id, *(f"{claim}:VALUE" for claim in claims)])
            yield Remark(
                ("service_accounts", client_id, "instances"),
                f"jobs of `{issuers[0]}` and of `{issuers[1]}` get the same `sub`, `{sub}`, where"
                " their ids are the same number; give the jobs of each issuer an account of their"
                " own",
            )


def _of_templates(service: Service, allows: Sequence[AllowPolicy]) -> Iterator[Remark]:
    for path, template in _placed(service):
        found = [each for each in template.placeholders() if each.source == WORKLOAD]
        names = [each.name for each in found]
        tells_account = any(each.source in _OF_THE_ACCOUNT for each in template.placeholders())
        groups = _by_account(allows).values() if tells_account else (allows,)
        for group in groups if names else ():
            claims = {
                issuer.name: [claim_of_job(each, issuer.platform) for each in names]
                for issuer in _issuers(group).values()
            }
            issuers = _alike(group, claims)
            if issuers is not None:
                yield Remark(
                    path,
                    f"jobs of `{issuers[0]}` and of `{issuers[1]}` get the same for"
                    f" `{template.text}` where their ids are the same number; give the jobs of each"
                    " issuer an account of their own, and write `{service_account}` beside it",
                )
                break


def _placed(service: Service) -> Iterator[tuple[Path, Template]]:
    for claim, value in service.claims.items():
        for template in templates_in({claim: value}, {}):
            yield ("services", service.name, "claims", claim), template
    for key, template in service.session_tags.items():
        yield ("services", service.name, "session_tags", key), template


def _by_account(allows: Iterable[AllowPolicy]) -> dict[str, list[AllowPolicy]]:
    by_account: dict[str, list[AllowPolicy]] = defaultdict(list)
    for allow in allows:
        by_account[allow.policy.service_account or ""].append(allow)
    return by_account


def _issuers(allows: Iterable[AllowPolicy]) -> dict[str, Issuer]:
    return {allow.issuer.name: allow.issuer for allow in allows}


def _alike(
    allows: Iterable[AllowPolicy], claims: Mapping[str, Sequence[str]]
) -> tuple[str, str] | None:
    """Name two issuers whose jobs can have the same values, one of them not written out.

    `claims` are those that the values are of, by issuer.
    """
    by_issuer: dict[str, list[AllowPolicy]] = defaultdict(list)
    for allow in allows:
        by_issuer[allow.issuer.name].append(allow)
    values = {
        name: [_values(its_allows, claim) for claim in claims[name]]
        for name, its_allows in by_issuer.items()
    }
    for one, other in combinations(sorted(values), 2):
        pairs = list(zip(values[one], values[other], strict=True))
        written = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
        if len(written) < len(pairs) and not any(a.isdisjoint(b) for a, b in written):
            return one, other
    return None


def _values(allows: Iterable[AllowPolicy], claim: str) -> frozenset[str] | None:
    """Give the values of a claim that policies write out, None where one leaves it open."""
    values: set[str] = set()
    for allow in allows:
        literals = next(filter(None, (each.condition.literals() for each in allow.on(claim))), None)
        if literals is None:
            return None
        values.update(map(fold_ascii, literals))
    return frozenset(values)
