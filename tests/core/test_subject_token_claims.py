"""What the claims of an authentic token must be (attacks rows 38-42, 49-51, 56, 58, 111)."""

import json
from dataclasses import replace
from typing import Any

import pytest

from broker.core.errors import Reason, SubjectTokenRefused
from broker.core.policy import Replay
from broker.core.subject_token import MAX_JTI_LENGTH, MAX_SUB_LENGTH, replay_expiry
from broker.core.vocabulary import MAX_LEEWAY
from tests.core.builders import (
    BROKER,
    NOW,
    an_issuer,
    github_claims,
    gitlab_claims,
    other_claims,
)
from tests.core.tokens import Door, TokenMaker


@pytest.fixture
def gitlab_door(door: Door) -> Door:
    return replace(door, issuer=an_issuer("gitlab"))


NOT_INSTANTS = [
    str(NOW), f" {NOW} ", "9_999_999_999", "\u0661\u0667\u0669", float(NOW), 1e15, True, False,
    0, -1, 2**53, 10**300, None, [NOW], {"a": NOW}, "x.5", "",
]  # fmt: skip


@pytest.mark.parametrize("value", NOT_INSTANTS)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_an_instant_is_a_positive_integer_below_two_to_the_53(
    name: str, value: Any, door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(**{name: value})) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("literal", ["1e3", "1795300000.0", "NaN", "Infinity", "1e400", "-0.0"])
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_an_instant_in_any_other_notation_is_malformed(
    name: str, literal: str, door: Door, signed_token: TokenMaker
) -> None:
    payload = json.dumps(github_claims(**{name: "?"})).replace('"?"', literal)

    token = signed_token.raw(signed_token.header(), payload.encode())

    assert door.answer_to(token) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_expiry_and_issue_are_required(name: str, door: Door, signed_token: TokenMaker) -> None:
    assert door.answer_to(signed_token(**{name: ...})) is Reason.MALFORMED_TOKEN


def test_a_beginning_may_be_left_out(door: Door, signed_token: TokenMaker) -> None:
    assert door.answer_to(signed_token(nbf=...)) is None


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        pytest.param({"exp": NOW - 59}, None, id="expired 59 s ago"),
        pytest.param({"exp": NOW - 60}, Reason.TOKEN_EXPIRED, id="expired 60 s ago"),
        pytest.param({"exp": NOW - 61}, Reason.TOKEN_EXPIRED, id="expired 61 s ago"),
        pytest.param({"nbf": NOW + 60}, None, id="begins in 60 s"),
        pytest.param({"nbf": NOW + 61}, Reason.TOKEN_NOT_YET_VALID, id="begins in 61 s"),
        pytest.param({"iat": NOW + 60}, None, id="issued in 60 s"),
        pytest.param({"iat": NOW + 61}, Reason.TOKEN_NOT_YET_VALID, id="issued in 61 s"),
        pytest.param({"nbf": NOW - 900}, None, id="began long ago"),
        pytest.param({"iat": NOW - 310, "exp": NOW + 290}, None, id="as long as allowed"),
        pytest.param(
            {"iat": NOW - 311, "exp": NOW + 290}, Reason.TOKEN_LIFETIME_TOO_LONG, id="1 s longer"
        ),
        pytest.param({"exp": NOW + 315_360_000}, Reason.TOKEN_LIFETIME_TOO_LONG, id="ten years"),
        pytest.param({"iat": 1}, Reason.TOKEN_LIFETIME_TOO_LONG, id="issued in 1970"),
        pytest.param({"exp": 2**53 - 1}, Reason.TOKEN_LIFETIME_TOO_LONG, id="the last instant"),
    ],
)
def test_one_leeway_counts_for_every_instant(
    times: dict[str, int], reason: Reason | None, door: Door, signed_token: TokenMaker
) -> None:
    claims = {"iat": NOW - 200, "nbf": NOW - 200, **times}
    claims.setdefault("exp", NOW + 290)

    assert door.answer_to(signed_token(**claims)) is reason


def test_without_leeway_every_instant_is_sharp(door: Door, signed_token: TokenMaker) -> None:
    sharp = replace(door, leeway=0)

    assert sharp.answer_to(signed_token(exp=NOW + 1)) is None
    assert sharp.answer_to(signed_token(exp=NOW)) is Reason.TOKEN_EXPIRED
    assert sharp.answer_to(signed_token(nbf=NOW)) is None
    assert sharp.answer_to(signed_token(nbf=NOW + 1)) is Reason.TOKEN_NOT_YET_VALID


def test_fractions_of_a_second_count(door: Door, signed_token: TokenMaker) -> None:
    token = signed_token(exp=NOW - 59)

    assert replace(door, now=NOW + 0.99).answer_to(token) is None
    assert replace(door, now=NOW + 1.0).answer_to(token) is Reason.TOKEN_EXPIRED


