"""The token alone, as JSON, or as a header."""

import json

from broker.client.formats.rendering import FormatOptions, Rendering, end_time, token_text
from broker.client.service_token import ServiceToken


def raw(token: ServiceToken, _options: FormatOptions) -> Rendering:
    """Write the token and a line feed. Raises `FormatRefused`."""
    return Rendering(f"{token_text(token)}\n")


def as_json(token: ServiceToken, _options: FormatOptions) -> Rendering:
    """Write the broker's answer (RFC 8693 §2.2.1, contract §5), and when the token ends.

    Raises `FormatRefused`.
    """
    return one_line(
        {
            "access_token": token_text(token),
            "issued_token_type": token.issued_token_type,
            "token_type": token.token_type,
            "expires_in": token.expires_in,
            "expires_at": end_time(token),
            "scope": token.scope,
            "service_account": token.service_account,
            "token_id": token.token_id,
        }
    )


def header(token: ServiceToken, _options: FormatOptions) -> Rendering:
    """Write a line for `curl --header @-` (RFC 6750 §2.1). Raises `FormatRefused`."""
    return Rendering(f"Authorization: Bearer {token_text(token)}\n")


def curl_config(token: ServiceToken, _options: FormatOptions) -> Rendering:
    """Write a line for `curl --config -`, which undoes backslashes in quotes.

    Raises `FormatRefused`.
    """
    escaped = token_text(token).replace("\\", "\\\\").replace('"', '\\"')
    return Rendering(f'header = "Authorization: Bearer {escaped}"\n')


def one_line(document: dict[str, object]) -> Rendering:
    """Write a JSON object on one line, in ASCII."""
    return Rendering(f"{json.dumps(document)}\n")
