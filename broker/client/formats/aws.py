"""What the AWS SDKs read: keys from a process, or a file with the token itself."""

from dataclasses import dataclass, field

from broker.client.formats.plain import one_line
from broker.client.formats.rendering import (
    FileText,
    FormatOptions,
    FormatRefused,
    Rendering,
    token_text,
)
from broker.client.formats.variables import quoted
from broker.client.service_token import ServiceToken


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """What STS gives for a token; `expiration` is a time of RFC 3339."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: str


def credential_process(credentials: AwsCredentials) -> str:
    """Write what `credential_process` in `~/.aws/config` expects (AWS, sourcing credentials)."""
    return one_line(
        {
            "Version": 1,
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": credentials.expiration,
        }
    ).text


def web_identity_file(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Write the token into a file, and commands for `eval` that name it.

    Without a line feed: the SDKs send the file as it is. Raises `FormatRefused`.
    """
    if not options.file:
        raise FormatRefused("this format writes a file: name it with --output FILE")
    named = {"AWS_WEB_IDENTITY_TOKEN_FILE": options.file}
    if role := options.environment.get("AWS_ROLE_ARN"):
        named["AWS_ROLE_ARN"] = role
    return Rendering(
        "".join(f"export {name}={quoted(value)}\n" for name, value in named.items()),
        written=(FileText(options.file, token_text(token)),),
    )
