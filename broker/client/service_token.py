"""A service token as its client holds it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """What the broker answered (RFC 8693 §2.2.1, contract §5); its `repr` holds no secret.

    `expires_in` is the broker's word, in seconds; `expires_at` is that moment by this machine's
    clock, in seconds since 1970. Absent members are empty texts.
    """

    access_token: str = field(repr=False)
    token_type: str
    expires_in: int
    expires_at: int
    scope: str = ""
    service_account: str = ""
    token_id: str = ""
    issued_token_type: str = ""
