"""Whatever PyJWT or joserfc refuses, the broker refuses."""

import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import BROKER, an_issuer
from tests.core.oracles import accepted_by_all, present_claims
from tests.core.tokens import KEY_ID, Door, TokenMaker

HEADER_MEMBERS = [
    "alg", "kid", "typ", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip",
    "cty", "enc", "new",
]  # fmt: skip
REGISTERED = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]
# No offset is near a boundary, for the oracles read the clock later than the broker is told it.
OFFSETS = [-100_000, -700, -120, -30, 0, 30, 120, 100_000]

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["JWT", "RS256", "none", KEY_ID, BROKER, an_issuer().url, "\ud800", ""]),
    st.lists(st.sampled_from([BROKER, "x", 1, None]), max_size=2),
    st.just({}),
)


@settings(max_examples=400, deadline=None)
@given(
    header=st.dictionaries(st.sampled_from(HEADER_MEMBERS), VALUES, max_size=2),
    claims=st.dictionaries(st.sampled_from([*REGISTERED, "SUB", "ref"]), VALUES, max_size=2),
    offsets=st.dictionaries(
        st.sampled_from(["exp", "nbf", "iat"]), st.sampled_from(OFFSETS), max_size=2
    ),
    dropped=st.sets(st.sampled_from(REGISTERED), max_size=1),
)
def test_no_well_signed_token_is_accepted_that_an_oracle_refuses(
    header: dict[str, Any],
    claims: dict[str, Any],
    offsets: dict[str, int],
    dropped: set[str],
    door: Door,
    signed_token: TokenMaker,
) -> None:
    now = int(time.time())
    moved = {name: now + offset for name, offset in offsets.items()}
    whole = present_claims() | moved | claims
    token = signed_token.of({k: v for k, v in whole.items() if k not in dropped}, header)

    accepted_by_all(token, door, signed_token, listed=whole["aud"] == [BROKER])


def test_a_good_token_is_accepted_by_all_three(door: Door, signed_token: TokenMaker) -> None:
    assert accepted_by_all(signed_token.of(present_claims()), door, signed_token)
