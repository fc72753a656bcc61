"""What the cache asks of whoever gets the keys, and how a failure is told."""

from typing import Protocol


class FetchFailed(Exception):
    """No key set was had; the message is a sentence for the operator, without secrets.

    It may quote the URLs of the configuration, never what a server sent as a body.
    """


class KeyFetch(Protocol):
    """One issuer's way to its keys."""

    async def document(self) -> bytes:
        """Get the JWKS document as the issuer publishes it now. Raises `FetchFailed`."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...
