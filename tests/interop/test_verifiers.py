"""Verifiers that nobody here wrote take the broker's tokens and refuse the near misses.

docs/reference/interop.md says what this finds.
"""

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from broker.core.signing_keys import SigningKey
from tests.docs.markdown import Page
from tests.interop.verifiers import VERIFIERS, Presented, Service, versions
from tests.verify.publishing import AUDIENCE, Publisher, base64url, signing_key, token

PAGE: Final = Page("docs/reference/interop.md")
ISSUER: Final = "https://broker.example.com"
ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")


def at_now(key: SigningKey, **changes: Any) -> str:
    now = int(time.time())
    return token(key, **{"issuer": ISSUER, "iat": now, "nbf": now, "exp": now + 600, **changes})


def by_the_public_key(key: SigningKey) -> str:
    """Sign with HMAC under what everybody knows."""
    public = key.private_key.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, payload, _ = at_now(key, header={"alg": "HS256"}).split(".")
    mac = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
    return f"{head}.{payload}.{base64url(mac)}"


def near_misses(algorithm: str) -> dict[str, str]:
    """Give tokens that nearly count, by what is wrong with them."""
    key, other = signing_key(algorithm), signing_key(algorithm, "second")
    good = at_now(key)
    head, payload, signature = good.split(".")
    now = int(time.time())
    altered = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    altered["client_id"] = "root"
    return {
        "another service": at_now(key, aud="https://store.example.com"),
        "audience with a slash more": at_now(key, aud=AUDIENCE + "/"),
        "audience in capitals": at_now(key, aud=AUDIENCE.upper()),
        "no audience": at_now(key, without="aud"),
        "two audiences": at_now(key, aud=[AUDIENCE, "https://store.example.com"]),
        "another issuer": at_now(key, issuer="https://other.example.com"),
        "issuer with a slash more": at_now(key, issuer=ISSUER + "/"),
        "no issuer": at_now(key, without="iss"),
        "expired": at_now(key, iat=now - 900, nbf=now - 900, exp=now - 300),
        "no end": at_now(key, without="exp"),
        "not yet valid": at_now(key, iat=now + 300, nbf=now + 300),
        "`typ` `JWT`": at_now(key, header={"typ": "JWT"}),
        "`typ` of a logout token": at_now(key, header={"typ": "logout+jwt"}),
        "no `client_id`": at_now(key, without="client_id"),
        "key of another broker, same `kid`": at_now(other, header={"kid": key.key_id}),
        "unknown `kid`": at_now(other),
        "`alg` `none`": ".".join(
            [
                base64url(b'{"typ":"at+jwt","alg":"none"}'),
                payload,
                "",
            ]
        ),
        "HS256 by the public key": by_the_public_key(key),
        "changed claims": f"{head}.{base64url(json.dumps(altered).encode())}.{signature}",
        "cut signature": good[:-8],
        "no signature": f"{head}.{payload}.",
    }


def found(verifier: str) -> list[str]:
    """Give the row of the page."""
    verify = VERIFIERS[verifier]
    accepted, let_in = [], set[str]()
    misses: dict[str, str] = {}
    for algorithm in ALGORITHMS:
        key = signing_key(algorithm)
        service = Service(ISSUER, AUDIENCE, algorithm)
        jwks = json.loads(Publisher.jwks(*map(signing_key, ALGORITHMS)))
        if verify([Presented(at_now(key), service, jwks)]) != [True]:
            continue
        accepted.append(algorithm)
        misses = near_misses(algorithm)
        told = verify([Presented(text, service, jwks) for text in misses.values()])
        let_in |= {name for name, came_in in zip(misses, told, strict=True) if came_in}
    refused = f"{len(misses) - len(let_in)} of {len(misses)}"
    but = ", ".join(sorted(let_in)) or "—"
    return [verifier, versions()[verifier], ", ".join(accepted), refused, but]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_verifier_does_what_the_page_says(verifier: str) -> None:
    row = "| " + " | ".join(found(verifier)) + " |"

    assert row in PAGE.text.splitlines(), f"{PAGE.path} has to say: {row}"


def test_the_page_names_every_near_miss_and_no_other() -> None:
    listed = [line[2:] for line in PAGE.section("Near misses").splitlines() if line[:2] == "- "]

    assert listed == list(near_misses("ES256"))


def test_what_is_let_in_by_others_is_never_issued() -> None:
    """A list of audiences, which some read as any of them."""
    rows = [line.split(" | ") for line in PAGE.text.splitlines() if line.startswith("| ")]

    assert {row[-1].rstrip(" |") for row in rows[1:]} <= {"—", "two audiences"}
