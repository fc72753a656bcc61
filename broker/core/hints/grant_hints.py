"""Hints about services and scopes: what is available, and where the rest would be granted.

A caller learns what it may have; which other services and scopes exist is for the operator.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from broker.core.condition_text import shown, yaml_line
from broker.core.decision import available_scopes
from broker.core.indexed_policies import granted
from broker.core.judged_policy import Case
from broker.core.policy import Policy, Service


def not_reached(policy: Policy, targets: Iterable[str], service: Service | None, case: Case) -> str:
    """Say that a policy does not reach what was asked, and where that would be granted."""
    sentence = f"policy {policy.name} does not reach {_joined(list(map(shown, targets)))}"
    if service is None or not case.to_operator:
        return sentence
    scopes = [each for each in case.request.scopes or () if each in service.scopes]
    return f"{sentence}: {_add(policy, service, scopes, case)}"


def services_available(case: Case, serving: Sequence[Policy]) -> Iterator[str]:
    """Say which services the policies that hold reach, and what is wrong with those asked."""
    policy_set = case.policies.policy_set
    reached = sorted({name for each in serving for name in granted(each, policy_set)})
    if not reached:
        yield f"service account {serving[0].service_account} is granted no service"
        return
    if not case.request.targets:
        yield f"several services can be meant: name one of {_joined(reached)} in `audience`"
        return
    asked = [(target, policy_set.service(target)) for target in case.request.targets]
    unavailable = [each for each in asked if each[1] is None or each[1].name not in reached]
    for target, service in unavailable:
        if not case.to_operator:
            yield f"not available to this token: {shown(target)}{_alike(target, reached)}"
        elif service is None:
            yield f"the catalogue has no service {shown(target)}{_alike(target, reached)}"
        else:
            yield not_reached(serving[0], [target], service, case)
    if not unavailable:
        yield "a token is for one service: ask for each of them on its own"
    yield f"available: {_joined(reached)}"


def scopes_available(case: Case, serving: Sequence[Policy], service: Service) -> Iterator[str]:
    """Say which scopes are available, and where those missing would be granted."""
    policy_set = case.policies.policy_set
    policy = serving[0]
    account = policy_set.service_accounts.get(policy.service_account or "")
    available = available_scopes(serving, account, service)
    yield f"available at {service.name}: {_joined(sorted(available))}"
    missing = sorted(frozenset(case.request.scopes or ()) - available)
    for scope in missing:
        if case.to_operator and scope not in service.scopes:
            alike = _alike(scope, sorted(service.scopes))
            yield f"service {service.name} has no scope {shown(scope)}{alike}"
    grantable = [scope for scope in missing if scope in service.scopes]
    if not missing:
        # Nothing was asked: what the policies state is what somebody meant to be available.
        stated = {each.name: granted(each, policy_set)[service.name] for each in serving}
        policy = next((each for each in serving if stated[each.name]), policy)
        grantable = sorted(stated[policy.name])
    if case.to_operator and (grantable or not missing):
        yield _add(policy, service, grantable, case)


def _add(policy: Policy, service: Service, scopes: Iterable[str], case: Case) -> str:
    """Say where to add scopes of a service: to the account, to a policy that narrows it."""
    account = case.policies.policy_set.service_accounts.get(policy.service_account or "")
    wanted = frozenset(scopes)
    places = []
    for what, grants in (
        (f"service account {policy.service_account}", account.grants if account else None),
        (f"policy {policy.name}", policy.grants),
    ):
        held = None if grants is None else grants.get(service.name)
        if grants is not None and (held is None or not wanted <= held):
            line = yaml_line(service.name, sorted(wanted | (held or frozenset())))
            if service.scopes and not wanted:
                line = f"`{service.name}` with some of {_joined(sorted(service.scopes))}"
            places.append(f"write {line} into `grants` of {what}")
    return " and ".join(places)


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _alike(name: str, known: Sequence[str]) -> str:
    alike = get_close_matches(name, known, n=1)
    return f"; did you mean {alike[0]}?" if alike else ""