def test_a_gitlab_job_may_run_for_a_day(gitlab_door: Door, signed_token: TokenMaker) -> None:
    day = signed_token.of(gitlab_claims(iat=NOW, exp=NOW + 86_400))
    more = signed_token.of(gitlab_claims(iat=NOW, exp=NOW + 86_401))

    assert gitlab_door.answer_to(day) is None
    assert gitlab_door.answer_to(more) is Reason.TOKEN_LIFETIME_TOO_LONG


def test_a_spent_token_is_remembered_longer_than_it_is_accepted_anywhere() -> None:
    assert replay_expiry(github_claims(exp=NOW)) > NOW + MAX_LEEWAY


@pytest.mark.parametrize(
    "audience",
    [
        pytest.param(..., id="missing"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param([], id="an empty list"),
        pytest.param("https://github.com/acme", id="the platform's default"),
        pytest.param("sts.amazonaws.com", id="another system's"),
        pytest.param(f"{BROKER}/", id="a slash"),
        pytest.param(f"{BROKER}.evil", id="a suffix"),
        pytest.param("https://broker", id="a prefix"),
        pytest.param("https://BROKER.example", id="capitals"),
        pytest.param([BROKER, "https://vault.example"], id="ours and another"),
        pytest.param([BROKER, BROKER], id="ours twice"),
        pytest.param([[BROKER]], id="ours in a list of lists"),
        pytest.param([None], id="a list of null"),
        pytest.param({BROKER: 1}, id="an object"),
        pytest.param(7, id="a number"),
    ],
)
def test_any_audience_but_the_broker_alone_is_a_mismatch(
    audience: Any, door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(aud=audience)) is Reason.AUDIENCE_MISMATCH


def test_a_list_of_the_sole_audience_is_accepted(door: Door, signed_token: TokenMaker) -> None:
    assert door.answer_to(signed_token(aud=[BROKER])) is None


def test_one_of_several_configured_audiences_is_enough(
    door: Door, signed_token: TokenMaker
) -> None:
    issuer = an_issuer("github", audiences=frozenset({"b", "a"}))
    two = replace(door, issuer=issuer)

    assert two.answer_to(signed_token(aud="b")) is None
    with pytest.raises(SubjectTokenRefused, match="'a' or 'b'"):
        two.open_with(signed_token())


def test_without_a_configured_audience_nothing_is_accepted(
    door: Door, signed_token: TokenMaker
) -> None:
    none = replace(door, issuer=an_issuer("github", audiences=frozenset()))

    audiences: list[Any] = ["", None, [], ..., BROKER]
    for audience in audiences:
        assert none.answer_to(signed_token(aud=audience)) is Reason.AUDIENCE_MISMATCH


@pytest.mark.parametrize(
    "sub",
    [..., None, "", 7, True, ["repo:acme/web"], {"a": 1}, "a" * (MAX_SUB_LENGTH + 1), "a\x00b",
     "a\r\nb", "a\x1b[31mb", "a\u0085b", "a\u202eb", "a\u2028b", "repo:\u043ecto/web", "\u212a"],
)  # fmt: skip
def test_a_subject_is_a_short_printable_ascii_text(
    sub: Any, door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(sub=sub)) is Reason.CLAIM_INVALID


def test_a_subject_of_the_greatest_length_is_accepted(door: Door, signed_token: TokenMaker) -> None:
    assert door.answer_to(signed_token(sub="a" * MAX_SUB_LENGTH)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ref": "refs/heads/fête", "sub": "repo:acme/web:ref:refs/heads/fête"},
        {"environment": "Prod:é", "sub": "repo:acme/web:environment:Prod:é"},
        {"environment": "Prod:é", "sub": "repo:acme/web:environment:Prod%3Aé"},
    ],
)
def test_a_branch_or_environment_beyond_ascii_may_be_repeated_in_the_subject(
    changes: dict[str, str], door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(**changes)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ref": "refs/heads/fête", "sub": "repo:acmé/web:ref:refs/heads/fête"},
        {"ref": "refs/heads/a\u202eb", "sub": "repo:acme/web:ref:refs/heads/a\u202eb"},
        {"ref": ["é"], "sub": "repo:acme/web:ref:é"},
        {"ref": "", "sub": "repo:acme/web:ref:é"},
        {"workflow": "é", "sub": "repo:acme/web:workflow:é"},
    ],
)
def test_nothing_else_in_the_subject_goes_beyond_ascii(
    changes: dict[str, Any], door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(**changes)) is Reason.CLAIM_INVALID


def test_without_a_preset_the_whole_subject_is_ascii(door: Door, signed_token: TokenMaker) -> None:
    ci = replace(door, issuer=an_issuer("ci"))

    assert ci.answer_to(signed_token.of(other_claims())) is None
    beyond = signed_token.of(other_claims(ref="é", sub="ref:é"))
    assert ci.answer_to(beyond) is Reason.CLAIM_INVALID


