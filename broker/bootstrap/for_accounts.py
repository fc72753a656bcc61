"""What serves accounts that have secrets or keys, and those who look after them."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import SystemRandom

from broker.bootstrap.store_parts import open_registry
from broker.grants.client_authentication import ClientAuthentication
from broker.grants.client_credentials import ClientCredentials
from broker.grants.last_uses import LastUses
from broker.grants.token_exchange import TokenExchange
from broker.held_accounts import HeldAccounts
from broker.issuer_keys import ClientKeys
from broker.ports import Store
from broker.registry.accounts import AccountRegistry
from broker.registry.blocks import BlockRegistry
from broker.registry.issuers import IssuerRegistry
from broker.registry.policies_with_blocks import PoliciesWithBlocks
from broker.settings import Settings
from broker.signing.pepper import load_pepper
from broker.signing.sealed_issuer_keys import SealedIssuerKeys
from broker.signing.sealed_rows import SealedBox


@dataclass(frozen=True, slots=True)
class ForAccounts:
    """What serves accounts that have secrets or keys, and those who look after them."""

    client_keys: ClientKeys
    credentials: ClientCredentials
    registry: AccountRegistry
    blocks: BlockRegistry
    issuers: IssuerRegistry


async def for_accounts(
    stack: AsyncExitStack,
    settings: Settings,
    exchange: TokenExchange,
    policies: PoliciesWithBlocks,
    accounts: HeldAccounts,
    store: Store,
    box: SealedBox,
) -> ForAccounts:
    """Make these parts; what ends them is put on the stack. Raises `Unavailable`."""
    clock = exchange.clock
    client_keys = ClientKeys(
        clock,
        broker_on_loopback=settings.loopback,
        rng=SystemRandom().random,
        hosts=settings.jwks_hosts,
    )
    stack.push_async_callback(client_keys.close)
    authentication = ClientAuthentication(
        accounts=accounts,
        policies=policies,
        client_keys=client_keys,
        limits=exchange.limits,
        clock=clock,
        issuer=exchange.issuer,
        pepper=await load_pepper(store, box),
    )
    credentials = ClientCredentials(
        state=exchange.state,
        policies=policies,
        authentication=authentication,
        limits=exchange.limits,
        signing_keys=exchange.signing_keys,
        ledger=exchange.ledger,
        clock=clock,
        identifiers=exchange.identifiers,
        last_uses=LastUses(store),
        issuer=exchange.issuer,
    )
    registry = await open_registry(settings, store, box, exchange.state, policies, clock)
    blocks = BlockRegistry(
        store, accounts, exchange.state, exchange.policies, clock, exchange.identifiers
    )
    issuers = IssuerRegistry(
        store,
        SealedIssuerKeys(store, box),
        exchange.state,
        policies.in_files,
        clock,
        exchange.identifiers,
    )
    return ForAccounts(client_keys, credentials, registry, blocks, issuers)
