"""Variables for shells and for readers of `.env`: each value is quoted, each name checked."""

from broker.client.formats.rendering import (
    FormatOptions,
    FormatRefused,
    Rendering,
    end_time,
    token_text,
    variable_name,
)
from broker.client.service_token import ServiceToken

BASIC_USERNAME = "oauth2"
"""The user's name beside a token where a program knows Basic authentication alone."""


def shell(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Write commands for `eval` in a POSIX shell. Raises `FormatRefused`."""
    return Rendering(
        "".join(f"export {name}={quoted(value)}\n" for name, value in _values(token, options))
    )


def env(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Write assignments for a shell that reads them with `.`. Raises `FormatRefused`."""
    return Rendering(
        "".join(f"{name}={quoted(value)}\n" for name, value in _values(token, options))
    )


def dotenv(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Write a `.env` file that its readers all read alike.

    They differ in what they make of quotes, backslashes and dollar signs inside quotes: a value
    with one of them is refused. Raises `FormatRefused`.
    """
    values = _values(token, options)
    if any(sign in value for _, value in values for sign in "'\\$"):
        raise FormatRefused(
            "the token holds a sign that readers of .env files read differently (' \\ $): "
            "use the format 'json'"
        )
    return Rendering("".join(f"{name}='{value}'\n" for name, value in values))


def terraform_http_backend(token: ServiceToken, _options: FormatOptions) -> Rendering:
    """Write commands for `eval` that set what the `http` backend reads: it knows Basic alone.

    Raises `FormatRefused`.
    """
    return Rendering(
        f"export TF_HTTP_USERNAME={quoted(BASIC_USERNAME)}\n"
        f"export TF_HTTP_PASSWORD={quoted(token_text(token))}\n"
    )


def quoted(value: str) -> str:
    """Quote a text for a POSIX shell, whatever it holds but NUL."""
    return "'" + value.replace("'", "'\\''") + "'"


def _values(token: ServiceToken, options: FormatOptions) -> list[tuple[str, str]]:
    name = variable_name(options.variable)
    return [(name, token_text(token)), (f"{name}_EXPIRES_AT", end_time(token))]
