"""The short link that a refusal carries: where the broker says how its decision is looked up.

It is `ISSUER/d/DECISION_ID`, and nothing but the id is in it. Whoever follows it learns nothing of
the decision; the id is read again by whoever may look it up.
"""

import re
from typing import Final

PATH: Final = "/d/"

# As the broker draws them: UUIDs (RFC 9562 §4), in lower case.
_ID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DECISION_ID: Final = re.compile(_ID)
_HOST: Final = r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
# Below an issuer as the broker takes one: without a user name, a query or a fragment.
_LINK: Final = re.compile(rf"https?://{_HOST}(?:/[A-Za-z0-9._~-]+)*{PATH}(?P<id>{_ID})")
_LONGEST: Final = 400


def decision_link(issuer: str, decision_id: str) -> str:
    """Give the link to a decision; `issuer` is the broker's public URL."""
    return f"{issuer}{PATH}{decision_id}"


def is_decision_id(text: str) -> bool:
    """Tell whether a text has the form of a decision's id; whether there is one is not asked."""
    return _DECISION_ID.fullmatch(text) is not None


def linked_decision(text: str) -> str | None:
    """Give the id in a link to a decision; None when the text is no such link, to the letter."""
    found = _LINK.fullmatch(text) if len(text) <= _LONGEST else None
    return None if found is None else found["id"]
