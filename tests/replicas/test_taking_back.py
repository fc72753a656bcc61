"""Whatever is taken back at one replica is worth nothing at the other (attacks row 134)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.replicas.several_brokers import Replica, a_token
from tests.workers.several_workers import until

Both = list[Replica]
INACTIVE = {"active": False}
RUN = "777"
"""No other job of these tests is of this run."""


@dataclass(frozen=True)
class Issued:
    """Two service tokens of jobs of one run, got at the first replica; both count at the second."""

    deploying: str
    reading: str
    credentials: dict[str, str]

    def counts_at(self, replica: Replica) -> tuple[bool, bool]:
        """Tell whether each counts: at introspection, and at the API."""
        told = replica.introspects(self.deploying, self.credentials)
        assert told["active"] or told == INACTIVE
        listed = replica.api(self.reading, "GET", "service-accounts")
        assert listed.status_code == 200 or listed.json()["code"] == "INVALID_API_KEY"
        return told["active"], listed.status_code == 200


@pytest.fixture
def issued(both: Both, gateway: dict[str, str]) -> Issued:
    one, other = both
    got = Issued(
        one.token("reader", run_id=RUN), one.token("reader", "broker", run_id=RUN), gateway
    )
    # The other may not have seen yet that the test before has lifted its block.
    until(lambda: got.counts_at(other) == (True, True))
    return got


@contextmanager
def blocked(replica: Replica, admin: str, **where: str) -> Iterator[None]:
    body = {"where": where, "reason": "INC-7", "ttl": "24h"}
    answer = replica.api(admin, "POST", "blocks", json=body)
    assert answer.status_code == 201, answer.text
    try:
        yield
    finally:
        replica.api(admin, "DELETE", f"blocks/{answer.json()['id']}")


@contextmanager
def switched_off(replica: Replica, admin: str, account: str) -> Iterator[None]:
    path = f"service-accounts/{account}"
    assert replica.api(admin, "PATCH", path, json={"enabled": False}).status_code == 200
    try:
        yield
    finally:
        replica.api(admin, "PATCH", path, json={"enabled": True})


def refused_at(replica: Replica, **claims: str) -> str | None:
    reason: str | None = replica.exchange(a_token("reader", **claims)).json().get("reason")
    return reason


def test_a_token_that_one_revoked_counts_at_neither(both: Both, issued: Issued) -> None:
    one, other = both
    for token in (issued.deploying, issued.reading):
        assert one.http.post("/oauth/revoke", data={"token": token}).status_code == 200

    # Each token is looked up in the store: there is nothing to wait for.
    assert [issued.counts_at(each) for each in (other, one)] == [(False, False)] * 2


@pytest.mark.parametrize(
    "where",
    [
        {"service_account": "reader"},
        {"policy": "by-reader"},
        {"run_id": RUN},
        {"repository_id": "456789", "environment": "reader"},
    ],
    ids=["account", "policy", "run", "claims"],
)
def test_what_one_blocked_is_refused_at_the_other_and_counts_there_no_more(
    both: Both, admin: str, issued: Issued, where: dict[str, str]
) -> None:
    one, other = both
    with blocked(one, admin, **where):
        # The commit compares the state: the other cannot miss it.
        assert refused_at(other, run_id=RUN) == "blocked"
        until(lambda: issued.counts_at(other) == (False, False))
        assert other.exchange(a_token()).status_code == 200

    until(lambda: issued.counts_at(other) == (True, True))
    assert refused_at(other, run_id=RUN) is None


def test_what_is_blocked_is_refused_at_a_replica_that_nobody_asked_meanwhile(
    both: Both, admin: str, issued: Issued
) -> None:
    one, other = both
    with blocked(one, admin, run_id=RUN):
        until(lambda: issued.counts_at(other) == (False, False))
        assert refused_at(other, run_id="1") is None


def test_the_tokens_of_an_account_that_one_switched_off_count_at_neither(
    both: Both, admin: str, issued: Issued
) -> None:
    one, other = both
    with switched_off(one, admin, "reader"):
        assert refused_at(other) == "account_disabled"
        until(lambda: issued.counts_at(other) == (False, False))

    until(lambda: issued.counts_at(other) == (True, True))


def test_a_secret_that_one_revoked_opens_nothing_at_the_other(both: Both, admin: str) -> None:
    one, other = both
    body = {"name": "x", "client_id": "guest", "grants": {"broker": ["broker:accounts:read"]}}
    made = one.api(admin, "POST", "service-accounts", json=body).json()
    [secret] = one.api(admin, "GET", "service-accounts/guest/secrets").json()["items"]
    assert other.api(made["client_secret"], "GET", "service-accounts").status_code == 200

    path = f"service-accounts/guest/secrets/{secret['id']}"
    assert one.api(admin, "DELETE", path).status_code == 204

    until(lambda: other.api(made["client_secret"], "GET", "service-accounts").status_code == 401)
