"""A decision, found by its id and explained by what is kept: of `audit list` and `explain`."""

from typing import TYPE_CHECKING, Any, NoReturn

from broker.cli.audit.opening import master_key_of
from broker.cli.endings import fail

if TYPE_CHECKING:
    from broker.core.audit_chain import StoredEvent
    from broker.core.recorded_decision import RecordedDecision
    from broker.ports import StoreReading
    from broker.settings import Settings


def no_such_decision() -> NoReturn:
    """End the command with where a decision may be that is not found."""
    fail(
        "there is no such decision: a count of refusals is written when its minute ends,"
        " old events are pruned (`audit.retention`), and another broker's decisions are in its own"
        " store (--config)",
        code=1,
    )


def unchanged_members(event: "StoredEvent") -> dict[str, Any]:
    """Read an event that is what it was when it was written; end the command for any other."""
    link = event.link()
    if not link.fits or not link.claims_fit:
        fail(
            f"event {event.sequence} was changed on record, and explains nothing; look with"
            " `broker audit verify`",
            code=1,
        )
    return event.members()


async def find_decision(store: "StoreReading", decision_id: str) -> "StoredEvent | None":
    """Find the event of a decision; None when there is none. Raises `Unavailable`."""
    from broker.ports import EventFilter

    wanted, behind = EventFilter(decision_id=decision_id), None
    while True:
        page = await store.event_page(wanted, behind=behind, limit=1)
        if page.events:
            return page.events[0]
        if (behind := page.next_behind) is None:
            return None


async def explained_by(
    event: dict[str, Any], settings: "Settings", store: "StoreReading", *, everything: bool
) -> "RecordedDecision":
    """Explain an event by what the store has kept. Raises `Unavailable`."""
    from broker.core.accounts_in_force import accounts_named
    from broker.core.recorded_decision import explain_event, needed_policy_set
    from broker.reload.kept_sets import KeptSetsReading
    from broker.reload.reading import PolicyReader
    from broker.reload.seal import KEY_PURPOSE, Seal
    from broker.reload.sources import DeploymentParameters
    from broker.signing.sealed_accounts import SealedAccountsReading
    from broker.signing.sealed_rows import SealedBox
    from broker.system import SystemClock

    version = needed_policy_set(event)
    if version is None:
        return explain_event(event, None)
    parameters = DeploymentParameters(
        broker_issuer=settings.issuer,
        ttl=settings.tokens.ttl,
        max_ttl=settings.tokens.max_ttl,
        signing_algorithms=settings.signing.algorithms,
        loopback=settings.loopback,
        dev_issuers=None,
        folders=settings.folders,
    )
    reader = PolicyReader(settings.policies, parameters, SystemClock())
    master_key = await master_key_of(settings, store)
    seal = Seal(master_key.derive(KEY_PURPOSE))
    policy_set = await KeptSetsReading(store, seal, reader).find(version)
    if policy_set is None:
        return explain_event(event, None)
    accounts = SealedAccountsReading(store, SealedBox(master_key))
    return explain_event(
        event,
        policy_set,
        await accounts.accounts_of(sorted(accounts_named(policy_set))),
        await accounts.account_overrides(),
        everything=everything,
    )
