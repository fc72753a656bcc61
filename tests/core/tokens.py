"""Real tokens by real keys: made part by part, and taken through the broker's own verification."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

from broker.core import access_token, subject_token
from broker.core.claims import VerifiedClaims
from broker.core.errors import Reason, SubjectTokenRefused
from broker.core.issuer_keys import IssuerKeySet, read_jwks
from broker.core.policy import Issuer
from broker.core.signing_keys import SigningKey
from tests.core.builders import LEEWAY, NOW, a_policy_set, an_issuer, github_claims

KEY_ID = "38826b17-key-1"
GITHUB_ISSUER = an_issuer("github")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_ALGORITHMS = get_default_algorithms()


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def public_jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    """The public JWK of a private key, as an issuer publishes it; `...` drops a member."""
    jwk: dict[str, Any]
    public: dict[str, Any] = {"kid": KEY_ID, "use": "sig"}
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    whole = public | jwk | members
    return {name: value for name, value in whole.items() if value is not ...}


def jwks(*entries: object) -> bytes:
    return json.dumps({"keys": entries}).encode()


@dataclass(frozen=True)
class TokenMaker:
    """A CI platform's signing key, and tokens by it."""

    key: PrivateKey
    algorithm: str = "RS256"

    def __call__(self, **changes: Any) -> str:
        """A token of a push to acme/web, with some claims changed (`...` drops one)."""
        return self.of(github_claims(**changes))

    def of(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """A token of these claims; members of `header` are added to the usual ones."""
        return self.raw(self.header(header), json.dumps(claims).encode())

    def header(self, changes: Mapping[str, Any] | None = None) -> bytes:
        members = {"alg": self.algorithm, "kid": KEY_ID, "typ": "JWT"} | dict(changes or {})
        return json.dumps({k: v for k, v in members.items() if v is not ...}).encode()

    def raw(self, header: bytes, payload: bytes) -> str:
        """A token of exactly these bytes, well signed."""
        signed = f"{base64url(header)}.{base64url(payload)}"
        return f"{signed}.{base64url(self.sign(signed.encode()))}"

    def sign(self, message: bytes) -> bytes:
        return _ALGORITHMS[self.algorithm].sign(message, self.key)

    def key_set(self, **members: Any) -> IssuerKeySet:
        """The keys that this platform publishes, as the broker reads them."""
        return read_jwks(jwks(public_jwk(self.key, **members)), [self.algorithm])


@dataclass(frozen=True)
class Door:
    """The way of a subject token through the broker: parse, trust, signature, verify."""

    keys: IssuerKeySet
    issuer: Issuer = GITHUB_ISSUER
    now: float = NOW
    leeway: int = LEEWAY

    def open_with(self, token: str) -> VerifiedClaims:
        """Verify a token. Raises `SubjectTokenRefused`."""
        parsed = subject_token.parse(token)
        issuer = subject_token.trust(parsed, a_policy_set(issuers=[self.issuer]))
        key = self.keys.keys.get(parsed.key_id)
        if key is None:
            raise SubjectTokenRefused(Reason.KEY_NOT_FOUND, "no such key")
        signed = subject_token.verify_signature(parsed, key)
        return subject_token.verify(signed, issuer, self.now, self.leeway)

    def answer_to(self, token: str) -> Reason | None:
        """Give the reason for which a token is refused, None when it is accepted."""
        try:
            self.open_with(token)
        except SubjectTokenRefused as refused:
            return refused.reason
        return None


def service_token(claims: dict[str, Any], key: SigningKey, typ: str) -> str:
    """Sign the claims of a service token, as the grants do."""
    text = access_token.unsigned(claims, key, typ)
    return access_token.signed(text, key.sign(text))
