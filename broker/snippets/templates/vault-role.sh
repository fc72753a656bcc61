
# A job logs in with {"role": «role», "jwt": TOKEN}; what it may do says the policy of Vault.
vault write auth/jwt/role/«role» - <<'END_OF_ROLE'
«members»
END_OF_ROLE
