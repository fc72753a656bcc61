"""What the broker says of its own API as a protected resource (RFC 9728)."""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from broker.core.broker_service import BROKER_SCOPES
from broker.http.discovery import cacheable, serialized

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


def metadata_url(issuer: str) -> str:
    """Say where the metadata is: before the path of the resource's URL (RFC 9728 §3.1)."""
    path = urlsplit(issuer).path
    return f"{issuer.removesuffix(path)}{WELL_KNOWN}{path}"


class ProtectedResource:
    """Serves the metadata, by which a client finds out where it gets tokens for the API."""

    def __init__(self, issuer: str) -> None:
        """`issuer` is the broker's public URL, which is also the audience of these tokens."""
        self._document = serialized(
            {
                "resource": issuer,
                "authorization_servers": [issuer],
                "scopes_supported": sorted(BROKER_SCOPES),
                "bearer_methods_supported": ["header"],
                "resource_name": "ci-token-broker",
            }
        )

    async def metadata(self, request: Request) -> Response:
        """Serve the document."""
        return cacheable(request, self._document)
