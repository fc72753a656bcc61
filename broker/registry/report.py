"""Reading what the report on client secrets is made of: accounts, secrets and issued tokens."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from broker.core.policy import PolicySet
from broker.core.registry.registered import AccountEntry
from broker.core.registry.report import AccountSecrets, TokensIssued
from broker.core.registry.secret_planning import living
from broker.ports import AccountReading, AuditLog, EventFilter

_PAGE: Final = 1000

EXCHANGED: Final = "token.exchanged"
ISSUED: Final = "token.issued"
SECRET_ACTOR: Final = "secret "
"""How the `actor` begins of a token that a stored secret has got."""


async def accounts_with_secrets(
    store: AccountReading, policy_set: PolicySet, now: float
) -> AsyncIterator[AccountSecrets]:
    """Give the accounts that have living secrets, by id. Raises `Unavailable`."""
    for client_id in await store.having_secrets():
        secrets = await store.secrets_of(client_id)
        rows = AccountEntry(
            row=await store.account(client_id),
            in_files=policy_set.service_accounts.get(client_id),
        )
        account = rows.registered(policy_set)
        alive = living(secrets, account, now) if account is not None else []
        if account is not None and alive:
            yield AccountSecrets(account, alive, await store.last_uses(client_id))


async def tokens_issued(log: AuditLog, since: float) -> TokensIssued:
    """Count the tokens on record since an instant. Raises `Unavailable`."""
    total, without_secret, federated = 0, 0, Counter[str]()
    for kind in (EXCHANGED, ISSUED):
        wanted = EventFilter(type=kind, outcome="success", since=since)
        after = 0
        while events := await log.find_events(wanted, after=after, limit=_PAGE):
            after = events[-1].sequence
            for event in events:
                members = event.members()
                total += 1
                # Which secret it was is on record; a CI job or a registered key needs none.
                without_secret += not str(members["actor"]).startswith(SECRET_ACTOR)
                if members["issuer"] is not None:
                    federated[str(members["service_account"])] += 1
    return TokensIssued(total, without_secret, federated)
