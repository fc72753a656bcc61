"""The ids of service accounts (contract §5): one form for files, API and tokens."""

import re
from typing import Final

PATTERN: Final = "[a-z0-9][a-z0-9-]{1,62}"

GENERATED: Final = "m-"
"""How ids begin that were generated; nobody chooses such a one."""

_FORM: Final = re.compile(PATTERN)


def is_account_id(text: str) -> bool:
    """Tell whether a text can be the id of an account at all."""
    return _FORM.fullmatch(text) is not None


def is_generated(account_id: str) -> bool:
    """Tell whether an id belongs to those that are generated."""
    return account_id.startswith(GENERATED)
