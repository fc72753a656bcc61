"""The jwt-bearer grant (RFC 7523 §2.1): the same exchange, asked for in older words."""

from broker.grants.request import Caller, ExchangeRequest, Parameters, read_wanted, required


def read_request(parameters: Parameters, caller: Caller) -> ExchangeRequest:
    """Read the parameters of RFC 7521 §4.1. Raises `RequestRefused`."""
    return ExchangeRequest(required(parameters, "assertion"), read_wanted(parameters), caller)
