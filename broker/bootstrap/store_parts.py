"""What is opened of a store, by brokers and by commands that work on it."""

from collections.abc import Mapping
from functools import partial

from broker.core.client_secret import digest
from broker.core.key_line import RotationRules
from broker.core.registry.members import RegistryRules
from broker.ports import Clock, Identifiers, PolicySource, State, Store
from broker.registry.accounts import AccountRegistry
from broker.registry.drawing import Drawing
from broker.reload.sources import DeploymentParameters
from broker.settings import Settings
from broker.signing.key_upkeep import KeyUpkeep
from broker.signing.keyring import Keyring
from broker.signing.master_key import MasterKey
from broker.signing.pepper import load_pepper
from broker.signing.sealed_accounts import SealedAccounts
from broker.signing.sealed_rows import SealedBox
from broker.signing.store_key import load_master_key
from broker.system import UuidV7Identifiers


async def load_store_key(settings: Settings, store: Store, *, may_create: bool) -> MasterKey:
    """Find the master key of a store. Raises `ConfigurationError` and `Unavailable`."""
    given = settings.master_key.reveal() if settings.master_key is not None else None
    return await load_master_key(settings.master_key_file, given, store, may_create=may_create)


async def open_signing_keys(
    settings: Settings,
    store: Store,
    master_key: MasterKey,
    clock: Clock,
    identifiers: Identifiers,
) -> tuple[Keyring, KeyUpkeep]:
    """Read the signing keys of a store. Raises `ConfigurationError` and `Unavailable`."""
    signing = settings.signing
    # Whoever has not heard of the store for so long cannot know which keys are published.
    keyring = await Keyring.open(store, master_key, trusted_for=signing.publish_before_use / 2)
    rules = RotationRules(
        signing.algorithms, signing.rotate_every, signing.publish_before_use, settings.leeway
    )
    return keyring, KeyUpkeep(store, keyring, rules, clock, identifiers)


async def open_registry(
    settings: Settings,
    store: Store,
    box: SealedBox,
    state: State,
    policies: PolicySource,
    clock: Clock,
) -> AccountRegistry:
    """Open the registry of service accounts. Raises `Unavailable`."""
    digesting = partial(digest, pepper=await load_pepper(store, box))
    drawing = Drawing(UuidV7Identifiers(), settings.secret_prefix, digesting)
    rules = RegistryRules(settings.max_accounts, settings.jwks_hosts)
    accounts = SealedAccounts(store, box)
    return AccountRegistry(accounts, state, policies, clock, drawing, rules)


def policy_parameters(
    settings: Settings, dev_issuers: Mapping[str, str] | None = None
) -> DeploymentParameters:
    """Give what policies depend on beside their files."""
    return DeploymentParameters(
        broker_issuer=settings.issuer,
        ttl=settings.tokens.ttl,
        max_ttl=settings.tokens.max_ttl,
        signing_algorithms=settings.signing.algorithms,
        loopback=settings.loopback,
        dev_issuers=dev_issuers,
        folders=settings.folders,
    )
