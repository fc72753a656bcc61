"""What an audit event keeps of a token (contract §6, attacks rows 58, 136)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.audit import rfc3339
from broker.core.canonical_json import canonical
from broker.core.platforms import GITHUB
from broker.core.recorded_claims import (
    MAX_CLAIM_BYTES,
    MAX_CLAIMS_BYTES,
    recorded_claims,
    subject_token_id,
)
from tests.core.builders import an_issuer, github_claims, gitlab_claims, other_claims

NOTHING: frozenset[str] = frozenset()


def size(claims: object) -> int:
    return len(json.dumps(claims, separators=(",", ":")))


def test_the_preset_s_allow_list_is_recorded() -> None:
    claims = github_claims(actor="octocat", enterprise="acme", repo_property_tier="gold", x=1)

    recorded = recorded_claims(claims, an_issuer("github"), NOTHING)

    assert recorded.keys() == claims.keys() & GITHUB.audit_claims
    assert recorded.keys().isdisjoint({"repo_property_tier", "x"})
    assert recorded["repository_id"] == "456789"


def test_personal_data_of_a_gitlab_job_is_not_recorded() -> None:
    claims = gitlab_claims(user_email="a@b.example", user_login="someone", groups_direct=["x"])

    recorded = recorded_claims(claims, an_issuer("gitlab"), NOTHING)

    assert recorded.keys().isdisjoint({"user_email", "user_login", "groups_direct"})
    assert recorded["project_id"] == "4242"


def test_without_a_preset_only_registered_claims_are_recorded() -> None:
    recorded = recorded_claims(other_claims(), an_issuer("ci"), NOTHING)

    assert recorded.keys() == {"iss", "sub", "aud", "exp", "iat", "jti"}


def test_what_a_policy_names_is_recorded_too() -> None:
    claims = other_claims(branch="main", deep={"namespace": "prod"})
    named = frozenset({"branch", "deep", "absent"})

    recorded = recorded_claims(claims, an_issuer("ci"), named)

    assert recorded["branch"] == "main"
    assert recorded["deep"] == {"namespace": "prod"}
    assert "absent" not in recorded


@pytest.mark.parametrize("character", ["x", "é", "😀", "\x1b", '"'])
def test_a_claim_over_one_kilobyte_is_left_out_whole(character: str) -> None:
    escaped = size(character) - 2
    fitting = (MAX_CLAIM_BYTES - size({"ref": ""})) // escaped

    kept = recorded_claims({"ref": character * fitting}, an_issuer("github"), NOTHING)
    left = recorded_claims({"ref": character * (fitting + 1)}, an_issuer("github"), NOTHING)

    assert kept == {"ref": character * fitting}
    assert left == {}
    assert (kept.left_out, left.left_out) == ((), ("ref",))


def test_claims_over_eight_kilobytes_in_all_are_left_out() -> None:
    names = [f"c{place:02}" for place in range(12)]
    claims: dict[str, Any] = dict.fromkeys(names, "x" * 1000) | {"z": 1}

    recorded = recorded_claims(claims, an_issuer("ci"), frozenset(claims))

    assert recorded.keys() == {*names[:8], "z"}
    assert recorded.left_out == tuple(names[8:])
    assert size(dict(recorded)) <= MAX_CLAIMS_BYTES


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(claims=st.dictionaries(st.text(max_size=9), VALUES, max_size=20))
def test_whatever_the_claims_the_record_is_bounded(claims: dict[str, Any]) -> None:
    recorded = recorded_claims(claims, an_issuer("ci"), frozenset(claims))

    assert size(dict(recorded)) <= MAX_CLAIMS_BYTES
    assert all(size({name: value}) <= MAX_CLAIM_BYTES for name, value in recorded.items())
    assert recorded == {name: claims[name] for name in recorded}
    assert {*recorded, *recorded.left_out} == claims.keys()


@given(st.dictionaries(st.sampled_from(["sub", "ref", "100%", "%s", "other"]), VALUES))
def test_the_record_is_the_canonical_json_of_what_is_kept(claims: dict[str, Any]) -> None:
    named = frozenset({"100%", "%s", "absent"})

    recorded = recorded_claims(claims, an_issuer("github"), named)

    assert recorded.text == canonical(
        {name: value for name, value in claims.items() if name != "other"}
    )


def test_a_token_is_known_by_a_digest_of_issuer_and_id() -> None:
    one = subject_token_id({"iss": "a", "jti": "1"})

    assert one is not None
    assert len(one) == 64
    assert one == subject_token_id({"iss": "a", "jti": "1", "sub": "x"})
    others = [{"iss": "b", "jti": "1"}, {"iss": "a", "jti": "2"}, {"iss": 'a","1', "jti": ""}]
    assert one not in [subject_token_id(other) for other in others]


@pytest.mark.parametrize("claims", [{"iss": "a"}, {"iss": "a", "jti": ""}, {"iss": "a", "jti": []}])
def test_a_token_without_an_id_has_no_digest(claims: dict[str, Any]) -> None:
    assert subject_token_id(claims) is None


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_750_000_000.125, "2025-06-15T15:06:40.125Z"),
        (1_750_000_000.9996, "2025-06-15T15:06:40.999Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_milliseconds(instant: float, text: str) -> None:
    assert rfc3339(instant) == text


@given(st.floats(min_value=-1e9, max_value=1e11) | st.integers(0, 10**10))
def test_an_instant_is_written_as_the_standard_library_does(instant: float) -> None:
    moment = datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")

    assert rfc3339(instant) == moment.replace("+00:00", "Z")


@given(st.text(max_size=50) | st.sampled_from(['"', "\\", "\x7f", "é", "a\nb"]))
def test_the_size_of_a_claim_is_that_of_its_json(text: str) -> None:
    room = size({"c": text})
    fits = recorded_claims(
        {"c": text + "x" * (MAX_CLAIM_BYTES - room)}, an_issuer("github"), frozenset({"c"})
    )
    over = recorded_claims(
        {"c": text + "x" * (MAX_CLAIM_BYTES - room + 1)}, an_issuer("github"), frozenset({"c"})
    )

    assert list(fits) == ["c"]
    assert over == {}
