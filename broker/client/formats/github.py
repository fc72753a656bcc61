"""Outputs and variables of a step in GitHub Actions: files that are appended to, and a mask."""

from broker.client.formats.rendering import (
    FileText,
    FormatOptions,
    FormatRefused,
    Rendering,
    end_time,
    token_text,
    variable_name,
)
from broker.client.service_token import ServiceToken


def outputs(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Append the outputs `token` and `expires-at` of this step. Raises `FormatRefused`."""
    return _appended(
        "GITHUB_OUTPUT", [("token", token_text(token)), ("expires-at", end_time(token))], options
    )


def variables(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Append variables for every later step of the job. Raises `FormatRefused`."""
    name = variable_name(options.variable)
    return _appended(
        "GITHUB_ENV",
        [(name, token_text(token)), (f"{name}_EXPIRES_AT", end_time(token))],
        options,
    )


def _appended(variable: str, values: list[tuple[str, str]], options: FormatOptions) -> Rendering:
    path = options.environment.get(variable, "")
    if not path:
        raise FormatRefused(f"{variable} is not set: this format is for steps of GitHub Actions")
    # Who knows the delimiter could end the value and begin one of their own.
    if not options.delimiter or any(options.delimiter in value for _, value in values):
        raise FormatRefused("the delimiter between outputs is missing, or part of the token")
    text = "".join(
        f"{name}<<{options.delimiter}\n{value}\n{options.delimiter}\n" for name, value in values
    )
    masked = values[0][1].replace("%", "%25")
    return Rendering(f"::add-mask::{masked}\n", appended=(FileText(path, text),))
