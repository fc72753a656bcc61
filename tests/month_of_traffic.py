"""A month of decisions as a broker records them, over 150 repositories and 50 projects.

The jobs are those of the dev platform; they are decided by real policies, and each decision becomes
the very audit event that the grant makes of it. The same seed makes the same month.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.core.audit import GENESIS, AuditEvent, SerializedEvent
from broker.core.decision import Decision, DecisionRequest, Deny, decide
from broker.core.explain import explain
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Issuer, PolicySet
from broker.grants import decision_record
from broker.grants.request import Caller, ExchangeRequest
from broker.policy_files import load_texts
from broker.testing import github_claims, gitlab_claims

BROKER = "https://broker.example.com"
BEGINS = 1_793_000_000.0
DAYS = 30
REPOSITORIES = 150
PROJECTS = 50
OWNER = "1234567"

BASE = """\
issuers:
  github: {preset: github}
  gitlab: {preset: gitlab}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
  artifacts:
    audience: https://artifacts.example.com
    scopes: {artifacts:read: Download, artifacts:write: Upload}
    ttl: 5m
service_accounts:
  deployer: {grants: {deploy-api: [deploy:read, deploy:write]}}
  uploader: {grants: {artifacts: [artifacts:read, artifacts:write]}}
  repo-ci: {grants: {artifacts: [artifacts:read]}, instances: [repository_id]}
policies:
  org-reads:
    service_account: repo-ci
    issuer: github
    match: {repository_owner_id: 1234567, event_name: [push, pull_request, schedule]}
  no-forks:
    effect: deny
    issuer: github
    match: {head_ref: {glob: "fork/**"}}
    services: [deploy-api]
"""


def texts_of_the_month(
    repositories: int = REPOSITORIES, projects: int = PROJECTS
) -> dict[str, str]:
    """Give the policy files by which the month was decided."""
    texts = {"base.yaml": BASE}
    for number in range(repositories):
        texts[f"repo-{number}.yaml"] = f"""\
policies:
  repo-{number}-main:
    service_account: deployer
    issuer: github
    match:
      repository: acme/repo-{number}
      repository_id: {9_000_000 + number}
      ref: refs/heads/main
      event_name: push
  repo-{number}-upload:
    service_account: uploader
    issuer: github
    match:
      repository_id: {9_000_000 + number}
      ref: [refs/heads/main, {{glob: "refs/heads/release/*"}}]
      event_name: [push, workflow_dispatch]
"""
    for number in range(projects):
        texts[f"project-{number}.yaml"] = f"""\
policies:
  project-{number}-main:
    service_account: deployer
    issuer: gitlab
    match: {{project_path: acme/project-{number}, project_id: {500 + number}, ref_protected: true}}
"""
    return texts


def loaded(texts: Mapping[str, str]) -> PolicySet:
    """Load policy files as a broker of this month does."""
    return load_texts(
        dict(texts),
        broker_issuer=BROKER,
        token_defaults=(600, 3600),
        signing_algorithms=("ES256", "RS256"),
        loopback=False,
    ).policy_set


def observed_texts(repositories: int = REPOSITORIES, projects: int = PROJECTS) -> dict[str, str]:
    """Give files of a set that is observed beside them, and to take their place later on."""
    texts = {
        "next-denies.yaml": """\
policies:
  next-no-staging:
    effect: deny
    issuer: github
    match: {environment: staging, ref: {not: refs/heads/main}}
    mode: observe
"""
    }
    for number in range(repositories):
        texts[f"next-repo-{number}.yaml"] = f"""\
policies:
  next-repo-{number}:
    service_account: deployer
    issuer: github
    match:
      repository_id: {9_000_000 + number}
      ref: [refs/heads/main, {{glob: "refs/heads/release/*"}}]
      event_name: [push, workflow_dispatch]
    ttl: 4m
    mode: observe
"""
    for number in range(projects):
        texts[f"next-project-{number}.yaml"] = f"""\
policies:
  next-project-{number}:
    service_account: deployer
    issuer: gitlab
    match: {{project_id: {500 + number}, ref_protected: true, ref: main}}
    grants: {{deploy-api: [deploy:write]}}
    mode: observe
