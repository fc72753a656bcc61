"""The tests that an imported policy brings: a job that is admitted, near ones that are not."""

import json
from typing import Any

import pytest

from broker.policy_files import run
from tests.policy_imports.deciding import Imported

GITHUB = "https://token.actions.githubusercontent.com"


def imported(claims: dict[str, Any], **members: Any) -> Imported:
    role = {
        "role_type": "jwt",
        "bound_audiences": ["x"],
        "bound_claims": claims,
        "user_claim": "repository",
    }
    return Imported("vault", role | members, issuer=GITHUB)


def names(result: Imported) -> list[str]:
    return [each.test.name for each in run(result.set, 0.0)]


def test_each_condition_has_a_job_that_misses_it() -> None:
    assert names(imported({"repository_id": "34", "ref": "refs/heads/main"})) == [
        "deploy: a job that its source admits",
        "deploy: another repository_id",
        "deploy: another ref",
        "deploy: the same at pull_request_target",
    ]


def test_a_named_event_is_that_of_the_job() -> None:
    result = imported({"repository_id": "34", "event_name": ["x", "pull_request"]})

    assert names(result) == [
        "deploy: a job that its source admits",
        "deploy: another repository_id",
    ]
    assert result.text is not None
    assert result.text.count("base: pull_request\n") == 2


def test_a_claim_that_must_be_there_is_there() -> None:
    result = imported({"repository_id": "34"}, user_claim="environment")

    assert names(result)[0] == "deploy: a job that its source admits"


@pytest.mark.parametrize("events", ["x", "pull*"])
def test_where_no_job_is_known_it_says_so(events: str) -> None:
    result = imported({"repository_id": "34", "event_name": events}, bound_claims_type="glob")

    assert names(result) == []
    assert result.text is not None
    assert "write `tests` by hand" in result.text


def test_what_is_missed_by_one_policy_is_not_admitted_by_another() -> None:
    provider = "token.actions.githubusercontent.com"
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{provider}:aud": "x", f"{provider}:repository_id": repository}
            },
        }
        for repository in ("34", "34-x")
    ]

    result = Imported("aws", json.loads(json.dumps({"Statement": statements})))

    assert names(result)[:2] == [
        "deploy-1: a job that its source admits",
        "deploy-1: another repository_id",
    ]
    assert result.text is not None
    assert "repository_id: x-34" in result.text
