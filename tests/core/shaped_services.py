"""Services with claims of their own, written as the policy files write them."""

from collections.abc import Mapping
from typing import Any

from broker.core.claim_templates import parse_template
from broker.core.policy import Service
from broker.core.token_shape import ClaimTemplate
from tests.core.builders import a_service


def a_template(value: Any) -> Any:
    """Read a text, a list of texts, or a list of flat objects."""
    if isinstance(value, str):
        return parse_template(value)
    return tuple(
        {name: a_template(member) for name, member in item.items()}
        if isinstance(item, dict)
        else parse_template(item)
        for item in value
    )


def some_claims(claims: Mapping[str, Any]) -> dict[str, ClaimTemplate]:
    return {name: a_template(value) for name, value in claims.items()}


def a_shaped_service(
    claims: Mapping[str, Any] | None = None,
    session_tags: Mapping[str, str] | None = None,
    **changes: Any,
) -> Service:
    return a_service(
        claims=some_claims(claims or {}),
        session_tags={key: parse_template(text) for key, text in (session_tags or {}).items()},
        **changes,
    )
