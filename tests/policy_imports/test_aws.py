"""Trust policies of IAM roles: what of them carries over, and what is refused with its line."""

import json
from typing import Any

import pytest

from tests.policy_imports.translating import conditions, refusals, translated

PROVIDER = "token.actions.githubusercontent.com"
ARN = f"arn:aws:iam::123456789012:oidc-provider/{PROVIDER}"
MAIN = "repo:acme/web:ref:refs/heads/main"


def statement(condition: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    whole = {"StringEquals": {f"{PROVIDER}:aud": "sts.amazonaws.com"}}
    for operator, block in (condition or {"StringEquals": {"sub": MAIN}}).items():
        keys = {key if ":" in key else f"{PROVIDER}:{key}": value for key, value in block.items()}
        whole[operator] = whole.get(operator, {}) | keys
    return {
        "Effect": "Allow",
        "Principal": {"Federated": ARN},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": whole,
    } | members


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"sub": MAIN}}, {"sub": MAIN}),
        ({"stringequals": {f"{PROVIDER.upper()}:SUB": MAIN}}, {"sub": MAIN}),
        ({"StringLike": {"sub": MAIN}}, {"sub": MAIN}),
        ({"ForAnyValue:StringEquals": {"sub": [MAIN]}}, {"sub": MAIN}),
        (
            {"StringEquals": {"sub": [MAIN, "repo:acme/api:environment:production"]}},
            {"sub": [MAIN, "repo:acme/api:environment:production"]},
        ),
        # A star crosses every character; a `sub` that is a pattern brings its tenant along.
        (
            {"StringLike": {"sub": "repo:acme/web:*"}},
            {"repository": "acme/web", "sub": {"glob": "repo:acme/web:**"}},
        ),
        (
            {"StringLike": {"sub": "repo:acme/*:ref:refs/heads/main"}},
            {"repository_owner": "acme", "sub": {"glob": "repo:acme/**:ref:refs/heads/main"}},
        ),
        (
            {"StringLike": {"sub": ["repo:acme/web:*", "repo:acme/api:environment:prod"]}},
            {
                "repository": ["acme/web", "acme/api"],
                "sub": [{"glob": "repo:acme/web:**"}, "repo:acme/api:environment:prod"],
            },
        ),
        (
            {"StringLike": {"sub": "repo:acme@12/web@34:*"}},
            {"repository_id": "34", "sub": {"glob": "repo:acme@12/web@34:**"}},
        ),
        (
            {"StringLike": {"sub": "repo:acme/web:ref:refs/tags/v?"}},
            {"repository": "acme/web", "sub": {"regex": "(?s)repo:acme/web:ref:refs/tags/v."}},
        ),
        ({"StringEquals": {"sub": "repo:acme/web:*"}}, {"sub": "repo:acme/web:*"}),
        (
            {"StringEquals": {"repository_id": "34"}, "StringNotEquals": {"actor": "x"}},
            {"repository_id": "34", "actor": {"not": "x"}},
        ),
        (
            {"StringEquals": {"repository": "acme/web"}, "StringEqualsIgnoreCase": {"ref": "a/b"}},
            {"repository": "acme/web", "ref": {"regex": "[Aa]/[Bb]"}},
        ),
        # Two operators on one claim: the literals that satisfy both are left.
        (
            {
                "StringEquals": {"sub": [MAIN, "repo:acme/api:pull_request"]},
                "StringLike": {"sub": "repo:acme/w*"},
            },
            {"sub": MAIN},
        ),
        # The guard wants the events of pull requests named.
        (
            {"StringEquals": {"sub": "repo:acme/web:pull_request"}},
            {
                "sub": "repo:acme/web:pull_request",
                "event_name": [
                    "pull_request",
                    "pull_request_review",
                    "pull_request_review_comment",
                ],
            },
        ),
    ],
)
def test_a_condition_carries_over(condition: dict[str, Any], expected: dict[str, Any]) -> None:
    [found] = conditions("aws", policy(statement(condition)))

    assert found == expected


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ({"StringEqualsIfExists": {"sub": MAIN}}, "tokens without the claim"),
        ({"ForAllValues:StringLike": {"sub": MAIN}}, "tokens without the claim"),
        ({"Null": {"sub": "true"}}, "no condition of the broker says this"),
        ({"StringEquals": {"sub": MAIN}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "operator"),
        ({"StringEquals": {"aws:RequestedRegion": "eu"}}, "none that AWS takes"),
        ({"StringEquals": {"repository_id": "1", "event_name": "push"}}, "none that AWS takes"),
        ({"StringEquals": {"sub": MAIN, "ref": ""}}, "an empty text"),
        ({"StringEquals": {"sub": MAIN}, "StringLike": {"ref": "*"}}, "`ref` may be empty"),
        ({"StringEquals": {"sub": MAIN}, "StringNotEquals": {"ref": "x"}}, "a negation holds in"),
        ({"StringEquals": {"sub": "repo:${aws:username}/x"}}, "a policy variable"),
        ({"StringEquals": {"sub": []}}, "no value"),
        ({"StringEquals": {"sub": "repo:acme/gr\u00f6\u00dfe:x"}}, "a character beyond ASCII"),
        ({"StringLike": {"sub": "repo:acme*:*"}}, "any tenant of the platform could match"),
        ({"StringLike": {"sub": "*"}}, "any tenant of the platform could match"),
        ({"StringEquals": {"sub": "environment:production"}}, "any tenant of the platform"),
        ({"StringLike": {"aud": "*", "sub": MAIN}}, "the audience must be named"),
        ({"StringEquals": {"environment": "production"}}, "any tenant of the platform"),
        (
            {"StringLike": {"sub": "repo:acme/*"}, "ForAnyValue:StringLike": {"sub": "*:x"}},
            "a second condition on `sub`",
        ),
    ],
)
def test_a_condition_is_refused(condition: dict[str, Any], told: str) -> None:
    found = refusals("aws", policy(statement(condition)))

    assert any(told in each for each in found), found


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"Effect": "Deny"}, "only `Allow`"),
        ({"Action": "sts:*"}, "the action must be"),
        ({"Action": ["sts:AssumeRoleWithWebIdentity", "sts:AssumeRole"]}, "the action must be"),
        ({"NotAction": "sts:TagSession"}, "`NotAction` has no counterpart"),
        ({"Principal": "*"}, "it admits others"),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, "it admits others"),
        ({"Principal": {"Federated": [ARN, ARN]}}, "it admits others"),
        ({"Principal": {"Federated": "cognito-identity.amazonaws.com"}}, "it admits others"),
        ({"Condition": {}}, "no condition on the audience"),
        (
            {"Condition": {"StringEquals": {f"{PROVIDER}:sub": MAIN}}},
            "no condition on the audience",
        ),
    ],
)
def test_a_statement_is_refused(members: dict[str, Any], told: str) -> None:
    found = refusals("aws", policy(statement(**members)))

    assert any(told in each for each in found), found


