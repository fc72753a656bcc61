"""Roles of Vault and OpenBao: what of them carries over, and what is refused with its line."""

import json
from typing import Any

import pytest

from broker.core.errors import ConfigurationError
from broker.policy_imports import translate
from tests.policy_imports.translating import conditions, refusals, translated

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"


def role(**members: Any) -> str:
    whole = {
        "role_type": "jwt",
        "bound_audiences": ["https://vault.example.com"],
        "bound_claims": {"repository_id": "34"},
        "user_claim": "repository",
    }
    kept = {name: value for name, value in (whole | members).items() if value is not None}
    return json.dumps(kept, indent=1)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, {"repository_id": "34"}),
        ({"bound_audiences": "https://a.example,https://b.example"}, {"repository_id": "34"}),
        (
            {"bound_subject": "repo:acme/web:environment:x", "bound_claims": {}},
            {"sub": "repo:acme/web:environment:x"},
        ),
        (
            {"bound_claims": {"repository": "acme/web", "ref": ["refs/heads/main", "a*"]}},
            {"repository": "acme/web", "ref": ["refs/heads/main", "a*"]},
        ),
        (
            {
                "bound_claims_type": "glob",
                "bound_claims": {"repository": "acme/*", "ref": "refs/heads/*", "workflow": "a?"},
            },
            {
                "repository": {"glob": "acme/**"},
                "ref": {"glob": "refs/heads/**"},
                "workflow": {"regex": r"(?s)a\?"},
            },
        ),
        (
            {"bound_claims": {"repository_id": "34", "event_name": ["push", "pull_request"]}},
            {"repository_id": "34", "event_name": ["push", "pull_request"]},
        ),
        ({"bound_claims": {"repository_id": "34", "iss": [GITHUB]}}, {"repository_id": "34"}),
        # Without the claim of the user nobody logs in.
        ({"user_claim": "environment"}, {"repository_id": "34", "environment": {"present": True}}),
        ({"user_claim": "repository_id"}, {"repository_id": "34"}),
        ({"expiration_leeway": 0, "clock_skew_leeway": 120}, {"repository_id": "34"}),
        (
            {"token_num_uses": 0, "groups_claim": "", "token_bound_cidrs": []},
            {"repository_id": "34"},
        ),
    ],
)
def test_a_role_carries_over(members: dict[str, Any], expected: dict[str, Any]) -> None:
    [found] = conditions("vault", role(**members), issuer=GITHUB)

    assert found == expected


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"role_type": "oidc"}, "logins of people"),
        ({"role_type": None}, "`role_type` must say `jwt`"),
        ({"bound_audiences": None}, "no audience is bound"),
        ({"bound_audiences": []}, "no audience is bound"),
        ({"bound_claims_type": "regex"}, "neither `string` nor `glob`"),
        ({"bound_claims": {"repository_id": 34}}, "numbers, booleans and null never match"),
        ({"bound_claims": {"ref_protected": True}}, "numbers, booleans and null never match"),
        ({"bound_claims": {"repository_id": ["34", None]}}, "numbers, booleans and null never"),
        ({"bound_claims": {"repository_id": []}}, "an empty list"),
        ({"bound_claims": {"repository_id": ""}}, "an empty text"),
        ({"bound_claims": {"/repository_id": "34"}}, "a pointer"),
        ({"bound_claims": {"repository_id": "34", "groups": "x"}}, "known to be a text"),
        ({"bound_claims": {"repository_id": "34", "iss": "https://x"}}, "is not among them"),
        ({"bound_claims": {"ref": "refs/heads/main"}}, "any tenant of the platform could match"),
        ({"bound_claims": {}}, "no condition on whose jobs may come"),
        ({"bound_claims_type": "glob", "bound_claims": {"repository": "ac*"}}, "any tenant of the"),
        (
            {"bound_claims_type": "glob", "bound_claims": {"repository_id": "34", "ref": "*"}},
            "`ref` may be empty",
        ),
        ({"bound_claims": {"repository_id": " 34"}}, "a space at the beginning or end"),
        ({"bound_claims": {"repository_id": "3" * 1001}}, "more than 1000 characters"),
        ({"user_claim": None}, "`user_claim` is missing"),
        ({"user_claim": "ref"}, "`ref` may be empty"),
        ({"user_claim": "/a/b", "user_claim_json_pointer": True}, "a pointer"),
        ({"user_claim": "groups"}, "known to be a text"),
        ({"groups_claim": "groups"}, "groups out of a claim"),
        ({"token_bound_cidrs": ["10.0.0.0/8"]}, "where a token may come from"),
        ({"token_num_uses": 1}, "how often a token may be used"),
        ({"token_period": "1h"}, "renewed without end"),
        ({"clock_skew_leeway": -1}, "less than the broker's own"),
        ({"expiration_leeway": "10s"}, "less than the broker's own"),
        ({"new_member": 1}, "no member of a role that is known"),
    ],
)
def test_a_role_is_refused(members: dict[str, Any], told: str) -> None:
    found = refusals("vault", role(**members), issuer=GITHUB)

    assert any(told in each for each in found), found


