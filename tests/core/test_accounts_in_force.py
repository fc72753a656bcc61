"""The accounts that policies decide by: of files and of the store."""

from dataclasses import replace

import pytest

from broker.core.accounts_in_force import accounts_named, next_end, with_accounts
from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import Policy, PolicySet, Service, ServiceAccount

NOW = 1_800_000_000.0
FILES = PolicySet(
    {},
    {"api": Service("api", "https://api.example", {"a:read": ""})},
    {"web": ServiceAccount("web", {"api": frozenset({"a:read"})})},
    {
        "p1": Policy("p1", "github", (), service_account="web"),
        "p2": Policy("p2", "github", (), service_account="cron"),
        "p3": Policy("p3", "github", ()),
    },
)
CRON = ManagedAccount("cron", "i", "Cron", grants={"api": ("a:*",)})


def test_the_accounts_that_no_file_defines_are_named() -> None:
    assert accounts_named(FILES) == {"cron"}


def test_an_account_that_was_made_decides_beside_those_of_the_files() -> None:
    policy_set = with_accounts(FILES, [CRON], [], NOW)

    assert policy_set.service_accounts["cron"].grants == {"api": {"a:read"}}
    assert policy_set.service_accounts["web"] is FILES.service_accounts["web"]
    assert policy_set.version == FILES.version


@pytest.mark.parametrize(
    ("row", "enabled"),
    [
        (CRON, True),
        (replace(CRON, enabled=False), False),
        (replace(CRON, expires_at=NOW + 1), True),
        (replace(CRON, expires_at=NOW), False),
        (replace(CRON, deleted_at=NOW), None),
    ],
)
def test_one_that_is_off_or_over_is_disabled_and_a_deleted_one_missing(
    row: ManagedAccount, enabled: bool | None
) -> None:
    found = with_accounts(FILES, [row], [], NOW).service_accounts.get("cron")

    assert (None if found is None else found.enabled) is enabled


def test_an_account_of_a_file_can_only_be_switched_off() -> None:
    off = AccountOverride("web", enabled=False, updated_at=NOW)
    unknown = replace(off, client_id="gone")
    assert not with_accounts(FILES, [], [off, unknown], NOW).service_accounts["web"].enabled
    stronger = replace(CRON, client_id="web", grants={})
    lifted = replace(off, enabled=True)
    assert with_accounts(FILES, [stronger], [lifted], NOW) is FILES


def test_the_next_end_of_an_account_is_known() -> None:
    ends = [replace(CRON, expires_at=at) for at in (NOW + 9, NOW + 5, NOW - 1, None)]

    assert next_end(ends, NOW) == NOW + 5
    assert next_end(ends, NOW + 9) is None
