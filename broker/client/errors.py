"""What can go wrong for a client, each with the code that a command ends with (clients' contract).

Every message says what happened and what helps; none holds a token or a secret.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ClientError(Exception):
    """There is no service token. `exit_code` is how a command says so."""

    exit_code: ClassVar[int] = 5


class Misuse(ClientError):
    """What was asked for, or the configuration, cannot work."""

    exit_code = 2


class NoIdentity(ClientError):
    """Nothing here says who the job is, or the platform gave no ID token."""

    exit_code = 3


class Refused(ClientError):
    """The broker answered, and said no; asking again changes nothing (contract §5, errors)."""

    exit_code = 4

    def __init__(  # noqa: PLR0913 - as many facts as an answer has
        self,
        message: str,
        *,
        status: int,
        error: str,
        description: str = "",
        reason: str = "",
        decision_id: str = "",
        error_uri: str = "",
        request_id: str = "",
        conditions: Sequence[Mapping[str, Any]] = (),
        service_accounts: Sequence[str] = (),
        claims: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.description = description
        self.reason = reason
        self.decision_id = decision_id
        self.error_uri = error_uri
        """Where the broker says how the decision is looked up; empty unless it is such a link."""

        self.request_id = request_id
        self.conditions = tuple(conditions)
        """What failed of the nearest policy, as far as the broker tells."""

        self.service_accounts = tuple(service_accounts)
        """The choice, where the reason is `ambiguous_account`."""

        self.claims = dict(claims or {})
        """What the ID token claims of the job, none of it about people."""


class BrokerTrouble(ClientError):
    """No answer, or none of a broker: it, a proxy or the network is in trouble."""

    exit_code = 5


class IdentityExpired(ClientError):
    """The ID token is over, and the platform gives this job no other."""

    exit_code = 6
