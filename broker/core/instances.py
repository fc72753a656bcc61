"""The identity that a token is issued to: an account, or one instance of it (contract §4)."""

import re
from collections.abc import Sequence
from typing import Final

from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.policy import Issuer, ServiceAccount

MAX_SUB_BYTES: Final = 127
_INSTANCE_VALUE: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


def sub_of(account: ServiceAccount, claims: Claims, issuer: Issuer) -> str | None:
    """Name the identity: the account, or one instance of it per claim value."""
    parts = [account.client_id]
    for claim in account.instances:
        text = text_of(claims.get(claim)) or ""
        if not is_instance_value(text):
            return None
        folded = issuer.platform is not None and claim in issuer.platform.folded
        parts += [claim, fold_ascii(text) if folded else text]
    sub = ":".join(parts)
    return sub if len(sub.encode()) <= MAX_SUB_BYTES else None


def account_of(sub: str) -> str:
    """Name the account of an identity, which an instance begins with."""
    return sub.partition(":")[0]


def is_instance_value(value: object) -> bool:
    """Tell whether a claim's value can name an instance of a service account."""
    return _INSTANCE_VALUE.fullmatch(text_of(value) or "") is not None


def is_instance(sub: str, claims: Sequence[str]) -> bool:
    """Tell whether an identity has the form of one of an account whose `instances` are `claims`."""
    _, *parts = sub.split(":")
    names, values = parts[::2], parts[1::2]
    of_claims = names == list(claims) and len(values) == len(names)
    return of_claims and all(map(is_instance_value, values))
