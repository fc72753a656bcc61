"""From entries of `policies` to policies: the tenant floor, and what each effect may say."""

from collections.abc import Iterator
from typing import Final

from broker.core.claim_templates import is_value
from broker.core.conditions import AnyOf, Condition, Effect, Glob, pinned_claims
from broker.core.errors import Problem
from broker.core.policy import Issuer, Mode, Policy
from broker.core.shaped_claims import PATH_RULE, VALUE_RULE
from broker.core.tenant_floor import pins_tenant
from broker.core.token_shape import claim_of_job
from broker.policy_files.catalogue import read_grants, unknown_service
from broker.policy_files.document_entries import Entry
from broker.policy_files.earlier_build import EarlierBuild
from broker.policy_files.entries import Entries
from broker.policy_files.matchers import read_conditions
from broker.policy_files.models import PolicyModel
from broker.policy_files.references import References
from broker.policy_files.sentences import did_you_mean

_OF_ALLOW_ALONE: Final = ("service_account", "grants", "ttl", "max_ttl")


def build_policies(
    references: References, problems: list[Problem], earlier: EarlierBuild
) -> dict[str, Policy]:
    """Make policies of the entries; what is wrong with them goes to `problems`."""
    policies: dict[str, Policy] = {}
    earlier.refer_to(references)
    for entry in references.entries.policies.values():
        policy = earlier.policy_of(entry)
        if policy is None:
            faults: list[Problem] = []
            policy = _policy(entry, references, faults)
            problems += faults
            if policy is not None and not faults:
                earlier.keep(entry, policy)
        if policy is not None:
            policies[policy.name] = policy
    return policies


def _policy(
    entry: Entry[PolicyModel], references: References, problems: list[Problem]
) -> Policy | None:
    model = entry.model
    effect = Effect(model.effect)
    issuer = references.issuers.get(model.issuer)
    known = references.entries.declared["issuers"]
    if references.entries.lack("issuers", model.issuer):
        text = f"there is no issuer `{model.issuer}`{did_you_mean(model.issuer, known)}"
        problems.append(entry.problem(("issuer",), text))
    folded = issuer.platform.folded if issuer and issuer.platform else frozenset()
    conditions = read_conditions(
        model.match,
        folded,
        lambda path, text: problems.append(entry.problem(("match", *path), text)),
    )
    problems += _deny_faults(entry) if effect is Effect.DENY else _allow_faults(entry, references)
    problems += _service_faults(entry, references.entries)
    if effect is Effect.ALLOW and issuer is not None and conditions is not None:
        problems += _floor_faults(entry, conditions, issuer)
        problems += _instance_faults(entry, conditions, issuer, references.entries)
    grants = None
    if model.grants is not None and effect is Effect.ALLOW:
        grants = read_grants(entry, model.grants, references.entries, references.services, problems)
    if effect is Effect.ALLOW and issuer is not None and conditions is not None:
        problems += _template_faults(entry, conditions, issuer, references)
    if conditions is None:
        return None
    return Policy(
        name=entry.name,
        issuer=model.issuer,
        conditions=conditions,
        effect=effect,
        service_account=model.service_account,
        grants=grants,
        services=frozenset(model.services) if model.services is not None else None,
        ttl=model.ttl,
        max_ttl=model.max_ttl,
        expires_at=model.expires,
        mode=Mode(model.mode),
        owner=model.owner,
        ticket=model.ticket,
        description=model.description,
        place=entry.place,
    )


def _deny_faults(entry: Entry[PolicyModel]) -> Iterator[Problem]:
    for name in _OF_ALLOW_ALONE:
        if getattr(entry.model, name) is not None:
            text = f"a deny policy grants nothing; delete `{name}`"
            yield entry.problem((name,), text, at_key=True)


def _allow_faults(entry: Entry[PolicyModel], references: References) -> Iterator[Problem]:
    model = entry.model
    entries = references.entries
    if model.services is not None:
        text = "`services` limits a deny policy; an allow policy names its services in `grants`"
        yield entry.problem(("services",), text, at_key=True)
    known = entries.declared["service_accounts"]
    if model.service_account is None:
        text = "`service_account` is missing: who may act as whom?"
        yield entry.problem((), text, at_key=True)
    elif model.grants is None and entries.lack("service_accounts", model.service_account):
        hint = did_you_mean(model.service_account, known)
        yield entry.problem(
            ("service_account",),
            f"no file defines the account `{model.service_account}`{hint}"
            " (for an account made through the API, give the policy `grants` of its own)",
        )


