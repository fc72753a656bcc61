"""The policies that the project ships: they load, alone and with `--dev`, and keep their word."""

from pathlib import Path
from typing import Any

import pytest

from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.errors import Reason
from broker.core.indexed_policies import IndexedPolicies
from broker.policy_files import LoadedPolicies, load, run
from broker.policy_files.coverage import coverage

FOLDER = Path(__file__).parents[2] / "policies"
DEV_ISSUERS = {
    "dev-github": "http://127.0.0.1:8081/github",
    "dev-gitlab": "http://127.0.0.1:8081/gitlab",
}
NOW = 1_795_300_000


def shipped(**settings: Any) -> LoadedPolicies:
    usual: dict[str, Any] = {
        "broker_issuer": "http://127.0.0.1:8080",
        "token_defaults": (600, 3600),
        "signing_algorithms": ["RS256", "ES256"],
        "loopback": True,
    }
    return load(FOLDER, **usual | settings)


@pytest.fixture(scope="module")
def dev() -> LoadedPolicies:
    return shipped(dev_issuers=DEV_ISSUERS)


def test_the_starter_set_loads_behind_a_public_address() -> None:
    loaded = shipped(broker_issuer="https://broker.acme.example", loopback=False)

    assert {"github", "gitlab"} == loaded.policy_set.issuers.keys()
    assert "deploy-api" not in loaded.policy_set.services


def test_every_policy_of_the_shipped_set_has_a_test(dev: LoadedPolicies) -> None:
    with_tests = {test.place.rpartition(":")[0] for test in dev.tests}

    assert {policy.place.rpartition(":")[0] for policy in dev.policy_set.policies.values()} == (
        with_tests
    )


@pytest.mark.parametrize("dev_issuers", [None, DEV_ISSUERS], ids=["production", "dev"])
def test_the_shipped_tests_hold(dev_issuers: dict[str, str] | None) -> None:
    loaded = shipped(dev_issuers=dev_issuers)

    results = run(loaded, NOW)

    assert len(results) == len(loaded.tests) > 0
    assert [result.fault for result in results if not result.holds] == []


def test_the_shipped_tests_leave_no_policy_untried(dev: LoadedPolicies) -> None:
    policies = IndexedPolicies.of(dev.policy_set)

    found = coverage(run(dev, NOW, policies=policies), policies, NOW)

    assert (found.never_permits, found.never_denies) == ((), ())


GITHUB_PUSH = {
    "repository": "acme/web",
    "repository_id": "456789",
    "repository_owner": "acme",
    "repository_owner_id": "1234567",
    "ref": "refs/heads/main",
    "event_name": "push",
    "exp": NOW + 300,
}
GITLAB_PUSH = {
    "project_path": "acme/web",
    "project_id": "20",
    "namespace_path": "acme",
    "namespace_id": "72",
    "ref": "main",
    "ref_path": "refs/heads/main",
    "ref_type": "branch",
    "ref_protected": "true",
    "pipeline_source": "push",
    "exp": NOW + 3600,
}


@pytest.mark.parametrize(
    ("issuer", "claims"), [("dev-github", GITHUB_PUSH), ("dev-gitlab", GITLAB_PUSH)]
)
@pytest.mark.parametrize("targets", [(), ("deploy-api",), ("https://deploy.example.com",)])
def test_a_dev_push_to_main_may_deploy(
    dev: LoadedPolicies, issuer: str, claims: dict[str, object], targets: tuple[str, ...]
) -> None:
    decision = decide(
        claims,
        dev.policy_set.issuers[issuer],
        DecisionRequest(targets),
        IndexedPolicies.of(dev.policy_set),
        NOW,
    )

    assert isinstance(decision, Permit)
    assert decision.service.name == "deploy-api"
    assert decision.scopes == ("deploy:read", "deploy:write")


@pytest.mark.parametrize(
    ("issuer", "claims"),
    [
        ("dev-github", GITHUB_PUSH | {"event_name": "pull_request"}),
        ("dev-github", GITHUB_PUSH | {"ref": "refs/heads/other"}),
        ("dev-gitlab", GITLAB_PUSH | {"pipeline_source": "merge_request_event"}),
        ("dev-gitlab", GITLAB_PUSH | {"ref_protected": "false"}),
        ("dev-gitlab", GITHUB_PUSH),
    ],
)
def test_anything_else_gets_nothing_from_the_dev_policies(
    dev: LoadedPolicies, issuer: str, claims: dict[str, object]
) -> None:
    decision = decide(
        claims,
        dev.policy_set.issuers[issuer],
        DecisionRequest(("deploy-api",)),
        IndexedPolicies.of(dev.policy_set),
        NOW,
    )

    assert not isinstance(decision, Permit)
    assert decision.reason is Reason.NO_POLICY_MATCHED
