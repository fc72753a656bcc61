"""Accounts that the API manages, as decisions know them."""

from dataclasses import replace

import pytest

from broker.core.grant_text import scopes_meant
from broker.core.managed_account import ClientSecret, ManagedAccount, admits
from broker.core.policy import PolicySet, Service

NOW = 1_800_000_000.0
API = Service("api", "https://api.example", {"deploy:read": "", "deploy:write": "", "admin": ""})
POLICIES = PolicySet({}, {"api": API}, {}, {})
ACCOUNT = ManagedAccount("m-1", "i-1", "Cron", grants={"api": ("deploy:*",), "gone": ("x",)})


@pytest.mark.parametrize(
    ("granted", "meant"),
    [
        (["admin"], {"admin"}),
        (["deploy:*"], {"deploy:read", "deploy:write"}),
        (["deploy:*", "admin"], {"deploy:read", "deploy:write", "admin"}),
        (["nothing"], set()),
        (["*"], set()),
        (["de*"], set()),
        (["deploy:r*"], set()),
        ([], set()),
    ],
)
def test_a_grant_means_scopes_of_the_catalogue(granted: list[str], meant: set[str]) -> None:
    assert scopes_meant(granted, API) == meant


def test_an_account_holds_what_the_catalogue_has_of_its_grants() -> None:
    account = ACCOUNT.resolved(POLICIES)

    assert account.client_id == "m-1"
    assert account.grants == {"api": {"deploy:read", "deploy:write"}}


@pytest.mark.parametrize(
    ("changes", "live"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"deleted_at": NOW - 1}, False),
        ({"expires_at": NOW + 1}, True),
        ({"expires_at": NOW}, False),
    ],
)
def test_an_account_that_is_off_gone_or_over_may_do_nothing(
    changes: dict[str, object], live: bool
) -> None:
    assert replace(ACCOUNT, **changes).live(NOW) is live  # type: ignore[arg-type]


@pytest.mark.parametrize(("expires_at", "holds"), [(None, True), (NOW + 1, True), (NOW, False)])
def test_a_secret_holds_until_its_end(expires_at: float | None, holds: bool) -> None:
    secret = ClientSecret("s-1", "m-1", "i-1", b"digest", NOW - 9, expires_at)

    assert secret.holds(NOW) is holds
    assert "digest" not in repr(secret)


@pytest.mark.parametrize(
    ("service", "organization", "open_to"),
    [
        (API, None, True),
        (API, "acme", False),
        (Service("s", "https://s.example", organizations=("acme",)), "acme", True),
        (Service("s", "https://s.example", organizations=("acme",)), "umbrella", False),
        (Service("s", "https://s.example", organizations=("acme",)), None, False),
        (Service("broker", "https://b.example"), "acme", True),
        (Service("broker", "https://b.example"), None, True),
    ],
)
def test_a_service_is_open_to_the_organizations_that_it_lists(
    service: Service, organization: str | None, open_to: bool
) -> None:
    assert admits(service, organization) is open_to


def test_a_service_that_is_closed_to_its_organization_grants_nothing() -> None:
    assert replace(ACCOUNT, organization="acme").resolved(POLICIES).grants == {}


def test_a_service_that_has_none_of_the_scopes_granted_is_not_granted() -> None:
    gone = replace(ACCOUNT, grants={"api": ("deploy:gone",)})
    never = replace(ACCOUNT, grants={"api": ()})

    assert gone.resolved(POLICIES).grants == {}
    assert never.resolved(POLICIES).grants == {"api": frozenset()}
