"""What the broker says of itself: metadata (RFC 8414, OIDC Discovery) and JWKS (RFC 7517)."""

import hashlib
import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS
from broker.http.token_endpoint import GRANT_TYPES
from broker.ports import Clock, PolicySource, SigningKeySource

_CLAIMS: Final = [
    "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "act", "policy",
    "workload",
]  # fmt: skip

# The first is for whoever shows a token that is proof enough; introspection has no such thing.
_AUTH_METHODS: Final = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
_AUTH_ALGORITHMS: Final = sorted(ASYMMETRIC_ALGORITHMS)

Document = tuple[bytes, str]
"""The text of a document and its ETag."""


class Discovery:
    """The endpoints that verifiers and clients configure themselves from."""

    def __init__(
        self, issuer: str, policies: PolicySource, signing_keys: SigningKeySource, clock: Clock
    ) -> None:
        """`issuer` is the broker's public URL."""
        self._issuer = issuer
        self._policies = policies
        self._signing_keys = signing_keys
        self._clock = clock
        # Composed once per policy set: anybody may ask, and a catalogue can be large.
        self._composed: tuple[tuple[str, list[str]], Document] | None = None

    async def metadata(self, request: Request) -> Response:
        """Serve the metadata document, the same one at both well-known places."""
        return cacheable(request, self.metadata_text())

    async def jwks(self, request: Request) -> Response:
        """Serve the public keys."""
        return cacheable(request, self.jwks_text())

    def metadata_text(self) -> Document:
        """Give the metadata document, written out."""
        version = self._policies.current().policy_set.version
        algorithms = self._signing_keys.current().algorithms(self._clock.now())
        if self._composed is None or self._composed[0] != (version, algorithms):
            document = serialized(self.metadata_document(algorithms))
            self._composed = (version, algorithms), document
        return self._composed[1]

    def jwks_text(self) -> Document:
        """Give the public keys, written out."""
        return serialized(self._signing_keys.current().jwks(self._clock.now()))

    def metadata_document(self, algorithms: list[str]) -> dict[str, Any]:
        """Compose the metadata: only what works is advertised, nothing empty."""
        policy_set = self._policies.current().policy_set
        # Anybody reads this: what an organization has for itself is not told (RFC 8414 §2).
        everyones = [each for each in policy_set.services.values() if not each.organizations]
        scopes = {scope for service in everyones for scope in service.scopes}
        audiences = {each for issuer in policy_set.issuers.values() for each in issuer.audiences}
        document: dict[str, Any] = {
            "issuer": self._issuer,
            "token_endpoint": f"{self._issuer}/oauth/token",
            "jwks_uri": f"{self._issuer}/.well-known/jwks.json",
            # Required and never empty, though no browser flow exists (OIDC Discovery §3).
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
            "grant_types_supported": list(GRANT_TYPES),
            "revocation_endpoint": f"{self._issuer}/oauth/revoke",
            "introspection_endpoint": f"{self._issuer}/oauth/introspect",
            "claims_supported": _CLAIMS,
            "scopes_supported": sorted(scopes),
            "subject_token_audiences": sorted(audiences),
        }
        for endpoint in ("token", "revocation", "introspection"):
            methods = _AUTH_METHODS if endpoint != "introspection" else _AUTH_METHODS[1:]
            document[f"{endpoint}_endpoint_auth_methods_supported"] = methods
            # RFC 8414 §2: required beside private_key_jwt.
            document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = _AUTH_ALGORITHMS
        return {name: value for name, value in document.items() if value != []}


def serialized(document: dict[str, Any]) -> Document:
    """Write a document out."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def cacheable(request: Request, document: Document) -> Response:
    """Answer with a document, or that the caller has it already (RFC 9110 §13.1.2)."""
    body, etag = document
    headers = {"etag": etag, "cache-control": "public, max-age=300"}
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if etag in known or f"W/{etag}" in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
