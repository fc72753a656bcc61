"""What each system behind a `profile:` wants of a token, from its documentation, not from our code.

A finished token in, every fault out. No signature is looked at: that is for real verifiers.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

AWS_TAGS = "https://aws.amazon.com/tags"
MAX_SUB_BYTES = 127
HOUR = 3600

# Of AWS: any letter, digit or space in any script, and these signs; ours are ASCII.
_TAG = re.compile(r"[A-Za-z0-9 _.:/=+@-]*")

ALGORITHMS = {
    "aws": {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"},
    "gcp": {"RS256", "ES256"},
    "entra": {"RS256"},
    "kubernetes": {
        "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
    },
}  # fmt: skip
MAX_AUDIENCE = {"aws": 255, "gcp": 256, "entra": 600, "kubernetes": 600}


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read header and claims of a compact JWS, without verifying it."""
    header, claims, _signature = token.split(".")
    return _read(header), _read(claims)


def _read(part: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return members


def faults(profile: str, token: str, *, on_loopback: bool = False) -> list[str]:
    """List what the systems of a profile would refuse. The issuer's URL is let be on loopback."""
    header, claims = parts_of(token)
    found = [*_of_form(profile, token, header), *_of_claims(profile, claims)]
    if not on_loopback:
        found += _of_issuer(profile, str(claims.get("iss")))
    return found + list(_OF_ONE[profile](claims))


def _of_form(profile: str, token: str, header: dict[str, Any]) -> Iterator[str]:
    if not 4 <= len(token) <= 4096:
        yield f"{len(token)} characters"
    if header.get("typ") != "JWT":
        yield f"typ {header.get('typ')}"
    if header.get("alg") not in ALGORITHMS[profile]:
        yield f"alg {header.get('alg')}"
    if not header.get("kid"):
        yield "no kid"
    if set(header) != {"typ", "alg", "kid"}:
        yield f"header members {sorted(header)}"


def _of_claims(profile: str, claims: dict[str, Any]) -> Iterator[str]:
    audience = claims.get("aud")
    if not isinstance(audience, str) or not 1 <= len(audience) <= MAX_AUDIENCE[profile]:
        yield f"aud {audience}"
    elif audience == claims.get("iss"):
        yield "the broker's own audience"
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject.encode()) <= MAX_SUB_BYTES:
        yield f"sub {subject}"
    times = [claims.get(name) for name in ("iat", "nbf", "exp")]
    if not all(type(time) is int for time in times):
        yield f"times {times}"
    elif not 0 < claims["exp"] - claims["iat"] <= HOUR or claims["nbf"] > claims["iat"]:
        yield f"a life from {claims['iat']} to {claims['exp']}"
    lower = [name.lower() for name in claims]
    if len(set(lower)) != len(lower):
        yield "claims that differ in case alone"


def _of_issuer(profile: str, issuer: str) -> Iterator[str]:
    parts = urlsplit(issuer)
    if parts.scheme != "https" or "@" in parts.netloc or "?" in issuer or "#" in issuer:
        yield f"iss {issuer}"
    if profile == "aws" and parts.port is not None:
        yield f"iss {issuer} has a port"


def _of_aws(claims: dict[str, Any]) -> Iterator[str]:
    if [name for name in claims if name.startswith("https://aws.amazon.com/") and name != AWS_TAGS]:
        yield "tags in another form"
    if AWS_TAGS not in claims:
        return
    tags = claims[AWS_TAGS]
    if not set(tags) <= {"principal_tags", "transitive_tag_keys"}:
        yield f"members of the tags: {sorted(tags)}"
    principal = tags["principal_tags"]
    if not 1 <= len(principal) <= 50 or len({key.lower() for key in principal}) != len(principal):
        yield f"{len(principal)} tags, or two of one name"
    for key, values in principal.items():
        if not 1 <= len(key) <= 128 or not _TAG.fullmatch(key) or key.lower().startswith("aws:"):
            yield f"tag {key}"
        if len(values) != 1 or not isinstance(values[0], str):
            yield f"values of {key}: {values}"
        elif len(values[0]) > 256 or not _TAG.fullmatch(values[0]):
            yield f"value of {key}: {values[0]}"
    if not set(tags.get("transitive_tag_keys", ())) <= set(principal):
        yield "a transitive key without a tag"


def _of_gcp(claims: dict[str, Any]) -> Iterator[str]:
    if not {"iss", "iat", "exp", "sub", "aud"} <= set(claims):
        yield "a claim is missing"
    yield from _no_tags(claims)


def _of_entra(claims: dict[str, Any]) -> Iterator[str]:
    if claims.get("aud") != "api://AzureADTokenExchange":
        yield f"aud {claims.get('aud')}"
    if len(str(claims.get("iss"))) > 600:
        yield "iss is too long"
    yield from _no_tags(claims)


def _of_kubernetes(claims: dict[str, Any]) -> Iterator[str]:
    groups = claims.get("groups", [])
    listed = [groups] if isinstance(groups, str) else groups
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        yield f"groups {groups}"
    elif any(each.startswith("system:") for each in listed):
        yield f"groups of Kubernetes' own: {groups}"
    yield from _no_tags(claims)


def _no_tags(claims: dict[str, Any]) -> Iterator[str]:
    if AWS_TAGS in claims:
        yield "tags of another system"


_OF_ONE = {"aws": _of_aws, "gcp": _of_gcp, "entra": _of_entra, "kubernetes": _of_kubernetes}
