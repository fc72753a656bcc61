"""What is drawn for new accounts and secrets: ids, incarnations, and the secrets themselves."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from broker.core import client_secret
from broker.core.account_id import GENERATED
from broker.core.registry.plan import NewSecret
from broker.ports import Identifiers

# Without letters that could be taken for one another; 32^20 ids are never drawn twice.
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH: Final = 20


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws from the system's randomness; `digest` gives what is stored in place of a secret."""

    identifiers: Identifiers
    secret_prefix: str
    digest: Callable[[str], bytes] = field(repr=False)

    def client_id(self) -> str:
        """Draw the id of an account that none was chosen for."""
        return GENERATED + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))

    def identifier(self, now: float) -> str:
        """Draw an identifier of any other kind; `now` is in seconds since the epoch."""
        return self.identifiers.new(now)

    def secret(self, now: float) -> tuple[str, NewSecret]:
        """Draw a secret, beside what is planned and kept of it."""
        text = client_secret.generate(self.secret_prefix, secrets.token_bytes)
        return text, NewSecret(self.identifiers.new(now), self.digest(text))
