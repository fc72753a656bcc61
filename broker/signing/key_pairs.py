"""Making key pairs."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from broker.core.signing_keys import PrivateKey

RSA_BITS: Final = 2048


def generate(algorithm: str) -> PrivateKey:
    """Make a new private key. Raises `ValueError` for an algorithm that the broker has not."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"no keys are made for {algorithm}")
