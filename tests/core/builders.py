"""Makes the values that the policy files would make: short to write, whole in every field."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from broker.core.conditions import AnyOf, Condition, Effect, Equals, Matcher, Single
from broker.core.decision import Decision, DecisionRequest, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import GITHUB, GITLAB, Platform
from broker.core.policy import Issuer, Policy, PolicySet, Replay, Service, ServiceAccount

NOW = 1_795_300_000
BROKER = "https://broker.example"
LEEWAY = 60


def an_issuer(name: str = "github", **changes: Any) -> Issuer:
    """An issuer as the presets `github` and `gitlab` fill it in; any other name has no preset."""
    known = {
        "github": Issuer(
            name="github",
            url=GITHUB.issuer,
            audiences=frozenset({BROKER}),
            platform=GITHUB,
            max_token_lifetime=GITHUB.max_token_lifetime,
            replay=Replay.SINGLE_USE,
        ),
        "gitlab": Issuer(
            name="gitlab",
            url=GITLAB.issuer,
            audiences=frozenset({BROKER}),
            platform=GITLAB,
            max_token_lifetime=GITLAB.max_token_lifetime,
        ),
    }
    other = Issuer(
        name=name,
        url=f"https://{name}.example",
        audiences=frozenset({BROKER}),
        tenant=("organization_id",),
    )
    return replace(known.get(name, other), **changes)


def a_service(name: str = "deploy-api", **changes: Any) -> Service:
    service = Service(
        name=name,
        audience=f"https://{name}.example",
        scopes={"deploy:read": "See deployments", "deploy:write": "Start a deployment"},
    )
    return replace(service, **changes)


def an_account(
    client_id: str = "deploy-web",
    grants: Mapping[str, Iterable[str]] | None = None,
    **changes: Any,
) -> ServiceAccount:
    held = {"deploy-api": ["deploy:read", "deploy:write"]} if grants is None else grants
    return replace(ServiceAccount(client_id, some_grants(held)), **changes)


def some_grants(grants: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    return {service: frozenset(scopes) for service, scopes in grants.items()}


def a_matcher(value: Any) -> Matcher:
    """Read a condition's right side: a matcher as it is, a list as any-of, a scalar as equality."""
    if isinstance(value, list):
        return AnyOf(tuple(_single(item) for item in value))
    if isinstance(value, str | int | bool):
        return _single(value)
    matcher: Matcher = value
    return matcher


def _single(value: Any) -> Single:
    if isinstance(value, bool):
        return Equals("true" if value else "false")
    if isinstance(value, str | int):
        return Equals(str(value))
    single: Single = value
    return single


def some_conditions(
    match: Mapping[str, Any], platform: Platform | None = GITHUB
) -> tuple[Condition, ...]:
    """Read a `match:` map; the platform says which claims fold case."""
    folded = platform.folded if platform else frozenset()
    return tuple(
        Condition(claim, a_matcher(value), folded=claim in folded) for claim, value in match.items()
    )


def a_policy(
    name: str = "web",
    match: Mapping[str, Any] | None = None,
    *,
    issuer: str = "github",
    **more: Any,
) -> Policy:
    """An allow policy for `acme/web` as `deploy-web`, unless told otherwise."""
    platform = {"github": GITHUB, "gitlab": GITLAB}.get(issuer)
    wanted = {"repository": "acme/web"} if match is None else match
    if "grants" in more and more["grants"] is not None:
        more["grants"] = some_grants(more["grants"])
    policy = Policy(
        name=name,
        issuer=issuer,
        conditions=some_conditions(wanted, platform),
        service_account="deploy-web",
    )
    return replace(policy, **more)


def a_deny_policy(name: str = "no", match: Mapping[str, Any] | None = None, **more: Any) -> Policy:
    return a_policy(name, match, effect=Effect.DENY, service_account=None, **more)


