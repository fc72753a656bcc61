"""The names that a claim of a service's own may have: never one that already means something.

A claim that the broker sets, that is registered, or that verifiers read by themselves would say
something that nobody decided (attacks row 131).
"""

import re
from typing import Final

MAX_NAME: Final = 128

AWS_TAGS: Final = "https://aws.amazon.com/tags"

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_URL: Final = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)*(/[A-Za-z0-9._~-]+)*/?")

RESERVED_CLAIMS: Final = frozenset({
    # what the broker sets (contract §5)
    "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "token_type", "org_id",
    "metadata", "act", "policy", "workload",
    # of RFC 7662, 8693, 8705, 9068, 9396, 9449 and of their neighbours
    "active", "username", "may_act", "cnf", "scp", "scopes", "authorization_details",
    "sub_id", "txn", "events", "toe", "nonce", "auth_time", "acr", "amr", "azp", "sid", "at_hash",
    "c_hash", "s_hash", "sub_jwk", "htm", "htu", "ath", "vot", "vtm", "vc", "vp",
    # members of a header, which some libraries take from either
    "typ", "alg", "kid", "cty", "crit", "jwk", "jku", "x5u", "x5c", "x5t", "enc", "zip", "b64",
    # who a person is (OpenID Connect Core §5.1): no job is one
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile",
    "picture", "website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "locale",
    "phone_number", "phone_number_verified", "address", "updated_at", "upn", "unique_name", "uid",
    "oid", "tid", "idp",
    # what would make an administrator of whoever has it
    "admin", "is_admin", "root", "superuser",
})  # fmt: skip
"""In lower case; a name that differs in case, or in `_`, `-` and `.`, is no other."""

# The clouds' own: they act on these without any configuration.
_OF_OTHERS: Final = ("aws.amazon.com", "kubernetes.io", "kubernetes", "login.microsoftonline.com")

_SIGNS: Final = str.maketrans("", "", "_-.")
_PLAINLY: Final = frozenset(name.translate(_SIGNS) for name in RESERVED_CLAIMS)


def claim_name_fault(name: str) -> str | None:
    """Say why a service cannot have a claim of this name, None if it can."""
    if len(name) > MAX_NAME or not (_PLAIN.fullmatch(name) or _URL.fullmatch(name)):
        return (
            "a claim's name is a letter and letters, digits, `_`, `-` and `.`, or an https URL with"
            f" its host in lower case; up to {MAX_NAME} of them"
        )
    lower = name.lower()
    if lower.startswith(AWS_TAGS):
        return "tags of an AWS session are written as `session_tags`, with `profile: aws`"
    host = lower.removeprefix("https://").partition("/")[0]
    if any(host == each or host.endswith(f".{each}") for each in _OF_OTHERS):
        return f"`{name}` belongs to others, who act on it; take a name of your own"
    if lower.translate(_SIGNS) in _PLAINLY:
        return f"`{name}` already means something in tokens; take a name of your own"
    return None


def are_the_same_name(one: str, other: str) -> bool:
    """Tell whether two claims differ in the case of letters at most, as some readers ignore it."""
    return one.lower() == other.lower()
