"""The words of the RFCs that the broker speaks, spelled once."""

from typing import Final

# Grant types (RFC 8693 §2.1, RFC 7523 §2.1, RFC 6749 §4.4).
GRANT_TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_CLIENT_CREDENTIALS: Final = "client_credentials"
GRANT_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"

# Token types (RFC 8693 §3).
TOKEN_TYPE_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
TOKEN_TYPE_ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"
TOKEN_TYPE_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"

# How a client assertion says that it is a JWT (RFC 7523 §2.2).
ASSERTION_TYPE_JWT: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

# Error codes (RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 7009 §2.2.1).
INVALID_REQUEST: Final = "invalid_request"
INVALID_CLIENT: Final = "invalid_client"
INVALID_GRANT: Final = "invalid_grant"
INVALID_SCOPE: Final = "invalid_scope"
INVALID_TARGET: Final = "invalid_target"
UNAUTHORIZED_CLIENT: Final = "unauthorized_client"
UNSUPPORTED_GRANT_TYPE: Final = "unsupported_grant_type"
UNSUPPORTED_TOKEN_TYPE: Final = "unsupported_token_type"
TEMPORARILY_UNAVAILABLE: Final = "temporarily_unavailable"

# Signature algorithms (RFC 7518 §3.1, RFC 8037, RFC 9864): asymmetric ones only.
ASYMMETRIC_ALGORITHMS: Final = frozenset({
    "RS256", "RS384", "RS512",
    "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519",
})  # fmt: skip

# Claims registered by RFC 7519 §4.1.
REGISTERED_CLAIMS: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})

# The largest instant that a time claim may name: what a double still counts exactly.
MAX_NUMERIC_DATE: Final = 2**53

# The longest leeway that may be configured, in seconds.
MAX_LEEWAY: Final = 300