def a_policy_set(
    *policies: Policy,
    issuers: Iterable[Issuer] | None = None,
    services: Iterable[Service] | None = None,
    accounts: Iterable[ServiceAccount] | None = None,
) -> PolicySet:
    """One of each, unless told otherwise."""
    trusted = [an_issuer("github"), an_issuer("gitlab")] if issuers is None else issuers
    offered = [a_service()] if services is None else services
    existing = [an_account()] if accounts is None else accounts
    return PolicySet(
        issuers={issuer.name: issuer for issuer in trusted},
        services={service.name: service for service in offered},
        service_accounts={account.client_id: account for account in existing},
        policies={policy.name: policy for policy in policies},
        version="0" * 64,
    )


def the_decision(
    policy_set: PolicySet,
    claims: Mapping[str, Any] | None = None,
    *,
    issuer: str = "github",
    now: float = NOW,
    **request: Any,
) -> Decision:
    """Decide a request for `deploy-api`, unless told otherwise, of a push to `acme/web`."""
    return decide(
        github_claims() if claims is None else claims,
        policy_set.issuers[issuer],
        DecisionRequest(**{"targets": ("deploy-api",), **request}),
        IndexedPolicies.of(policy_set),
        now,
    )


def github_claims(**changes: Any) -> dict[str, Any]:
    """A push to the main branch of acme/web; a change to `...` drops the claim."""
    return _changed(
        {
            "iss": GITHUB.issuer,
            "aud": BROKER,
            "sub": "repo:acme/web:ref:refs/heads/main",
            "jti": "d0c3ed0c-6f3e-4b8e-9f6a-1f1e5b0c7a10",
            "iat": NOW - 10,
            "nbf": NOW - 310,
            "exp": NOW + 290,
            "repository": "acme/web",
            "repository_id": "456789",
            "repository_owner": "acme",
            "repository_owner_id": "123456",
            "ref": "refs/heads/main",
            "ref_type": "branch",
            "ref_protected": "true",
            "sha": "2b3e6f0f0a1c4d5e8f901234567890abcdef0123",
            "event_name": "push",
            "actor_id": "583231",
            "run_id": "9000000001",
            "run_attempt": "1",
            "workflow": "deploy",
            "job_workflow_ref": "acme/web/.github/workflows/deploy.yml@refs/heads/main",
            "runner_environment": "github-hosted",
        },
        changes,
    )


def gitlab_claims(**changes: Any) -> dict[str, Any]:
    """A push to the main branch of acme/platform/web; a change to `...` drops the claim."""
    return _changed(
        {
            "iss": GITLAB.issuer,
            "aud": BROKER,
            "sub": "project_path:acme/platform/web:ref_type:branch:ref:main",
            "jti": "5f9f0e2c-8d2b-4a57-a8a1-4d9a7cbe0a11",
            "iat": NOW - 10,
            "nbf": NOW - 15,
            "exp": NOW + 3590,
            "namespace_id": "77",
            "namespace_path": "acme/platform",
            "project_id": "4242",
            "project_path": "acme/platform/web",
            "user_id": "31",
            "pipeline_id": "8000000001",
            "pipeline_source": "push",
            "job_id": "8000000002",
            "ref": "main",
            "ref_type": "branch",
            "ref_path": "refs/heads/main",
            "ref_protected": "true",
            "runner_id": 12345,
            "runner_environment": "gitlab-hosted",
            "sha": "2b3e6f0f0a1c4d5e8f901234567890abcdef0123",
        },
        changes,
    )


def other_claims(issuer: str = "ci", **changes: Any) -> dict[str, Any]:
    """A token of an issuer without preset; a change to `...` drops the claim."""
    return _changed(
        {
            "iss": f"https://{issuer}.example",
            "aud": BROKER,
            "sub": "organization:acme:pipeline:web",
            "jti": "1",
            "iat": NOW - 10,
            "exp": NOW + 290,
            "organization_id": "acme-1",
        },
        changes,
    )


def _changed(claims: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (claims | changes).items() if value is not ...}
