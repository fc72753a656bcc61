"""Which claims tell of a person: they are never repeated to a caller (attacks row 176).

Answers to a CI job end up in its log, which on many platforms everybody can read.
"""

import re
from typing import Final

from broker.core.conditions import pointer_segments

_NAMES: Final = frozenset({
    # who started or owns the job, on the platforms that say so
    "actor", "actor_id", "groups_direct", "initiator", "triggering_actor", "user",
    # OpenID Connect Core §5.1: what a login tells of its user
    "address", "birthdate", "family_name", "gender", "given_name", "locale", "middle_name", "name",
    "nickname", "phone_number", "phone_number_verified", "picture", "preferred_username", "profile",
    "website", "zoneinfo",
})  # fmt: skip
_USER_CLAIM: Final = re.compile(r"user_.*|.*e[-_]?mail.*", re.IGNORECASE | re.DOTALL)
# A `sub` may be made of other claims, a person's among them.
_PERSON_IN_SUB: Final = re.compile(
    r"(.*:)?(actor|actor_id|initiator|user|user_[a-z]+):.*|org/[^/]+/project/[^/]+/user/.*",
    re.DOTALL,
)


def is_personal(claim: str, value: object) -> bool:
    """Tell whether a claim, by its name or by what it holds, tells of a person.

    `claim` is a name or a pointer. The names of OpenID Connect count for whole claims only: inside
    nested ones, `name` is as a rule that of a thing.
    """
    segments = tuple(pointer_segments(claim)) or (claim,)
    if any(_USER_CLAIM.fullmatch(segment) for segment in segments) or claim in _NAMES:
        return True
    elements = value if isinstance(value, list) else [value]
    texts = [element for element in elements if isinstance(element, str)]
    if claim == "sub" and any(_PERSON_IN_SUB.fullmatch(text) for text in texts):
        return True
    return any(map(_is_e_mail, texts))


def _is_e_mail(text: str) -> bool:
    """Tell an address from a workflow's `file@ref` and from an immutable `sub`."""
    name, _, host = text.partition("@")
    return bool(name) and "." in host.strip(".") and not any(mark in text for mark in " /:")
