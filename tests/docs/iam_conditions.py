"""The conditions of an IAM trust policy, as AWS documents them, for the tokens of this broker."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

AWS_TAGS = "https://aws.amazon.com/tags"
Asked = Mapping[str, Sequence[str]]
"""The values that a request has under each condition key."""


def asked_with(claims: Mapping[str, Any], provider: str) -> Asked:
    """Give what AssumeRoleWithWebIdentity knows of a token; `provider` is the issuer's host."""
    tags = claims.get(AWS_TAGS, {}).get("principal_tags", {})
    return {
        f"{provider}:aud": [claims["aud"]],
        f"{provider}:sub": [claims["sub"]],
        **{f"aws:RequestTag/{key}": values for key, values in tags.items()},
        "aws:TagKeys": list(tags),
    }


def admits(trust_policy: Mapping[str, Any], asked: Asked) -> bool:
    """Tell whether a trust policy of one statement lets a token in: every operator, every key."""
    (statement,) = trust_policy["Statement"]
    return all(
        _OPERATORS[operator](asked.get(key, ()), [wanted] if isinstance(wanted, str) else wanted)
        for operator, keys in statement["Condition"].items()
        for key, wanted in keys.items()
    )


def _equals(values: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(values) == 1 and values[0] in wanted


def _like(values: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(values) == 1 and any(_pattern(each).fullmatch(values[0]) for each in wanted)


def _absent(values: Sequence[str], wanted: Sequence[str]) -> bool:
    return (not values) == (wanted == ["true"])


def _all_among(values: Sequence[str], wanted: Sequence[str]) -> bool:
    return set(values) <= set(wanted)


_OPERATORS: dict[str, Callable[[Sequence[str], Sequence[str]], bool]] = {
    "StringEquals": _equals,
    "StringLike": _like,
    "Null": _absent,
    "ForAllValues:StringEquals": _all_among,
}


def _pattern(text: str) -> re.Pattern[str]:
    signs = {"*": ".*", "?": "."}
    return re.compile("".join(signs.get(sign, re.escape(sign)) for sign in text), re.DOTALL)
