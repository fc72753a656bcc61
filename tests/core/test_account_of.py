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


def account(
    client_id: str,
    managed: ManagedAccount | None,
    override: AccountOverride | None,
    policy_set: PolicySet,
    issued_at: int = int(NOW),
    address: str | None = None,
) -> ServiceAccount | None:
    return account_of(client_id, managed, override, policy_set, address, NOW, issued_at=issued_at)


def test_an_account_of_a_file_counts_unless_it_is_switched_off() -> None:
    assert account("web", None, None, FILES) is FILES.service_accounts["web"]
    assert account("web", None, replace(OFF, enabled=True), FILES) is not None
    assert account("web", None, OFF, FILES) is None
    assert account("off", None, None, FILES) is None


def test_one_that_was_made_counts_while_it_is_live() -> None:
    found = account("cron", CRON, None, FILES)
    assert found is not None
    assert found.client_id == "cron"
    assert account("cron", replace(CRON, deleted_at=NOW), None, FILES) is None
    assert account("nobody", None, None, FILES) is None


def test_a_token_of_before_it_was_made_is_of_another() -> None:
    made = replace(CRON, created_at=NOW + 0.7)

    assert account("cron", made, None, FILES, int(NOW) - 1) is None
    # Tokens tell whole seconds.
    assert account("cron", made, None, FILES, int(NOW)) is not None
    assert account("web", None, None, FILES, 0) is not None


def test_one_that_may_call_from_some_networks_counts_there_alone() -> None:
    bound = replace(CRON, allowed_networks=("192.0.2.0/24", "2001:db8::/32"))

    for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"):
        assert account("cron", bound, None, FILES, address=address) is not None
    for elsewhere in ("198.51.100.7", "2001:db9::1", None):
        assert account("cron", bound, None, FILES, address=elsewhere) is None
