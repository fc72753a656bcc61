"""How a service token is written for the program that reads it; pure, one function per format."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from broker.client.formats import aws, gcp, github, kubernetes, logins, plain, variables
from broker.client.formats.rendering import (
    FileText,
    Format,
    FormatOptions,
    FormatRefused,
    Rendering,
)
from broker.client.service_token import ServiceToken

__all__ = [
    "CONFIGURATIONS",
    "FORMATS",
    "FileText",
    "Format",
    "FormatOptions",
    "FormatRefused",
    "Rendering",
    "render",
]

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "raw": plain.raw,
        "json": plain.as_json,
        "shell": variables.shell,
        "env": variables.env,
        "dotenv": variables.dotenv,
        "github": github.outputs,
        "github-env": github.variables,
        "header": plain.header,
        "curl-config": plain.curl_config,
        "exec-credential": kubernetes.exec_credential,
        "aws-web-identity-file": aws.web_identity_file,
        "gcp-executable": gcp.executable,
        "docker": logins.docker,
        "git": logins.git,
        "terraform-helper": logins.terraform_helper,
        "terraform-http-backend": variables.terraform_http_backend,
        "terraform-external": logins.terraform_external,
        "ansible": plain.raw,
    }
)
"""Every format that needs the token alone; `aws-credential-process` asks STS for keys before."""

CONFIGURATIONS: Final[Mapping[str, Callable[[FormatOptions], Rendering]]] = MappingProxyType(
    {"gcp-external-account": gcp.external_account}
)
"""What says how to get a token, and holds none."""


def render(name: str, token: ServiceToken, options: FormatOptions) -> Rendering:
    """Write a token in the format of this name. Raises `FormatRefused`."""
    if name not in FORMATS:
        raise FormatRefused(f"there is no format {name!a}; there are: {', '.join(FORMATS)}")
    return FORMATS[name](token, options)
