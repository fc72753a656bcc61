"""What went wrong, written for people: each text names what helps."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from broker.client.errors import ClientError, Refused
from broker.core.printable import printable

_SHOWN: Final = 20
_LONGEST: Final = 300

_HINTS: Final = {
    "ambiguous_account": "Name the one you mean: --service-account.",
    "audience_mismatch": "Name the audience that the broker trusts: --audience.",
    "issuer_not_trusted": "Is it the broker that you mean (--url)? Whoever runs it names in its"
    " policy files which platforms it trusts.",
    "target_unknown": "Check the name of the service.",
    "scope_not_allowed": "Check --scope; without it you get all that is available.",
}

_NO_ENDPOINT: Final = (
    "Check the broker's address (--url, BROKER_URL): it is the broker's issuer, without the path of"
    " an endpoint."
)


def told(error: ClientError) -> str:
    """Say what went wrong, in one or several lines, every character of them printable."""
    if not isinstance(error, Refused):
        return str(error)
    return "\n".join([str(error), *_details(error)])


def _details(refused: Refused) -> Iterator[str]:
    if hint := _HINTS.get(refused.reason):
        yield hint
    elif refused.status == HTTPStatus.NOT_FOUND:
        yield _NO_ENDPOINT
    if refused.service_accounts:
        yield "service accounts that fit: " + ", ".join(refused.service_accounts[:_SHOWN])
    if refused.conditions:
        yield "what the nearest policy asks for, and this job has not:"
        yield from (f"  {condition_text(each)}" for each in refused.conditions[:_SHOWN])
    if refused.claims:
        yield "what this job's ID token says:"
        width = max(map(len, refused.claims))
        yield from (f"  {name:{width}}  {value}" for name, value in refused.claims.items())
    yield f"reason: {refused.reason or refused.error}"
    if refused.decision_id:
        yield f"decision_id: {refused.decision_id} (whoever runs the broker can look it up)"
    if refused.error_uri:
        yield f"link: {refused.error_uri}"
    if refused.request_id:
        yield f"request id: {refused.request_id}"


def condition_text(condition: Mapping[str, Any]) -> str:
    """Write a condition that does not hold, on one line."""
    got = condition.get("got")
    has = "nothing" if got is None else json.dumps(got, ensure_ascii=False)
    asked = json.dumps(condition.get("expected"), ensure_ascii=False)
    text = f"{condition.get('claim')}: {condition.get('operator')} {asked}, got {has}"
    return printable(text)[:_LONGEST]
