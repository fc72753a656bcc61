# OpenBao takes the same words: `bao` instead of `vault`. The first command is for once.
vault auth enable jwt
vault write auth/jwt/config \
    oidc_discovery_url=«issuer» \
    bound_issuer=«issuer» \
    jwt_supported_algs=«algorithm»
