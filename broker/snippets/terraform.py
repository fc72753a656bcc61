"""What forms in Terraform share."""

import re
from typing import Final

_NO_LABEL: Final = re.compile("[^A-Za-z0-9_-]")


def label(name: str) -> str:
    """Make the label of a resource of a service's name: a letter first, no dots."""
    text = _NO_LABEL.sub("_", name)
    return text if text[:1].isalpha() else f"s_{text}"
