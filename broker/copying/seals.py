"""Whether the rows of a store that grant anything open under its master key."""

from collections.abc import Callable
from typing import Any, cast

from broker.ports.contents import (
    ACCOUNTS,
    CLIENT_SECRETS,
    POLICY_SETS,
    SEALED,
    SIGNING_KEYS,
    Part,
    Row,
)
from broker.signing.check_row import CHECK_ROW
from broker.signing.key_wrap import KeyWrap, WrappedKeyRefused
from broker.signing.master_key import MasterKey
from broker.signing.sealed_accounts import account_row_opens, secret_row_opens
from broker.signing.sealed_issuer_keys import PREFIX as ISSUER_KEYS
from broker.signing.sealed_rows import SealedBox
from broker.stores.content_rows import account_of, key_of, secret_of

PolicySetOpens = Callable[[str, bytes], bool]
"""Tells whether a kept policy set is as it was sealed, given its version and content."""


class Seals:
    """Opens every row under a master key, and keeps nothing of it."""

    def __init__(self, master_key: MasterKey, policy_set_opens: PolicySetOpens) -> None:
        self._box = SealedBox(master_key)
        self._key_wrap = KeyWrap(master_key)
        self._policy_set_opens = policy_set_opens

    def fault(self, part: Part, row: Row) -> str | None:
        """Say what is wrong with a row; None when nothing is, or when it has no seal."""
        if part is SIGNING_KEYS:
            return self._key_fault(row)
        named = self._altered(part, row)
        return None if named is None else f"{named} was altered: restore an earlier backup"

    def _key_fault(self, row: Row) -> str | None:
        key = key_of(row)
        try:
            self._key_wrap.unwrap(key)
        except WrappedKeyRefused as refused:
            return f"{refused}; drop it: broker keys retire {key.key_id}"
        return None

    def _altered(self, part: Part, row: Row) -> str | None:
        if part is ACCOUNTS:
            account = account_of(row)
            if not account_row_opens(self._box, account):
                return f"the row of {account.kind} {account.client_id}"
        elif part is CLIENT_SECRETS:
            secret = secret_of(row)
            if not secret_row_opens(self._box, secret):
                return f"the row of client secret {secret.secret_id}"
        elif part is SEALED:
            name, content = cast("Any", row)
            # The proof of the key itself: other rows have proved it, or the command has ended. Kept
            # keys of issuers are fetched anew where they do not open.
            spared = name == CHECK_ROW or name.startswith(ISSUER_KEYS)
            if not spared and self._box.unseal(name, content) is None:
                return f"the sealed row '{name}'"
        elif part is POLICY_SETS:
            version, _, _, content = cast("Any", row)
            if not self._policy_set_opens(version, content):
                return f"policy set {version}"
        return None
