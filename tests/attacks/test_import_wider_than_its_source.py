"""Contract §2, `policies import`: no token gets in that the source would have refused."""

import json
from typing import Any

import pytest

from broker.core.errors import ConfigurationError
from broker.core.typical_claims import typical_claims
from broker.policy_imports import Form, translate
from tests.policy_imports.deciding import Imported, loaded

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
MAIN = "repo:acme/web:ref:refs/heads/main"


def github(**claims: str) -> dict[str, Any]:
    return typical_claims("github", "push", claims) | {"iss": GITHUB}


def gitlab(**claims: str) -> dict[str, Any]:
    return typical_claims("gitlab", "push", claims) | {"iss": GITLAB}


def aws(condition: dict[str, dict[str, Any]], host: str = GITHUB) -> dict[str, Any]:
    provider = host.removeprefix("https://")
    block = {
        operator: {f"{provider}:{claim}": value for claim, value in conditions.items()}
        for operator, conditions in condition.items()
    }
    block.setdefault("StringEquals", {})[f"{provider}:aud"] = "sts.amazonaws.com"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{provider}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": block,
    }
    return {"Statement": statement}


def vault(**members: Any) -> dict[str, Any]:
    return {
        "role_type": "jwt",
        "bound_audiences": ["x"],
        "bound_claims_type": "glob",
        "user_claim": "sub",
    } | members


def octo_sts(claim: str, pattern: str) -> dict[str, Any]:
    return {"issuer": GITHUB, "subject_pattern": "repo:.*", "claim_pattern": {claim: pattern}}


# A pattern with letters that are no whole name, a value that it admits, one in another case that
# its source refuses. The second is another repository or project, which somebody else may hold.
CASES: list[tuple[Form, dict[str, Any], dict[str, str], dict[str, str]]] = [
    (
        "aws",
        aws({"StringLike": {"repository": "acme/web-*"}}),
        {"repository": "acme/web-a"},
        {"repository": "acme/Web-a"},
    ),
    (
        "aws",
        aws({"StringLike": {"repository": ["acme/api", "acme/*-web"]}}),
        {"repository": "acme/a-web"},
        {"repository": "acme/a-WEB"},
    ),
    (
        "aws",
        aws({"StringLike": {"repository": "acme/we?"}}),
        {"repository": "acme/web"},
        {"repository": "acme/Web"},
    ),
    (
        "vault",
        vault(bound_claims={"project_path": "acme/web*"}),
        {"project_path": "acme/web"},
        {"project_path": "acme/WEB"},
    ),
    (
        "vault",
        vault(bound_claims={"namespace_path": "acme/team-*"}),
        {"project_path": "acme/team-a/web", "namespace_path": "acme/team-a"},
        {"project_path": "acme/Team-a/web", "namespace_path": "acme/Team-a"},
    ),
    (
        "octo-sts",
        octo_sts("repository", "acme/[a-z]+"),
        {"repository": "acme/web"},
        {"repository": "acme/WEB"},
    ),
    (
        "octo-sts",
        octo_sts("environment", "prod-[a-z]+") | {"subject_pattern": "repo:acme/web:.*"},
        {"repository": "acme/web", "environment": "prod-eu"},
        {"repository": "acme/web", "environment": "prod-EU"},
    ),
]


@pytest.mark.parametrize(("form", "policy", "meant", "other"), CASES)
def test_a_pattern_admits_no_other_case_than_its_source(
    form: Form, policy: dict[str, Any], meant: dict[str, str], other: dict[str, str]
) -> None:
    of_gitlab = "project_path" in meant
    token = gitlab if of_gitlab else github
    options = {"issuer": GITLAB} if of_gitlab else {}

    imported = Imported(form, policy, **options)

    assert imported.text is not None, imported.problems
    assert imported.permits(token(**meant))
    assert not imported.permits(token(**other))


@pytest.mark.parametrize("owner", ["acme", "ACME"])
def test_names_that_a_pattern_begins_with_are_one_name(owner: str) -> None:
    imported = Imported("aws", aws({"StringLike": {"repository": "acme/*"}}))

    assert imported.permits(github(repository=f"{owner}/web"))


