"""The keys that an account of the files authenticates with (`jwks`, `jwks_uri`), checked here.

What reads keys is imported when there are some, as for issuers.
"""

import json
from typing import Final

from broker.core.errors import Problem
from broker.policy_files import urls
from broker.policy_files.document_entries import Entry
from broker.policy_files.models import ServiceAccountModel

MAX_JWKS_BYTES: Final = 16 * 1024

_NEED_SECRETS: Final = "registered keys need `secrets: allowed`"


def check_keys(
    entry: Entry[ServiceAccountModel], problems: list[Problem], *, http_on_loopback: bool
) -> None:
    """Check the keys of an account; what is wrong with them goes to `problems`."""
    model = entry.model
    stated = [name for name in ("jwks", "jwks_uri") if getattr(model, name) is not None]
    if len(stated) > 1:
        text = "either `jwks` or `jwks_uri`, not both"
        problems.append(entry.problem(("jwks_uri",), text, at_key=True))
    if stated and model.secrets != "allowed":
        problems.append(entry.problem((stated[0],), _NEED_SECRETS, at_key=True))
    if model.jwks is not None:
        fault = _jwks_fault(model.jwks)
        if fault is not None:
            problems.append(entry.problem(("jwks",), f"`jwks`: {fault}"))
    if model.jwks_uri is not None:
        fault = urls.fetch_fault(model.jwks_uri, http_on_loopback=http_on_loopback)
        if fault is not None:
            problems.append(entry.problem(("jwks_uri",), f"`jwks_uri` {fault}"))


def _jwks_fault(jwks: dict[str, object]) -> str | None:
    from broker.core.issuer_keys import KeysRefused, read_jwks  # noqa: PLC0415
    from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS  # noqa: PLC0415

    document = json.dumps(jwks).encode()
    if len(document) > MAX_JWKS_BYTES:
        return f"larger than {MAX_JWKS_BYTES} bytes"
    try:
        skipped = read_jwks(document, ASYMMETRIC_ALGORITHMS).skipped
    except KeysRefused as refused:
        return str(refused)
    return skipped[0] if skipped else None