def _service_faults(entry: Entry[PolicyModel], entries: Entries) -> Iterator[Problem]:
    if entry.model.effect != "deny":
        return
    for index, name in enumerate(entry.model.services or ()):
        fault = unknown_service(name, entries)
        if fault is not None:
            yield entry.problem(("services", index), fault)


def _floor_faults(
    entry: Entry[PolicyModel], conditions: tuple[Condition, ...], issuer: Issuer
) -> Iterator[Problem]:
    """Report a policy under the tenant floor, at the condition that nearly pins a tenant."""
    if pins_tenant(conditions, issuer):
        return
    claims = issuer.tenant_claims
    near = next((each for each in conditions if each.claim in (*claims, "sub")), None)
    advice = f"pin {' or '.join(f'`{claim}`' for claim in claims)} to a literal"
    if near is None:
        text = f"any tenant of issuer `{issuer.name}` could match: {advice}"
        yield entry.problem(("match",), text, at_key=True)
        return
    if near.claim == "sub":
        starts = "`repo:OWNER/REPO`" if _is_github(issuer) else "`project_path:GROUP/PROJECT`"
        if issuer.platform is None:
            text = f"`sub` names no tenant of issuer `{issuer.name}`: {advice}"
        else:
            text = f"`sub` names a tenant only as an exact value that begins with {starts};"
            text += f" better, {advice}"
    elif _has_glob(near) and issuer.platform and near.claim in issuer.platform.tenant_paths:
        text = (
            f"a wildcard in the first segment of `{near.claim}` admits strangers (`acme*` is also"
            ' `acme-evil`); write it out, as in `{glob: "acme/*"}`'
        )
    else:
        text = f"`{near.claim}` pins a tenant only as a literal or a list of literals"
    yield entry.problem(("match", near.claim), text)


def _is_github(issuer: Issuer) -> bool:
    return issuer.platform is not None and issuer.platform.name == "github"


def _has_glob(condition: Condition) -> bool:
    matcher = condition.matcher
    items = matcher.items if isinstance(matcher, AnyOf) else (matcher,)
    return any(isinstance(item, Glob) for item in items)


def _instance_faults(
    entry: Entry[PolicyModel],
    conditions: tuple[Condition, ...],
    issuer: Issuer,
    entries: Entries,
) -> Iterator[Problem]:
    """Report instance claims that a stranger could choose (attacks row 169)."""
    account = entries.service_accounts.get(entry.model.service_account or "")
    if account is None or not account.model.instances:
        return
    for claim in account.model.instances:
        if not _is_settled(claim, conditions, issuer):
            text = (
                f"account `{entry.model.service_account}` has one identity per `{claim}`, which is"
                f" no immutable id of issuer `{issuer.name}`; pin it in `match` to a literal"
            )
            yield entry.problem(("service_account",), text)


def _template_faults(
    entry: Entry[PolicyModel],
    conditions: tuple[Condition, ...],
    issuer: Issuer,
    references: References,
) -> Iterator[Problem]:
    """Report claims in tokens of services that a stranger could choose."""
    model = entry.model
    account = references.entries.service_accounts.get(model.service_account or "")
    reached = model.grants or (account.model.grants if account else {})
    for name in reached:
        service = references.services.get(name)
        shape = service.shape if service else None
        for member in sorted(shape.workload) if shape else ():
            claim = claim_of_job(member, issuer.platform)
            if not _is_settled(claim, conditions, issuer):
                text = (
                    f"tokens of `{name}` name `{{workload.{member}}}`, and `{claim}` is no"
                    f" immutable id of issuer `{issuer.name}`; pin it in `match` to a literal"
                )
                path = ("service_account",) if model.grants is None else ("grants", name)
                yield entry.problem(path, text, at_key=model.grants is not None)
            elif (rule := _unmet_rule(claim, conditions, issuer)) is not None:
                text = (
                    f"tokens of `{name}` name `{{workload.{member}}}`, and no value here fits: it"
                    f" must be {rule}"
                )
                yield entry.problem(("match", claim), text)


def _unmet_rule(claim: str, conditions: tuple[Condition, ...], issuer: Issuer) -> str | None:
    """Give the form that none of the literals has which a claim is pinned to, None if one has."""
    path = issuer.platform is not None and claim in issuer.platform.tenant_paths
    for condition in conditions:
        literals = condition.literals() if condition.claim == claim else None
        if literals and not any(is_value(text, path=path) for text in literals):
            return PATH_RULE if path else VALUE_RULE
    return None


def _is_settled(claim: str, conditions: tuple[Condition, ...], issuer: Issuer) -> bool:
    """Tell whether a claim is an immutable id, or has a value that the policy writes out."""
    immutable = issuer.platform.immutable_ids if issuer.platform else frozenset()
    return claim in immutable or claim in pinned_claims(conditions)