def test_braces_with_a_zero_in_front_repeat_nothing() -> None:
    # Go and RE2 read `x{01}` as these five characters, which octo-sts refuses in every subject.
    policy = {"issuer": GITHUB, "subject_pattern": f"{MAIN}{{01}}"}

    imported = Imported("octo-sts", policy)

    assert imported.text is None
    assert "`{` in the middle" in str(imported.problems[0])


def test_two_audiences_of_which_no_token_has_both_admit_nothing() -> None:
    imported = Imported("aws", aws({"StringEquals": {"sub": MAIN}, "StringLike": {"aud": "other"}}))

    assert imported.text is None
    assert "no token has this audience" in str(imported.problems[0])


@pytest.mark.parametrize("audiences", [[""], ["", ""], ",", ""])
def test_an_audience_without_a_name_is_none(audiences: Any) -> None:
    role = vault(bound_claims={"repository_id": "34"}, bound_audiences=audiences)

    imported = Imported("vault", role, issuer=GITHUB)

    assert imported.text is None
    assert "no audience is bound" in str(imported.problems[0])


def test_claims_that_aws_makes_no_keys_of_admit_nothing() -> None:
    # Those of GitHub's own issuer alone are keys; of a server of one's own, `sub` and `aud` are.
    policy = aws({"StringEquals": {"repository_id": "34"}}, "https://ghes.corp.example/token")

    imported = Imported("aws", policy, preset="github")

    assert imported.text is None
    assert "none that AWS takes" in str(imported.problems[0])


def test_a_role_around_another_one_is_not_passed_over() -> None:
    wide = vault(bound_claims={"repository_owner": "acme"})

    imported = Imported("vault", {"bound_subject": MAIN, "data": wide}, issuer=GITHUB)

    assert imported.text is None


def test_statements_beside_a_role_are_not_passed_over() -> None:
    role = {"AssumeRolePolicyDocument": aws({"StringEquals": {"sub": MAIN}})}

    imported = Imported("aws", {"Statement": [{"Effect": "Deny"}], "Role": role})

    assert imported.text is None
    assert [str(each).partition(": ")[2] for each in imported.problems] == [
        "`Statement` is not known"
    ]


def test_a_session_ends_when_that_of_the_role_would() -> None:
    role = {
        "RoleName": "deploy",
        "MaxSessionDuration": 3600,
        "AssumeRolePolicyDocument": aws({"StringEquals": {"sub": MAIN}}),
    }

    imported = Imported("aws", {"Role": role})

    [policy] = imported.set.policy_set.policies.values()
    assert policy.max_ttl == 3600


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"token_type": "batch", "token_ttl": 300}, (300, 300)),
        ({"token_type": "batch", "token_ttl": 300, "token_max_ttl": 200}, (200, 200)),
        ({"token_type": "batch"}, (None, None)),
        ({"token_type": "service", "token_ttl": 300}, (300, None)),
    ],
)
def test_what_is_not_renewed_ends_with_its_first_lifetime(
    members: dict[str, Any], expected: tuple[int | None, int | None]
) -> None:
    claims = {"repository_id": "34"}

    imported = Imported("vault", vault(bound_claims=claims, **members), issuer=GITHUB)

    [policy] = imported.set.policy_set.policies.values()
    assert (policy.ttl, policy.max_ttl) == expected


@pytest.mark.parametrize("seconds", [True, 0, "3600", 1.5])
def test_a_session_of_no_known_length_is_no_role(seconds: Any) -> None:
    document = aws({"StringEquals": {"sub": MAIN}})
    role = {"MaxSessionDuration": seconds, "AssumeRolePolicyDocument": document}

    with pytest.raises(ConfigurationError, match="a number of seconds"):
        translate("aws", json.dumps({"Role": role}).encode(), "x")


def test_the_first_half_of_a_result_admits_nothing_more() -> None:
    # As a full disk leaves it, where the shell writes it into the folder of a running broker.
    statements = [
        aws({"StringLike": {"sub": "repo:acme/web:*"}, "StringEquals": {"ref": ref}})["Statement"]
        for ref in ("refs/heads/main", "refs/heads/next")
    ]
    text = Imported("aws", {"Statement": statements}).text or ""
    begin, end = text.index("policies:\n"), text.index("tests:\n")
    for length in range(begin, end):
        try:
            half = loaded(text[:length])
        except ConfigurationError:
            continue
        for policy in half.policy_set.policies.values():
            assert {each.claim for each in policy.conditions} == {"repository", "sub", "ref"}
