"""Accounts and secrets as JSON texts, which a store keeps sealed."""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount

Kept = ManagedAccount | AccountOverride | ClientSecret


def written(kept: Kept) -> bytes:
    """Write every member, in an order that never changes."""
    members = {each.name: getattr(kept, each.name) for each in fields(kept)}
    if isinstance(kept, ClientSecret):
        members["digest"] = kept.digest.hex()
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode()


def read_account(text: bytes) -> ManagedAccount:
    """Read an account. Raises `ValueError` for the text of anything else."""
    members = _members(text, ManagedAccount)
    members["grants"] = {name: tuple(scopes) for name, scopes in members["grants"].items()}
    members["allowed_networks"] = tuple(members["allowed_networks"])
    return ManagedAccount(**members)


def read_override(text: bytes) -> AccountOverride:
    """Read what is said of an account that a file defines. Raises `ValueError`."""
    return AccountOverride(**_members(text, AccountOverride))


def read_secret(text: bytes) -> ClientSecret:
    """Read a secret. Raises `ValueError`."""
    members = _members(text, ClientSecret)
    members["digest"] = bytes.fromhex(members["digest"])
    return ClientSecret(**members)


def _members(text: bytes, kind: type[Kept]) -> dict[str, Any]:
    """Read the members; one that a later version added is missing, and has its default then."""
    members = json.loads(text)
    known = {each.name for each in fields(kind)}
    if not isinstance(members, Mapping) or not members.keys() <= known:
        raise ValueError("this is not what was kept")
    return dict(members)