def test_a_refusal_names_its_line() -> None:
    [found] = refusals("aws", policy(statement({"StringEqualsIfExists": {"sub": MAIN}})))[:1]

    assert found.startswith("source:15:")


def test_each_statement_is_a_policy() -> None:
    translation = translated(
        "aws",
        policy(statement(), statement({"StringEquals": {"repository_id": "34"}})),
    )

    assert [len(each.conditions) for each in translation.policies] == [1, 1]


def test_one_statement_that_does_not_carry_over_stops_all() -> None:
    assert refusals("aws", policy(statement(), statement(Effect="Deny")))


def test_statements_of_two_providers_are_refused() -> None:
    other = f"{ARN}/acme"
    block = {
        "StringEquals": {
            f"{PROVIDER}/acme:aud": "sts.amazonaws.com",
            f"{PROVIDER}/acme:sub": MAIN,
        }
    }

    found = refusals(
        "aws", policy(statement(), statement(Principal={"Federated": other}, Condition=block))
    )

    assert any("several issuers" in each for each in found)


def test_what_aws_prints_of_a_role_is_read_and_names_the_account() -> None:
    document = json.loads(policy(statement()))
    text = json.dumps({"Role": {"RoleName": "Deploy", "AssumeRolePolicyDocument": document}})

    assert translated("aws", text).name == "Deploy"


def test_a_self_managed_platform_needs_its_preset() -> None:
    host = "gitlab.corp.example"
    block = {
        "StringEquals": {f"{host}:aud": "x", f"{host}:sub": "project_path:a/b:ref_type:tag:ref:v"}
    }
    arn = f"arn:aws:iam::123456789012:oidc-provider/{host}"
    text = policy(statement(Principal={"Federated": arn}, Condition=block))

    assert any("--preset" in each for each in refusals("aws", text))
    assert translated("aws", text, preset="gitlab").issuer == f"https://{host}"


def test_a_known_host_keeps_its_own_preset() -> None:
    found = refusals("aws", policy(statement()), preset="gitlab")

    assert any("leave --preset away" in each for each in found)


@pytest.mark.parametrize(("member", "value"), [("Version", "2030-01-01"), ("Extra", 1)])
def test_a_policy_that_is_not_known_is_refused(member: str, value: object) -> None:
    text = json.dumps(json.loads(policy(statement())) | {member: value})

    assert refusals("aws", text)
