"""What a grant says: scopes by name, or `x:*` for all scopes of a service with that beginning."""

import re
from collections.abc import Iterable
from typing import Final

from broker.core.policy import Service

WILDCARD: Final = re.compile(r"([^*]+:)\*")


def scopes_meant(granted: Iterable[str], service: Service) -> frozenset[str]:
    """Give the scopes of the catalogue that are meant; what is not in it grants nothing."""
    meant: set[str] = set()
    for scope in granted:
        wildcard = WILDCARD.fullmatch(scope)
        if wildcard is not None:
            meant.update(each for each in service.scopes if each.startswith(wildcard[1]))
        elif scope in service.scopes:
            meant.add(scope)
    return frozenset(meant)
