
# A job logs in at auth/jwt/login with this role and its token; what it may do, policies of Vault say.
vault write auth/jwt/role/«role» - <<'END_OF_ROLE'
«members»
END_OF_ROLE
