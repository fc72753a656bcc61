"""A catalogue, and accounts and secrets in memory that plans are carried out on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from broker.core.broker_service import BROKER_SCOPES, broker_service
from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount
from broker.core.policy import PolicySet, Service, ServiceAccount
from broker.core.registry.account_planning import (
    Drawn,
    plan_creation,
    plan_deletion,
    plan_patch,
    read_request,
)
from broker.core.registry.authority import Authority
from broker.core.registry.members import Reading, RegistryRules
from broker.core.registry.plan import NewSecret, Plan
from broker.core.registry.registered import AccountEntry, RegisteredAccount
from broker.core.registry.secret_planning import SecretPlanning, living

NOW = 1_800_000_000.0
DAY = 86_400.0
HOUR = 3600.0

SERVICES = [
    broker_service("https://broker.example", ttl=600, max_ttl=3600, signing_alg="RS256"),
    Service("deploy-api", "https://deploy.example", {"deploy:read": "", "deploy:write": ""}),
    Service("plain", "https://plain.example"),
    Service("of-acme", "https://acme.example", {"acme:run": ""}, organizations=("acme",)),
    Service(
        "shared",
        "https://shared.example",
        {"shared:run": "", "deploy:read": ""},
        organizations=("acme", "umbrella"),
    ),
    Service(
        "watched",
        "https://watched.example",
        introspection=("acme-gateway",),
        organizations=("umbrella",),
    ),
]
IN_FILES = [
    ServiceAccount("deploy-web", {"deploy-api": frozenset({"deploy:read"})}),
    ServiceAccount("cron", {"plain": frozenset()}, secrets_allowed=True),
    ServiceAccount("root", {"broker": frozenset(BROKER_SCOPES)}, secrets_allowed=True),
    ServiceAccount("off", {}, enabled=False, secrets_allowed=True),
    ServiceAccount(
        "acme-runner",
        {"of-acme": frozenset({"acme:run"})},
        organization="acme",
        secrets_allowed=True,
    ),
    ServiceAccount(
        "acme-deployer",
        {"deploy-api": frozenset({"deploy:write"})},
        organization="acme",
        secrets_allowed=True,
    ),
    ServiceAccount("acme-gateway", {}, organization="acme", secrets_allowed=True),
]
POLICIES = PolicySet(
    issuers={},
    services={service.name: service for service in SERVICES},
    service_accounts={account.client_id: account for account in IN_FILES},
    policies={},
    organizations={"acme": "The company", "umbrella": "Another"},
)

RULES = RegistryRules(max_accounts=5, jwks_hosts=("keys.example",))
EVERYTHING = Authority(frozenset(BROKER_SCOPES))
ACCOUNTS = Authority(frozenset({"broker:accounts:read", "broker:accounts:write"}))
ACME = Authority(frozenset(BROKER_SCOPES), "acme")


@dataclass
class World:
    """What a store would hold."""

    now: float = NOW
    policy_set: PolicySet = POLICIES
    rules: RegistryRules = RULES
    accounts: dict[str, ManagedAccount] = field(default_factory=dict)
    overrides: dict[str, AccountOverride] = field(default_factory=dict)
    secrets: dict[str, ClientSecret] = field(default_factory=dict)
    drawn: Any = field(default_factory=count)

    def reading(self, by: Authority = EVERYTHING) -> Reading:
        return Reading(self.policy_set, self.rules, self.now, by.organization)

    def rows(self, client_id: str) -> AccountEntry:
        return AccountEntry(
            row=self.accounts.get(client_id),
            in_files=self.policy_set.service_accounts.get(client_id),
            override=self.overrides.get(client_id),
            secrets=tuple(s for s in self.secrets.values() if s.client_id == client_id),
        )

    def account(self, client_id: str) -> RegisteredAccount:
        found = self.rows(client_id).registered(self.policy_set)
        assert found is not None
        return found

    def alive(self, client_id: str) -> list[str]:
        secrets = self.rows(client_id).secrets
        return [each.secret_id for each in living(secrets, self.account(client_id), self.now)]

    def carry_out(self, plan: Plan) -> Plan:
        for client_id in plan.new_ids:
            assert client_id not in self.accounts
        self.accounts |= {each.client_id: each for each in plan.accounts}
        self.overrides |= {each.client_id: each for each in plan.overrides}
        self.secrets |= {each.secret_id: each for each in plan.secrets}
        for secret_id in plan.removed_secrets:
            del self.secrets[secret_id]
        return plan

    def new_secret(self) -> NewSecret:
        number = next(self.drawn)
        return NewSecret(f"s-{number}", b"%d" % number)

    def create(
        self, members: Mapping[str, Any], by: Authority = EVERYTHING, *, with_secret: bool = True
    ) -> ManagedAccount:
        reading = self.reading(by)
        request = read_request(by, members, reading)
        number = next(self.drawn)
        secret = self.new_secret() if with_secret else None
        drawn = Drawn(f"m-{number}", f"i-{number}", secret)
        rows = self.rows(request.client_id or drawn.client_id)
        taken = sum(
            each.organization == request.organization and each.deleted_at is None
            for each in self.accounts.values()
        )
        plan = self.carry_out(plan_creation(request, by, rows, taken, drawn, reading))
        return plan.accounts[0]

    def patch(
        self, client_id: str, patch: Mapping[str, Any], by: Authority = EVERYTHING
    ) -> RegisteredAccount:
        rows = self.rows(client_id)
        plan = self.carry_out(plan_patch(rows, patch, by, self.reading(by)))
        return plan.applied_to(rows).found(by, self.policy_set)

    def delete(self, client_id: str, by: Authority = EVERYTHING) -> Plan:
        return self.carry_out(plan_deletion(self.rows(client_id), by, self.reading(by)))

    def on_secrets(
        self,
        client_id: str,
        planned: Callable[[SecretPlanning], Plan],
        by: Authority = EVERYTHING,
    ) -> Plan:
        planning = SecretPlanning(self.rows(client_id), by, self.policy_set, self.now)
        return self.carry_out(planned(planning))

    def add_secret(self, client_id: str, by: Authority = EVERYTHING, **members: Any) -> str:
        new = self.new_secret()
        plan = self.on_secrets(client_id, lambda each: each.creation(members, new), by)
        return plan.secrets[-1].secret_id

    def rotate(self, client_id: str, by: Authority = EVERYTHING, **members: Any) -> str:
        new = self.new_secret()
        plan = self.on_secrets(client_id, lambda each: each.rotation(members, new), by)
        return plan.secrets[-1].secret_id
