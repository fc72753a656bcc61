"""Tokens whose claims are untouched and whose signature does not hold."""

import base64


def with_flipped_signature(token: str) -> str:
    """Flip one bit of the signature, keeping its base64url canonical."""
    signed, _, signature = token.rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)))
    raw[0] ^= 1
    return f"{signed}.{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"
