"""The account behind an id, for whoever shows a token of the broker's own."""

from dataclasses import replace

from broker.core.client import account_of
from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import PolicySet, ServiceAccount

NOW = 1_800_000_000.0
FILES = PolicySet(
    {}, {}, {"web": ServiceAccount("web", {}), "off": ServiceAccount("off", {}, enabled=False)}, {}
)
CRON = ManagedAccount("cron", "i", "Cron")
OFF = AccountOverride("web", enabled=False, updated_at=NOW)


def test_an_account_of_a_file_counts_unless_it_is_switched_off() -> None:
    assert account_of("web", None, None, FILES, NOW) is FILES.service_accounts["web"]
    assert account_of("web", None, replace(OFF, enabled=True), FILES, NOW) is not None
    assert account_of("web", None, OFF, FILES, NOW) is None
    assert account_of("off", None, None, FILES, NOW) is None


def test_one_that_was_made_counts_while_it_is_live() -> None:
    found = account_of("cron", CRON, None, FILES, NOW)
    assert found is not None
    assert found.client_id == "cron"
    assert account_of("cron", replace(CRON, deleted_at=NOW), None, FILES, NOW) is None
    assert account_of("nobody", None, None, FILES, NOW) is None
