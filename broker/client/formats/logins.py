"""A name and a password for programs that know Basic authentication, and Terraform's own forms."""

from broker.client.formats.plain import one_line
from broker.client.formats.rendering import FormatOptions, Rendering, end_time, token_text
from broker.client.formats.variables import BASIC_USERNAME
from broker.client.service_token import ServiceToken


def docker(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Write what `docker-credential-… get` answers (docker-credential-helpers).

    Raises `FormatRefused`.
    """
    return one_line(
        {
            "ServerURL": options.server,
            "Username": BASIC_USERNAME,
            "Secret": token_text(token),
        }
    )


def git(token: ServiceToken, _options: FormatOptions) -> Rendering:
    """Write what a credential helper of git answers (gitcredentials). Raises `FormatRefused`."""
    return Rendering(
        f"username={BASIC_USERNAME}\n"
        f"password={token_text(token)}\n"
        f"password_expiry_utc={token.expires_at}\n"
    )


def terraform_helper(token: ServiceToken, _options: FormatOptions) -> Rendering:
    """Write what a credentials helper of Terraform and OpenTofu answers.

    Raises `FormatRefused`.
    """
    return one_line({"token": token_text(token)})


def terraform_external(token: ServiceToken, _options: FormatOptions) -> Rendering:
    """Write what the `external` data source reads: an object of texts.

    Raises `FormatRefused`.
    """
    return one_line(
        {
            "token": token_text(token),
            "expires_at": end_time(token),
            "service_account": token.service_account,
        }
    )