def test_a_role_does_not_say_whose_tokens_it_takes() -> None:
    assert any("--issuer" in each for each in refusals("vault", role()))


@pytest.mark.parametrize("issuer", ["http://gitlab.com", "gitlab.com", "https://gitl\u00e4b.com"])
def test_the_issuer_is_an_https_url(issuer: str) -> None:
    assert any("no https URL" in each for each in refusals("vault", role(), issuer=issuer))


def test_what_vault_prints_of_a_role_is_read() -> None:
    text = json.dumps({"request_id": "x", "data": json.loads(role())})

    assert conditions("vault", text, issuer=GITHUB) == [{"repository_id": "34"}]


@pytest.mark.parametrize(
    ("members", "ttl", "max_ttl"),
    [
        ({}, None, None),
        ({"token_ttl": 900}, 900, None),
        ({"ttl": "15m", "token_max_ttl": "1h"}, 900, 3600),
        ({"token_ttl": "2h", "token_max_ttl": 3600}, 3600, 3600),
        ({"token_max_ttl": 7200, "token_explicit_max_ttl": 600}, None, 600),
        ({"token_ttl": "60h", "token_max_ttl": "30d"}, 86_400, 86_400),
        ({"token_ttl": "", "token_max_ttl": None}, None, None),
    ],
)
def test_lifetimes_become_those_of_the_policy(
    members: dict[str, Any], ttl: int | None, max_ttl: int | None
) -> None:
    [policy] = translated("vault", role(**members), issuer=GITHUB).policies

    assert (policy.ttl, policy.max_ttl) == (ttl, max_ttl)


def test_a_cut_lifetime_is_said() -> None:
    [policy] = translated("vault", role(token_max_ttl="30d"), issuer=GITHUB).policies

    assert "service tokens live 24 hours at most" in policy.notes


def test_rights_and_metadata_are_for_the_operator_to_say_anew() -> None:
    text = role(token_policies=["deploy"], claim_mappings={"ref": "ref"})

    assert translated("vault", text, issuer=GITHUB).rights == (
        'source:11: token_policies: "deploy"',
        'source:13: claim_mappings: {"ref": "ref"}',
    )


def test_projects_of_gitlab_are_pinned_by_path() -> None:
    text = role(
        bound_claims_type="glob",
        bound_claims={"sub": "project_path:acme/group/*:ref_type:branch:ref:main"},
        user_claim="project_path",
    )

    assert conditions("vault", text, issuer=GITLAB) == [
        {
            "project_path": {"glob": "acme/group/**"},
            "sub": {"glob": "project_path:acme/group/**:ref_type:branch:ref:main"},
        }
    ]


@pytest.mark.parametrize(
    "members",
    [
        {"bound_subject": 1},
        {"bound_audiences": [1]},
        {"bound_claims": ["x"]},
        {"token_ttl": "soon"},
        {"token_ttl": True},
    ],
)
def test_what_is_no_role_cannot_be_read(members: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        translate("vault", role(**members).encode(), "source", issuer=GITHUB)
