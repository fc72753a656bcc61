"""The federated client assertion: a CI token that a job sends as its client's (contract §5).

The same exchange once more, asked for as `client_credentials`; nothing is registered for the job,
and it is the policies that say whether it may act as the account it names (standards CA-25).
"""

from broker.core.errors import Reason, RequestRefused
from broker.grants.request import (
    AssertedCredentials,
    Caller,
    ExchangeRequest,
    Parameters,
    read_wanted,
)


def read_request(
    parameters: Parameters, credentials: AssertedCredentials, caller: Caller
) -> ExchangeRequest:
    """Read the parameters of RFC 7521 §4.2. Raises `RequestRefused`."""
    if credentials.client_id is None:
        raise RequestRefused(
            Reason.CLIENT_UNKNOWN_OR_BAD_SECRET,
            "a CI token as client assertion needs a 'client_id': the service account wanted",
        )
    return ExchangeRequest(credentials.assertion, read_wanted(parameters), caller)
