"""What Google's client libraries read: the answer of an executable, and the file that names it."""

import json
import re
import shlex
from typing import Final

from broker.client.formats.plain import one_line
from broker.client.formats.rendering import (
    FileText,
    FormatOptions,
    FormatRefused,
    Rendering,
    token_text,
)
from broker.client.service_token import ServiceToken
from broker.core.vocabulary import TOKEN_TYPE_JWT

_PROVIDER: Final = re.compile(
    r"projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+"
)
_ACCOUNT: Final = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+")
_SERVICE: Final = re.compile(r"[A-Za-z0-9._:/-]+")


def executable(token: ServiceToken, options: FormatOptions) -> Rendering:
    """Write the answer of an executable source (AIP-4117), also where its reader keeps it.

    Raises `FormatRefused`.
    """
    answer = one_line(
        {
            "version": 1,
            "success": True,
            "token_type": TOKEN_TYPE_JWT,
            "id_token": token_text(token),
            "expiration_time": token.expires_at,
        }
    )
    kept = options.environment.get("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", "")
    return Rendering(answer.text, written=(FileText(kept, answer.text),) if kept else ())


def executable_failure(code: str, message: str) -> str:
    """Write the answer of an executable source that has no token (AIP-4117)."""
    return one_line({"version": 1, "success": False, "code": code, "message": message}).text


def external_account(options: FormatOptions) -> Rendering:
    """Write the configuration that GOOGLE_APPLICATION_CREDENTIALS names (AIP-4117); no secret.

    `GCP_WORKLOAD_IDENTITY_PROVIDER` is the provider's full name; `GCP_SERVICE_ACCOUNT`, if set, the
    account to act as; `GCP_ID_TOKEN_FILE`, if set, a file that the format `json` keeps fresh;
    otherwise the libraries run this command, for `BROKER_SERVICE`. Raises `FormatRefused`.
    """
    environment = options.environment
    provider = environment.get("GCP_WORKLOAD_IDENTITY_PROVIDER", "")
    if not _PROVIDER.fullmatch(provider):
        raise FormatRefused(
            "GCP_WORKLOAD_IDENTITY_PROVIDER must be the provider's full name: "
            "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
        )
    document: dict[str, object] = {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{provider}",
        "subject_token_type": TOKEN_TYPE_JWT,
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": _source(environment.get("GCP_ID_TOKEN_FILE", ""), options),
    }
    if account := environment.get("GCP_SERVICE_ACCOUNT", ""):
        if not _ACCOUNT.fullmatch(account):
            raise FormatRefused("GCP_SERVICE_ACCOUNT must be the address of a service account")
        document["service_account_impersonation_url"] = (
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
            f"{account}:generateAccessToken"
        )
    return Rendering(f"{json.dumps(document, indent=2)}\n")


def _source(token_file: str, options: FormatOptions) -> dict[str, object]:
    if token_file:
        # From a file of text the libraries would send the line feed at its end, too.
        field = {"type": "json", "subject_token_field_name": "access_token"}
        return {"file": token_file, "format": field}
    service = options.environment.get("BROKER_SERVICE", "")
    # Older libraries split the command at its spaces, and undo no quotes.
    if not _SERVICE.fullmatch(service):
        raise FormatRefused("BROKER_SERVICE must name the service that Google trusts")
    command = shlex.join(["broker", "credential-helper", "gcp", "--service", service])
    return {"executable": {"command": command, "timeout_millis": 30_000}}