"""
    return texts


@dataclass(frozen=True, slots=True)
class Run:
    """One job that asked: with all that its token claimed, and what was decided then."""

    claims: Mapping[str, Any]
    issuer: str
    request: DecisionRequest
    now: float
    decision: Decision
    explained: bool

    def once_more(self, policies: IndexedPolicies, **claims: Any) -> Decision:
        """Decide it by other policies; what a token of then claimed may differ."""
        issuer = policies.policy_set.issuers[self.issuer]
        return decide({**self.claims, **claims}, issuer, self.request, policies, self.now)

    @property
    def tenant(self) -> str:
        """The repository or project that asked."""
        return str(self.claims.get("repository") or self.claims["project_path"])


class Month:
    """The runs of a month, and the lines of its audit; `kept` tells whether the runs stay here.

    `observed` tells whether a set is observed beside the one that decides.
    """

    def __init__(
        self,
        runs: int,
        repositories: int = REPOSITORIES,
        projects: int = PROJECTS,
        *,
        kept: bool = True,
        seed: int = 7,
        observed: bool = False,
    ) -> None:
        texts = texts_of_the_month(repositories, projects)
        if observed:
            texts |= observed_texts(repositories, projects)
        self.policies = IndexedPolicies.of(loaded(texts))
        self.runs: list[Run] = []
        self._kept = kept
        self._count = runs
        self._repositories = repositories
        self._tenants = repositories + projects
        self._random = random.Random(seed)  # noqa: S311 - no secret is drawn
        self._shapes: dict[tuple[str, str, str, str], dict[str, Any]] = {}

    def lines(self) -> Iterator[str]:
        """Make the runs, and give the line of each; between them is what else a broker records."""
        prev = GENESIS
        for sequence, event in enumerate(self._events(), start=1):
            chained = SerializedEvent.of(event).at(sequence, prev)
            prev = chained.hash
            yield chained.line() + "\n"

    def _events(self) -> Iterator[AuditEvent]:
        for number in range(self._count):
            now = BEGINS + DAYS * 86_400 * number / self._count
            if number % 5000 == 0:
                yield AuditEvent(f"r-{number}", now, "policy.reloaded", "success", actor="SIGHUP")
                yield AuditEvent(
                    f"c-{number}", now, "token.refused", "refused", "signature_invalid",
                    client_address="192.0.2.0/24", count=3,
                )  # fmt: skip
            run, event = self._run(number, now)
            if self._kept:
                self.runs.append(run)
            yield event

    def _run(self, number: int, now: float) -> tuple[Run, AuditEvent]:
        name, claims = self._job(number, now)
        issuer = self.policies.policy_set.issuers[name]
        request = self._request()
        explained = number % 991 == 0
        decision = decide(claims, issuer, request, self.policies, now)
        run = Run(claims, name, request, now, decision, explained)
        return run, recorded(f"d-{number}", run, issuer, self.policies)

    def _job(self, number: int, now: float) -> tuple[str, dict[str, Any]]:
        """Give what a job of the dev platform claims."""
        draw = self._random
        # Some repositories run far more often than others, as in life.
        which = int(self._tenants * draw.random() ** 2)
        if which >= self._repositories:
            name, tenant = "gitlab", str(which - self._repositories)
            kind = draw.choice(("push", "push", "web", "merge_request_event"))
            ref = "main" if draw.random() < 0.6 else f"topic-{draw.randrange(9)}"
        else:
            name, tenant = "github", str(which)
            kind = draw.choice(("push", "push", "push", "workflow_dispatch", "pull_request"))
            ref = draw.choice(("refs/heads/main",) * 3 + ("refs/heads/release/1", "refs/heads/x"))
        environment = draw.choice(("", "", "production", "staging"))
        shape = self._shapes.get((tenant + name, kind, ref, environment))
        if shape is None:
            shape = _shape(name, tenant, kind, ref, environment)
            self._shapes[tenant + name, kind, ref, environment] = shape
        url = self.policies.policy_set.issuers[name].url
        issued = int(now) - draw.randrange(60)
        life = 300 if name == "github" else draw.choice((600, 3600))
        # Names by which no policy can tell runs apart, as there are in each token.
        own = {"run_id": str(number)} if name == "github" else {"pipeline_id": str(number)}
        times = {"iat": issued, "nbf": issued, "exp": issued + life, "jti": f"j-{number}"}
        return name, {**shape, "iss": url, "aud": BROKER, **own, **times}

    def _request(self) -> DecisionRequest:
        draw = self._random
        target = draw.choice(("deploy-api", "deploy-api", "https://artifacts.example.com"))
        scopes = None
        if target == "deploy-api" and draw.random() < 0.2:
            scopes = ("deploy:write",)
        return DecisionRequest((target,), scopes, None, draw.choice((None, None, 120)))


def _shape(name: str, tenant: str, kind: str, ref: str, environment: str) -> dict[str, Any]:
    more: dict[str, Any] = {"environment": environment} if environment else {}
    if name == "gitlab":
        return gitlab_claims(
            project_path=f"acme/project-{tenant}",
            project_id=str(500 + int(tenant)),
            pipeline_source=kind,
            ref=ref,
            **more,
        )
    if kind == "pull_request":
        return github_claims(
            repository=f"acme/repo-{tenant}",
            repository_id=str(9_000_000 + int(tenant)),
            repository_owner_id=OWNER,
            event_name=kind,
            **more,
        )
    return github_claims(
        repository=f"acme/repo-{tenant}",
        repository_id=str(9_000_000 + int(tenant)),
        repository_owner_id=OWNER,
        event_name=kind,
        ref=ref,
        **more,
    )


def recorded(event_id: str, run: Run, issuer: Issuer, policies: IndexedPolicies) -> AuditEvent:
    """Record a decision as the grants do."""
    exchange = ExchangeRequest("", run.request, Caller("request", "192.0.2.7"))
    begun = decision_record.begun(event_id, exchange, policies, issuer, run.claims, run.now)
    begun.observed = policies.observed(issuer, run.claims, run.now)
    decision_record.compare(begun, run.decision, run.claims, policies)
    if run.explained:
        explanation = explain(run.claims, issuer, run.request, policies, run.now)
        return decision_record.explained(begun, explanation, 0.0004)
    if isinstance(run.decision, Deny):
        return decision_record.denied(begun, run.decision, 0.0004)
    return decision_record.granted(begun, run.decision, f"t-{event_id}", 0.0004)
