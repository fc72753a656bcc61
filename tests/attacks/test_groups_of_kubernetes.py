"""Row 131: values that make a group of Kubernetes' own out of a template that names none.

`{metadata.kind}:{metadata.team}` filled in with `system` and `masters` would be the administrators
of every cluster, though no value has a colon and no template says `system:`.
"""

from pathlib import Path
from typing import Any

import pytest

from broker.core.decision import Decision, Deny, Permit
from broker.core.errors import Reason
from tests import client_secrets
from tests.attacks.refusals import assert_refused
from tests.core.builders import a_policy, a_policy_set, an_account, the_decision
from tests.core.shaped_services import a_shaped_service
from tests.policy_files.loading import assert_refused as assert_does_not_load
from tests.profiles.validators import parts_of
from tests.special_brokers import special_broker

BY_METADATA = "{metadata.kind}:{metadata.team}"
MEANT = {"kind": "team", "team": "web"}
HOSTILE = {"kind": "system", "team": "masters"}
CLUSTER = "https://cluster.example.com"


def decided(
    claim: Any, client_id: str = "deploy-web", *, profile: str = "kubernetes", **account: Any
) -> Decision:
    service = a_shaped_service({"groups": claim}, profile=profile)
    policy = a_policy("web", {"repository_id": "456789"}, service_account=client_id)
    accounts = [an_account(client_id, **account)]
    return the_decision(a_policy_set(policy, services=[service], accounts=accounts))


def assert_no_group_of_its_own(decision: Decision) -> None:
    assert isinstance(decision, Deny)
    assert decision.reason is Reason.CLAIM_INVALID
    assert "it would begin with system:, which belongs to kubernetes" in decision.detail


@pytest.mark.parametrize("claim", [BY_METADATA, [BY_METADATA], [{"name": ["x", BY_METADATA]}]])
def test_metadata_makes_none(claim: Any) -> None:
    assert isinstance(decided(claim, metadata=MEANT), Permit)
    assert_no_group_of_its_own(decided(claim, metadata=HOSTILE))


def test_nor_does_half_of_the_word() -> None:
    assert_no_group_of_its_own(decided("sys{metadata.rest}:x", metadata={"rest": "tem"}))


@pytest.mark.parametrize("template", ["{service_account}:masters", "{sub}:masters"])
def test_nor_does_an_account_of_that_name(template: str) -> None:
    assert isinstance(decided(template, "system-web"), Permit)
    assert_no_group_of_its_own(decided(template, "system"))


def test_nor_does_an_instance_of_such_an_account() -> None:
    assert_no_group_of_its_own(decided("{sub}", "system", instances=("repository_id",)))


def test_nor_does_an_organization_of_that_name() -> None:
    assert isinstance(decided("{organization}:x", organization="systems"), Permit)
    assert_no_group_of_its_own(decided("{organization}:x", organization="system"))


def test_other_systems_have_no_such_groups() -> None:
    assert isinstance(decided(BY_METADATA, profile="gcp", metadata=HOSTILE), Permit)


@pytest.mark.parametrize("claim", ["[{name: 'system:masters'}]", "[{name: [x, 'system:{sub}']}]"])
def test_a_mapping_that_writes_one_out_does_not_load(claim: str) -> None:
    assert_does_not_load(
        f"services: {{s: {{audience: a, profile: kubernetes, claims: {{groups: ►{claim}}}}}}}",
        "belongs to kubernetes",
    )


def test_a_broker_issues_no_token_with_one(tmp_path: Path) -> None:
    policies = f"""\
services:
  cluster: {{audience: {CLUSTER}, profile: kubernetes, claims: {{groups: ["{BY_METADATA}"]}}}}
"""
    with special_broker(tmp_path, policies) as broker:
        answers = []
        for metadata in (MEANT, HOSTILE):
            account = client_secrets.an_account(grants={"cluster": ()}, metadata=metadata)
            secret = client_secrets.give(broker, account)
            answers.append(
                client_secrets.ask(broker, account.client_id, secret, audience="cluster")
            )

        assert parts_of(answers[0].json()["access_token"])[1]["groups"] == ["team:web"]
        assert_refused(broker, answers[1], "claim_invalid")
        assert "begin it with a text of its own" in answers[1].json()["error_description"]
