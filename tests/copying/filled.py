"""A store filled through its ports with all that it can hold, and everything it then answers."""

from typing import Any

from broker.core.audit_chain import Position
from broker.core.blocks import Block
from broker.core.signing_keys import SigningSchedule
from broker.ports import (
    AccountRow,
    AccountRows,
    ClaimsFilter,
    Entry,
    EventFilter,
    SecretRow,
    Spend,
    Store,
    StoreReading,
)
from tests.stores.entries import NOW, a_key_row, a_spend, an_event, put_keys

TOKEN = "01a20038-0100-7165-b3c8-674ce14f21aa"
REVOKED = "01a20038-0200-7165-b3c8-674ce14f21aa"
SPENT = tuple(f"token-{number}" for number in range(40))
POLICY_SETS = ("a" * 64, "b" * 64, "c" * 64)
CLIENTS = ("cron", "deploy", "gone", "nightly", "web")
LONG = "an account with spaces — and a sign " * 5


async def fill(store: Store, *, pruned: bool = False) -> None:
    """Fill a store with one of everything, and some of what is many."""
    await store.add_sealed_row("pepper", bytes(range(256)))
    await store.add_sealed_row("audit-head key", b"\0\xff")
    await put_keys(
        store,
        a_key_row("RS256", key_id="first"),
        a_key_row(
            "RS256",
            2,
            key_id="second",
            schedule=SigningSchedule(NOW, NOW + 0.1, NOW + 1e6 / 3, None),
        ),
        a_key_row("ES256", key_id="third", schedule=SigningSchedule(NOW, NOW, NOW + 9, NOW + 99)),
    )
    for number, name in enumerate(SPENT):
        end = NOW + 100 + number // 7
        await store.commit(
            a_spend(
                name,
                expires_at=end,
                id=f"01a20038-0{number:03x}-7165-b3c8-674ce14f21aa",
                issuer=("github", "gitlab")[number % 2],
                service_account=LONG if number == 5 else CLIENTS[number % 5],
                claims={"sub": f"repo:octo/é{number}", "n": number},
                policies=("main", "other"),
                policy_set=POLICY_SETS[number % 2],
                reason="no_policy_matched" if number % 3 == 0 else None,
                outcome="refused" if number % 3 == 0 else "success",
                type="token.refused" if number % 3 == 0 else "token.exchanged",
                token_id={1: TOKEN, 2: REVOKED}.get(number),
            )
        )
    for number, version in enumerate(POLICY_SETS):
        await store.keep_policy_set(version, bytes([number]) * 1000, NOW + number / 3)
    await store.keep_policy_set(POLICY_SETS[0], b"again", NOW + 10)
    await store.change_account_rows(
        AccountRows(
            epoch=await store.state_epoch(),
            accounts=(
                AccountRow("cron", "account", None, deleted=False, content=b"cron"),
                AccountRow("gone", "account", "acme", deleted=True, content=b"\0gone"),
                AccountRow("nightly", "account", "acme", deleted=False, content=b"\xffnightly"),
                AccountRow("web", "override", None, deleted=False, content=b"web"),
            ),
            new_ids=frozenset({"cron", "gone", "nightly"}),
            secrets=(
                SecretRow("s-1", "cron", b"1" * 32, b"sealed \0"),
                SecretRow("s-2", "cron", b"2" * 32, b"sealed \xff"),
                SecretRow("s-3", "web", bytes(range(32)), b"\0"),
            ),
            removed_secrets=(),
            events=(an_event(type="account.created", actor="command line", target="cron"),),
        )
    )
    await store.note_uses({"cron": {"cron": NOW + 1 / 3, "s-1": NOW}, "deploy": {"deploy": NOW}})
    await store.revoke_token(
        REVOKED, int(NOW) + 50, an_event(type="token.revoked", token_id=REVOKED)
    )
    for block_id, expires_at in (("b-1", None), ("b-2", NOW + 1e6 / 7)):
        block = Block(block_id, {"repository_id": "1", "é": "ü"}, "INC-7", NOW, "me", expires_at)
        await store.set_block(block, an_event(type="block.created"), at_most=10)
    await store.switch_issuer("gitlab", an_event(type="issuer.disabled"), enabled=False)
    await store.erase_claims([4, 5])
    if pruned:
        [event] = (await store.chain_page(2, 1)).events
        await store.prune_events(Position(event.sequence, event.hash), "signed beginning")


async def answers(store: StoreReading) -> dict[str, Any]:
    """Ask a store everything that its ports for reading know."""
    end = await store.chain_end()
    assert end is not None
    filters = {
        "all": EventFilter(),
        "account": EventFilter(service_account="deploy"),
        "long account": EventFilter(service_account=LONG),
        "issuer": EventFilter(issuer="gitlab"),
        "type": EventFilter(type="token.refused"),
        "common type": EventFilter(type="token.exchanged"),
        "outcome": EventFilter(outcome="refused"),
        "reason": EventFilter(reason="no_policy_matched"),
        "policy": EventFilter(policy="main"),
        "accounts": EventFilter(service_accounts=("deploy", "web")),
        "times": EventFilter(since=NOW - 1, until=NOW + 1),
        "decision": EventFilter(decision_id="01a20038-0003-7165-b3c8-674ce14f21aa"),
    }
    return {
        "end": end,
        "chain": await store.chain_page(0, 1000),
        "events": await store.events(limit=1000),
        **{name: await store.find_events(each, limit=1000) for name, each in filters.items()},
        **{
            f"page of {name}": (await store.event_page(each, limit=30)).events
            for name, each in filters.items()
        },
        "claims": await store.events_with_claims(ClaimsFilter(claim=("n", "7"))),
        "keys": await store.signing_key_rows(),
        "sealed": [await store.sealed_row(each) for each in ("pepper", "audit-head key", "none")],
        "sets": [await store.policy_set(each) for each in POLICY_SETS],
        "last set": await store.last_policy_set(),
        "blocks": await store.blocks(),
        "issuers": await store.issuers_off(),
        "accounts of": await store.account_rows_of(CLIENTS),
        "rows": [
            await store.account_rows(kind, organization=organization, after="", limit=9)
            for kind in ("account", "override")
            for organization in (None, "acme")
        ],
        "row": [
            await store.account_row(each, kind)
            for each in CLIENTS
            for kind in ("account", "override")
        ],
        "within": sorted(await store.account_ids_within("acme")),
        "count": [await store.count_accounts(each) for each in (None, "acme", "other")],
        "secret": [await store.secret_row(each) for each in (b"1" * 32, bytes(range(32)), b"x")],
        "secrets": [await store.secret_rows(each) for each in CLIENTS],
        "having": await store.having_secrets(),
        "used": [await store.last_used(CLIENTS), *[await store.last_uses(e) for e in CLIENTS]],
        "given": await store.given_ids(CLIENTS),
        "tokens": [
            (await store.token_is_active(each, int(NOW) + 60), await store.event_of_token(each))
            for each in (TOKEN, REVOKED, "none")
        ],
    }


def presented_again(name: str, *, issued_at: int = int(NOW)) -> Entry:
    """Give the entry of a token that was spent when the store was filled, or of another."""
    entry = a_spend(name, expires_at=NOW + 200)
    assert entry.spend is not None
    spend = Spend(entry.spend.key, entry.spend.expires_at, issued_at)
    return Entry(entry.event, spend, entry.event_if_spent)
