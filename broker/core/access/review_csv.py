"""An access review as rows for a spreadsheet: each says all that is known of one grant."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from broker.core.access.grant import AccessGrant
from broker.core.access.review import AccessReview
from broker.core.access.review_text import NOT_LOOKED_UP, conditions_text
from broker.core.csv_text import csv_line

COLUMNS: Final = (
    "service", "scope", "service_account", "way", "policy", "marks", "issuer", "tenant",
    "conditions", "required", "outside_events", "denied_by", "owner", "account_owner",
    "organization", "managed_by", "ticket", "expires", "account_expires", "description", "place",
    "registered_keys", "live_secrets", "secret_last_used_at", "last_used_at", "tokens",
    "events_since", "as_of", "policy_set", "commit", "files_changed",
)  # fmt: skip

_OF_SECRETS: Final = ("live_secrets", "secret_last_used_at")
_OF_STORE: Final = ("last_used_at", "tokens", "events_since")


def render(review: AccessReview) -> Iterator[str]:
    """Write the header and a line for each grant, each with its end."""
    yield csv_line(COLUMNS)
    about = review.about()
    for grant in review.grants:
        members = about | review.members(grant) | _conditions(grant)
        cells = _looked_up(members, review)
        yield csv_line(_cell(cells.get(name)) for name in COLUMNS)


def _conditions(grant: AccessGrant) -> dict[str, Any]:
    return {
        "tenant": conditions_text(grant.tenant),
        "conditions": conditions_text(grant.conditions),
        "required": conditions_text(grant.required),
    }


def _looked_up(members: dict[str, Any], review: AccessReview) -> dict[str, Any]:
    """Give the members with those of the store among them, or with words in their place."""
    credentials = members["credentials"] or {}
    cells = {**members, **credentials, **members["used"]}
    if review.look_up is None:
        unknown = _OF_STORE + (_OF_SECRETS if credentials else ())
        cells |= dict.fromkeys(unknown, NOT_LOOKED_UP)
    return cells


def _cell(value: object) -> object:
    """Write a list of words as one text."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(map(str, value)) or None
    return value
