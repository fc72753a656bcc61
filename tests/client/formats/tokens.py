"""Service tokens for tests of formats, plain ones and hostile ones."""

from dataclasses import replace

from hypothesis import strategies as st

from broker.client.service_token import ServiceToken

ENDS = 1_795_300_600
END_TIME = "2026-11-21T22:36:40Z"

TOKEN = ServiceToken(
    access_token="eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkZXBsb3ktd2ViIn0.c2lnbmF0dXJl",
    token_type="Bearer",
    expires_in=600,
    expires_at=ENDS,
    scope="deploy:read deploy:write",
    service_account="deploy-web",
    token_id="0b5f6a9e-1c1f-4a7e-9d0e-6c5a3f2b1d00",
    issued_token_type="urn:ietf:params:oauth:token-type:access_token",
)

VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)
"""What a token may hold at all: every sign that a shell gives a meaning to, but the space."""

QUOTES = st.text(st.sampled_from("'\"\\$`!#%&;|<>()*?[]{}~=^-n"), min_size=1, max_size=30)

HOSTILE = st.one_of(VISIBLE, QUOTES)

INVISIBLE = st.characters(exclude_categories=[]).filter(lambda sign: not "!" <= sign <= "~")
"""One sign that no token has: white space, a control character, anything beyond ASCII."""


def holding(text: str) -> ServiceToken:
    """Give a token whose text is this."""
    return replace(TOKEN, access_token=text)
