"""The claims of a job in a file, and the issuer whose token they are of."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from broker.cli.endings import fail

if TYPE_CHECKING:
    from broker.core.policy import Issuer
    from broker.policy_files import LoadedPolicies

MAX_CLAIMS_BYTES: Final = 1 << 20


def read_claims(file: Path) -> dict[str, Any]:
    """Read the claims. Ends the command, without repeating the text, when they are none."""
    from broker.core.json_text import JsonRefused, loads_object
    from broker.core.vocabulary import MAX_NUMERIC_DATE

    try:
        if str(file) == "-":
            text = sys.stdin.buffer.read(MAX_CLAIMS_BYTES + 1)
        else:
            with file.open("rb") as source:
                text = source.read(MAX_CLAIMS_BYTES + 1)
    except OSError as error:
        fail(f"--claims: {file} cannot be read: {error.strerror}")
    if len(text) > MAX_CLAIMS_BYTES:
        fail(f"--claims: more than {MAX_CLAIMS_BYTES} bytes")
    try:
        claims = loads_object(text)
    except JsonRefused as error:
        is_token = text.lstrip().startswith(b"eyJ")
        fail(f"--claims: {error}" + ("; give the payload of the token" if is_token else ""))
    expires = claims.get("exp")
    if isinstance(expires, int | float) and not 0 <= expires < MAX_NUMERIC_DATE:
        fail("--claims: 'exp' is no time in seconds since 1970")
    return claims


def issuer_of(
    sets: "Sequence[LoadedPolicies]", name: str | None, claims: Mapping[str, Any]
) -> "tuple[LoadedPolicies, Issuer | None]":
    """Find the issuer in the first set that has it: production comes before the dev platform."""
    url = claims.get("iss")
    if name is None and not isinstance(url, str):
        fail("--claims: no 'iss' in the claims; add it, or name the --issuer")
    for loaded in sets:
        policies = loaded.policy_set
        found = policies.issuers.get(name) if name else policies.issuer_by_url(str(url))
        if found is not None:
            return loaded, found
    if name is not None:
        known = sorted({each for loaded in sets for each in loaded.policy_set.issuers})
        fail(f"--issuer: there is no issuer '{name}'; known: {', '.join(known) or 'none'}")
    return sets[-1], None
