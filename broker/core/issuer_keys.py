"""Issuers' public keys: a JWKS document in, keys that may verify a signature out (RFC 7517)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms

from broker.core.json_text import JsonRefused, loads_object

MAX_DOCUMENT_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 50
MIN_RSA_BITS: Final = 2048
MIN_RSA_EXPONENT: Final = 65_537
MAX_KEY_ID_LENGTH: Final = 256

_DEFAULT_ALGORITHMS: Final = get_default_algorithms()
# RFC 9864 gives EdDSA over Ed25519 a name of its own, which PyJWT does not know yet.
_ALGORITHMS: Final = {**_DEFAULT_ALGORITHMS, "Ed25519": _DEFAULT_ALGORITHMS["EdDSA"]}
_CURVE_ALGORITHM: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
# The y of the points of small order on Ed25519's curve (RFC 8032 §5.1): 0, ±1 and ±y of order 8.
# Under one of them as a key, one signature verifies for every text.
_FIELD_25519: Final = 2**255 - 19
_ORDER_EIGHT: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset(y % _FIELD_25519 for y in (0, 1, -1, _ORDER_EIGHT, -_ORDER_EIGHT))
# Who publishes one of these has given the key away (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class KeysRefused(ValueError):
    """A JWKS document that is not used at all; the message says why."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key of one issuer, bound to exactly one signature algorithm."""

    key_id: str
    algorithm: str
    public_key: Any
    verifier: Algorithm

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Tell whether the signature over `signed` is this key's."""
        return self.verifier.verify(signed, self.public_key, signature)


@dataclass(frozen=True, slots=True)
class IssuerKeySet:
    """The usable keys of a JWKS document by `kid`, and why the others were left out."""

    keys: Mapping[str, VerificationKey]
    skipped: tuple[str, ...]


def bound_key(key_id: str, algorithm: str, public_key: object) -> VerificationKey:
    """Bind a public key to one signature algorithm, which must be one of its kind."""
    return VerificationKey(key_id, algorithm, public_key, _ALGORITHMS[algorithm])


def read_jwks(document: bytes, algorithms: Collection[str]) -> IssuerKeySet:
    """Read a JWKS document, keeping the keys that may sign with one of `algorithms`.

    Weak, ambiguous and foreign keys are skipped, each with a sentence for the operator (attacks
    row 13). Raises `KeysRefused` when the document is broken or no key is left (row 31).
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise KeysRefused(f"the key set is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        entries = loads_object(document).get("keys")
    except JsonRefused as error:
        raise KeysRefused(f"the key set is unreadable: {error}") from None
    if not isinstance(entries, list):
        raise KeysRefused("the key set has no list 'keys'")
    if len(entries) > MAX_KEYS:
        raise KeysRefused(f"the key set has {len(entries)} keys, more than {MAX_KEYS}")

    keys: dict[str, VerificationKey] = {}
    skipped: list[str] = []
    named = [entry.get("kid") for entry in entries if isinstance(entry, dict)]
    for entry in entries:
        fault = _fault(entry, named)
        if fault is None:
            key = _key(entry, algorithms)
            if isinstance(key, VerificationKey):
                keys[key.key_id] = key
                continue
            fault = key
        skipped.append(fault)
    if not keys:
        raise KeysRefused("; ".join(["the key set holds no usable key", *skipped[:5]]))
    return IssuerKeySet(keys, tuple(skipped))


def read_uploaded_jwks(document: bytes, algorithms: Collection[str]) -> IssuerKeySet:
    """Read a JWKS document that an operator hands over, as `read_jwks` does.

    Raises `KeysRefused` also when it holds a private part, which must not be kept anywhere.
    """
    keys = read_jwks(document, algorithms)
    for entry in loads_object(document)["keys"]:
        if isinstance(entry, dict) and not _PRIVATE_MEMBERS.isdisjoint(entry):
            raise KeysRefused(
                "the key set holds the private part of a key: send public keys alone, and replace"
                " that key, since it has left its place"
            )
    return keys


def _fault(entry: object, named: list[object]) -> str | None:
    """Say what is wrong with a JWK before its key material is looked at."""
    if not isinstance(entry, dict):
        return "an entry is not an object"
    key_id = entry.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_LENGTH:
        return "a key has no usable 'kid'"
    label = f"key {key_id[:64]!a}"
    if named.count(key_id) > 1:
        return f"{label} appears twice"
    if entry.get("use", "sig") != "sig":
        return f"{label} is not for signatures ('use')"
    operations = entry.get("key_ops")
    if operations is not None and (not isinstance(operations, list) or "verify" not in operations):
        return f"{label} is not for verifying ('key_ops')"
    if entry.get("kty") not in ("RSA", "EC", "OKP"):
        return f"{label} is of an unusable type ('kty')"
    if not _PRIVATE_MEMBERS.isdisjoint(entry):
        return f"{label} is published with its private part"
    return None


def _key(entry: Mapping[str, Any], algorithms: Collection[str]) -> VerificationKey | str:
    key_id = entry["kid"]
    label = f"key {key_id[:64]!a}"
    public = {name: value for name, value in entry.items() if name != "alg"}
    try:
        public_key = jwt.PyJWK(public, algorithm=_usual_algorithm(entry)).key
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, AttributeError):
        return f"{label} cannot be read"
    weakness = _weakness(public_key)
    if weakness is not None:
        return f"{label} is weak: {weakness}"
    possible = _possible_algorithms(public_key)
    stated = entry.get("alg")
    if stated is not None:
        possible = [algorithm for algorithm in possible if algorithm == stated]
    allowed = [algorithm for algorithm in possible if algorithm in algorithms]
    if not allowed:
        return f"{label} is for none of the issuer's algorithms"
    algorithm = allowed[0]
    return bound_key(key_id, algorithm, public_key)


def _weakness(public_key: object) -> str | None:
    """Say why signatures under a key prove nothing, None if they do."""
    if isinstance(public_key, rsa.RSAPublicKey):
        if public_key.key_size < MIN_RSA_BITS:
            return f"{public_key.key_size} bits"
        exponent = public_key.public_numbers().e
        if exponent < MIN_RSA_EXPONENT:
            return f"public exponent {exponent}"
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        # The highest bit is the sign of x (RFC 8032 §5.1.2).
        y = int.from_bytes(public_key.public_bytes_raw(), "little") & (2**255 - 1)
        if y % _FIELD_25519 in _SMALL_ORDER:
            return "a point of small order"
    return None


def _usual_algorithm(entry: Mapping[str, Any]) -> str:
    """Name any algorithm that reads this kind of key; the binding comes afterwards."""
    if entry["kty"] == "RSA":
        return "RS256"
    if entry["kty"] == "OKP":
        return "EdDSA"
    return {"P-384": "ES384", "P-521": "ES512"}.get(str(entry.get("crv")), "ES256")


def _possible_algorithms(public_key: object) -> list[str]:
    """List the algorithms that a key can serve, the one bound without `alg` first."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        algorithm = _CURVE_ALGORITHM.get(public_key.curve.name)
        return [algorithm] if algorithm else []
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return ["EdDSA", "Ed25519"]
    return []
