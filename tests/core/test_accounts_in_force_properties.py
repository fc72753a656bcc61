"""It makes no difference to a decision where its accounts are written: in files or in the store."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from broker.core.accounts_in_force import accounts_named, with_accounts
from broker.core.decision import DecisionRequest, Deny, decide
from broker.core.explain import explain
from broker.core.holding import policy_holds
from broker.core.indexed_policies import IndexedPolicies
from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import Policy, PolicySet, ServiceAccount
from tests.core import crowds
from tests.core.builders import NOW, a_policy_set, a_service, an_issuer

ISSUER = an_issuer("github")
SCOPES = ("deploy:read", "deploy:write", "deploy:*")
POLICIES = [
    # Those of accounts in the store need grants of their own.
    each
    for each in crowds.allow_policies(crowds.ACCOUNTS)
    if each.grants is not None
]
TOKENS = crowds.tokens()
HOLDING = [each for each in POLICIES if policy_holds(each, ISSUER, TOKENS[0], NOW)]
OFF = ("switched off", "over", "deleted")


@dataclass(frozen=True)
class Drawn:
    """An account, and where it is written; `state` is `live` or why it is none."""

    row: ManagedAccount
    in_store: bool
    state: str

    def written_in_a_file(self) -> ServiceAccount | None:
        """Give it as a file would say it; None when no file would."""
        if self.state == "deleted":
            return None
        scopes = {"deploy:*": {"deploy:read", "deploy:write"}}
        return ServiceAccount(
            self.row.client_id,
            {
                service: frozenset().union(*(scopes.get(each, {each}) for each in granted))
                for service, granted in self.row.grants.items()
            },
            organization=self.row.organization,
            ttl=self.row.ttl,
            max_ttl=self.row.max_ttl,
            metadata=self.row.metadata,
            enabled=self.state == "live",
            secrets_allowed=True,
        )

    def stored(self) -> ManagedAccount:
        match self.state:
            case "switched off":
                return replace(self.row, enabled=False)
            case "over":
                return replace(self.row, expires_at=NOW)
            case "deleted":
                return replace(self.row, deleted_at=NOW - 1)
            case _:
                return replace(self.row, expires_at=NOW + 1)


def rows(client_id: str) -> st.SearchStrategy[ManagedAccount]:
    granted = st.lists(st.sampled_from(SCOPES), max_size=2, unique=True).map(tuple)
    return st.builds(
        ManagedAccount,
        st.just(client_id),
        st.just("i"),
        st.just("x"),
        grants=st.dictionaries(st.sampled_from(crowds.SERVICES), granted),
        ttl=st.sampled_from([None, 120]),
        max_ttl=st.sampled_from([None, 90]),
        metadata=st.sampled_from([{}, {"team": "web"}]),
    )


def drawn(client_id: str) -> st.SearchStrategy[Drawn]:
    states = st.sampled_from(["live", "live", "live", *OFF])
    return st.builds(Drawn, rows(client_id), st.booleans(), states)


any_policy = st.sampled_from(HOLDING) | st.sampled_from(HOLDING) | st.sampled_from(POLICIES)


def world(policies: list[Policy], accounts: list[ServiceAccount]) -> PolicySet:
    services = [a_service(name) for name in crowds.SERVICES]
    return a_policy_set(*policies, issuers=[ISSUER], services=services, accounts=accounts)


@settings(max_examples=300, deadline=None)
@given(
    policies=st.lists(any_policy, min_size=1, max_size=8, unique_by=id),
    accounts=st.tuples(*map(drawn, crowds.ACCOUNTS)),
    claims=st.just(TOKENS[0]) | st.sampled_from(TOKENS),
    request=st.builds(
        DecisionRequest,
        targets=st.sampled_from([("deploy-api",), ("artifacts",), ()]),
        scopes=st.sampled_from([None, None, ("deploy:read",), ("deploy:write",)]),
        client_id=st.sampled_from([None, None, *crowds.ACCOUNTS]),
    ),
)
def test_accounts_of_the_store_decide_like_the_same_ones_in_files(
    policies: list[Policy],
    accounts: tuple[Drawn, ...],
    claims: dict[str, Any],
    request: DecisionRequest,
) -> None:
    written = [file for each in accounts if (file := each.written_in_a_file()) is not None]
    all_in_files = world(policies, written)
    # One of a file is switched off by an override; there is no other way to end it.
    of_files = [
        replace(file, enabled=True)
        for each in accounts
        if not each.in_store and (file := each.written_in_a_file()) is not None
    ]
    overrides = [
        AccountOverride(each.row.client_id, enabled=each.state == "live", updated_at=NOW)
        for each in accounts
        if not each.in_store
    ]
    files = world(policies, of_files)
    stored = [each.stored() for each in accounts if each.in_store]
    named = [each for each in stored if each.client_id in accounts_named(files)]
    joined = with_accounts(files, named, overrides, NOW)
    index = IndexedPolicies.of(files)
    derived = replace(index, policy_set=joined)

    expected = decide(claims, ISSUER, request, IndexedPolicies.of(all_in_files), NOW)
    found = decide(claims, ISSUER, request, derived, NOW)

    event(expected.reason if isinstance(expected, Deny) else "permit")
    assert found == expected
    explained = explain(claims, ISSUER, request, derived, NOW)
    assert explained.decision == ("deny" if isinstance(found, Deny) else "permit")
    assert explained == explain(claims, ISSUER, request, IndexedPolicies.of(all_in_files), NOW)
    assert joined.version == files.version
    assert set(joined.service_accounts) <= {each.row.client_id for each in accounts}
    assert len(joined.service_accounts) == len(list(joined.service_accounts))
