"""The public keys of issuers and accounts: fetched over HTTP with every cap, kept in memory."""

from broker.issuer_keys.client_keys import ClientKeys
from broker.issuer_keys.source import HttpIssuerKeys
from broker.ports import IssuerKeyStatus

__all__ = ["ClientKeys", "HttpIssuerKeys", "IssuerKeyStatus"]
