"""What a kubeconfig's `exec` expects (kubernetes.io, client-authentication.v1)."""

from typing import Final

from broker.client.formats.plain import one_line
from broker.client.formats.rendering import (
    FormatOptions,
    FormatRefused,
    Rendering,
    end_time,
    token_text,
)
from broker.client.service_token import ServiceToken
from broker.core.json_text import JsonRefused, loads_object

_GROUP: Final = "client.authentication.k8s.io"
API_VERSIONS: Final = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")


def exec_credential(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Write an ExecCredential of the version that the client has asked for.

    Clients refuse any other version than theirs. Raises `FormatRefused`.
    """
    return one_line(
        {
            "apiVersion": _api_version(options.environment.get("KUBERNETES_EXEC_INFO", "")),
            "kind": "ExecCredential",
            "status": {"token": token_text(token), "expirationTimestamp": end_time(token)},
        }
    )


def _api_version(exec_info: str) -> str:
    if not exec_info:
        return API_VERSIONS[0]
    try:
        # The cluster's certificates and settings of its own may be in there.
        version = loads_object(exec_info.encode(errors="replace")).get("apiVersion")
    except JsonRefused as error:
        raise FormatRefused(f"KUBERNETES_EXEC_INFO is {error}") from None
    if version not in API_VERSIONS:
        raise FormatRefused(
            f"KUBERNETES_EXEC_INFO asks for an apiVersion other than {' and '.join(API_VERSIONS)}: "
            "change it in the kubeconfig"
        )
    return str(version)
