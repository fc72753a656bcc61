"""`broker token SERVICE` from the cache, before anything is imported that takes long.

A script asks for its token again and again; then the command line itself would be what it waits
for.
"""

import os
import time
from collections.abc import Mapping

from broker.cli.pipeline.plain_request import in_format, seconds
from broker.client import token_files

_LAST = 2**36
"""An instant that no token lives to see, and that the calendar still has."""


def from_cache(wanted: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    """Give what a plain request prints when its token was kept and is fresh; else None."""
    if wanted["no_cache"]:
        return None
    identity = token_files.fingerprint_of_job(environment)
    folder = token_files.private_folder(environment) if identity else None
    if identity is None or folder is None:
        return None
    name = token_files.file_name(
        wanted["url"].rstrip("/"),
        wanted["service"],
        wanted["scope"],
        wanted["service_account"],
        seconds(wanted["ttl"]),
        identity,
    )
    record = token_files.read_record(f"{folder}{os.sep}{name}.json")
    return None if record is None else _fresh(record, wanted["format"])


def _fresh(record: Mapping[str, object], form: str) -> str | None:
    """Write the token of a record unless it is over, or is to be renewed."""
    left = token_files.remaining(record, token_files.boot_id(), time.monotonic())
    token = record.get("token")
    if left is None or not isinstance(token, dict):
        return None
    if left <= token_files.renew_within(token["expires_in"]):
        return None
    text, expires_at = token["access_token"], token.get("expires_at")
    # Of a token that could end a quote, a broker is not the origin; the command says so.
    if type(expires_at) is not int or not 0 < expires_at < _LAST or "'" in text or '"' in text:
        return None
    return in_format(form, text, expires_at)
