"""What a client gets is a part of what its account is granted, whatever is asked (contract §5)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.core.blocks import NO_BLOCKS, Block, Blocks
from broker.core.client import decide, describe
from broker.core.decision import DecisionRequest, Deny, Permit
from broker.core.errors import Reason
from broker.core.policy import PolicySet, Service, ServiceAccount

SCOPES = ["a:read", "a:write", "b:read", "gone"]
SERVICES = {
    "one": Service("one", "https://one.example", {"a:read": "", "a:write": ""}, ttl=600),
    "two": Service("two", "https://two.example", {"b:read": ""}, ttl=60, max_ttl=120),
    "bare": Service("bare", "https://bare.example"),
}
CATALOGUE = PolicySet({}, SERVICES, {}, {})
TARGETS = [*SERVICES, *(each.audience for each in SERVICES.values()), "https://x.example", "x"]

requests = st.builds(
    DecisionRequest,
    targets=st.lists(st.sampled_from(TARGETS), max_size=3).map(tuple),
    scopes=st.none() | st.lists(st.sampled_from([*SCOPES, "*", "a:*"]), max_size=3).map(tuple),
    client_id=st.none() | st.sampled_from(["cron", "another"]),
    expires_in=st.none() | st.integers(1, 10**9),
)
lives = st.none() | st.integers(1, 86_400)
accounts = st.builds(
    ServiceAccount,
    client_id=st.just("cron"),
    grants=st.dictionaries(st.sampled_from(list(SERVICES)), st.frozensets(st.sampled_from(SCOPES))),
    ttl=lives,
    max_ttl=lives,
)


@given(account=accounts, request=requests)
def test_nothing_is_given_that_is_not_granted(
    account: ServiceAccount, request: DecisionRequest
) -> None:
    decision = decide(account, request, CATALOGUE, NO_BLOCKS, 0)
    if not isinstance(decision, Permit):
        assert describe(decision, request, account)
        return
    service = decision.service
    assert service.name in account.grants
    assert frozenset(decision.scopes) <= account.grants[service.name] & service.scopes.keys()
    assert request.scopes is None or set(decision.scopes) == set(request.scopes)
    assert set(request.targets) <= {service.name, service.audience}
    assert 0 < decision.ttl <= service.max_ttl
    assert account.max_ttl is None or decision.ttl <= account.max_ttl
    assert request.expires_in is None or decision.ttl <= request.expires_in
    assert decision.sub == account.client_id


@given(account=accounts, request=requests, more=st.sampled_from(list(SERVICES)))
def test_a_grant_that_is_taken_away_permits_nothing_new(
    account: ServiceAccount, request: DecisionRequest, more: str
) -> None:
    less: Any = {name: scopes for name, scopes in account.grants.items() if name != more}
    before = decide(account, request, CATALOGUE, NO_BLOCKS, 0)
    after = decide(ServiceAccount("cron", less), request, CATALOGUE, NO_BLOCKS, 0)

    if isinstance(after, Permit) and request.targets:
        assert isinstance(before, Permit)
        assert set(after.scopes) <= set(before.scopes)


@given(account=accounts, request=requests)
def test_a_blocked_account_gets_nothing(account: ServiceAccount, request: DecisionRequest) -> None:
    block = Block("b-1", {"service_account": account.client_id}, "INC-7", 0, "admin")

    deny = decide(account, request, CATALOGUE, Blocks([block]), 0)

    assert isinstance(deny, Deny)
    assert deny.reason is Reason.BLOCKED
    assert "b-1" in describe(deny, request, account)
    assert "INC-7" not in describe(deny, request, account)