@pytest.mark.parametrize(
    "jti", ["", 7, 1.5, True, [], ["x"], {"a": 1}, None, "a" * 256, "a" * 9999]
)
@pytest.mark.parametrize("replayable", Replay)
def test_a_token_id_is_a_text_of_1_to_255_characters(
    jti: Any, replayable: Replay, door: Door, signed_token: TokenMaker
) -> None:
    issuer = an_issuer("github", replay=replayable)

    answer = replace(door, issuer=issuer).answer_to(signed_token(jti=jti))

    assert answer is Reason.CLAIM_INVALID


@pytest.mark.parametrize(
    ("replayable", "reason"),
    [
        (Replay.REUSABLE, None),
        (Replay.PER_AUDIENCE, Reason.CLAIM_INVALID),
        (Replay.SINGLE_USE, Reason.CLAIM_INVALID),
    ],
)
def test_a_token_id_may_be_missing_only_where_tokens_are_reusable(
    replayable: Replay, reason: Reason | None, door: Door, signed_token: TokenMaker
) -> None:
    issuer = an_issuer("github", replay=replayable)

    assert replace(door, issuer=issuer).answer_to(signed_token(jti=...)) is reason
    longest = signed_token(jti="a" * MAX_JTI_LENGTH)
    assert replace(door, issuer=issuer).answer_to(longest) is None


LOOK_ALIKES = ["\u043ecto-org/x", "\uff41cme/web", "\u212aube", "\u017fub", "a\u202eb", "a\x00",
               "a\r\nb", "a\x1b[0m", "a\x85", "é"]  # fmt: skip


@pytest.mark.parametrize("value", LOOK_ALIKES)
@pytest.mark.parametrize("name", an_issuer("github").tenant_claims)
def test_a_github_tenant_is_printable_ascii(
    name: str, value: str, door: Door, signed_token: TokenMaker
) -> None:
    for each in (value, ["acme", value]):
        assert door.answer_to(signed_token(**{name: each})) is Reason.CLAIM_INVALID


@pytest.mark.parametrize("name", an_issuer("gitlab").tenant_claims)
def test_a_gitlab_tenant_is_printable_ascii(
    name: str, gitlab_door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(gitlab_claims(**{name: "\u0430cme"}))

    assert gitlab_door.answer_to(token) is Reason.CLAIM_INVALID


def test_a_tenant_named_in_the_configuration_is_printable_ascii(
    door: Door, signed_token: TokenMaker
) -> None:
    ci = replace(door, issuer=an_issuer("ci"))

    token = signed_token.of(other_claims(organization_id="\u0430cme"))

    assert ci.answer_to(token) is Reason.CLAIM_INVALID


@pytest.mark.parametrize("value", [..., None, "", 456789, True, 1.5, {"a": "é"}, [], [None, 7]])
def test_a_tenant_without_a_text_is_left_to_the_policies(
    value: Any, door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(repository_id=value)) is None


@pytest.mark.parametrize("name", ["ref", "environment", "head_ref", "workflow", "actor"])
@pytest.mark.parametrize("value", ["$(id);\"`'", "fête", "a\u202eb", "x\r\ny", "😀", "\x1b[31m"])
def test_free_text_may_hold_anything_outside_the_subject(
    name: str, value: str, door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(**{name: value})) is None


@pytest.mark.parametrize("name", ["project_id", "pipeline_id", "job_id"])
@pytest.mark.parametrize("value", [..., None, "", {}, []])
def test_a_gitlab_login_token_is_no_ci_token(
    name: str, value: Any, gitlab_door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(gitlab_claims(**{name: value}))

    assert gitlab_door.answer_to(token) is Reason.CLAIM_INVALID


def test_new_claims_are_ignored(door: Door, signed_token: TokenMaker) -> None:
    token = signed_token(repo_property_tier="gold", deep={"a": [1, {"b": None}]}, number=1.5)

    assert door.answer_to(token) is None


@pytest.mark.parametrize(
    ("sub", "reason"),
    [
        ("repo:acme/web", None),
        ("repo:acme@123456/web@456789", None),
        ("repo:acme@123456/web@456789:environment:a@b", None),
        ("repo:acme/web:job_workflow_ref:acme/web/x.yml@refs/heads/main", None),
        ("repo:acme/web@456789:pull_request", Reason.CLAIM_INVALID),
        ("repo:acme@123456/web:pull_request", Reason.CLAIM_INVALID),
        ("repo:acme@123456/web@456789x:pull_request", Reason.CLAIM_INVALID),
        ("repo:acme@/web@456789", Reason.CLAIM_INVALID),
        ("repo:@123456/web@456789", Reason.CLAIM_INVALID),
    ],
)
def test_a_github_subject_has_both_ids_or_none(
    sub: str, reason: Reason | None, door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(signed_token(sub=sub)) is reason


def test_a_gitlab_subject_may_hold_an_at_sign(gitlab_door: Door, signed_token: TokenMaker) -> None:
    token = signed_token.of(gitlab_claims(ref="a@1", sub="project_path:acme/web:ref:a@1"))

    assert gitlab_door.answer_to(token) is None
