"""The public keys of the configured issuers: fetched over HTTP with every cap, kept in memory."""

from broker.issuer_keys.source import HttpIssuerKeys
from broker.ports import IssuerKeyStatus

__all__ = ["HttpIssuerKeys", "IssuerKeyStatus"]
