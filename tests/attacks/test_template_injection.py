"""Rows 130, 131, 169: values that would change what a template says, and jobs that choose them.

`team:{metadata.team}` filled in with `web,team:root` or `*` would name another team, two, or all.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.refusals import assert_refused
from tests.client_secrets import an_account, ask, give
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

CLUSTER = "https://cluster.example.com"
BY_JOB = "https://by-job.example.com"
HOSTILE = [
    "web:root", "team:root", "*", "web,root", "web root", "{metadata.image}", "{sub}", "{{sub}}",
    "a/../b", "..", ".", "/web", "web/", "web//x", "wéb", "\u212aube", 'web"', "web\\", "web\nroot",
    "web\r", "web\t", "web\x00", "web%3aroot", "web@x", "web=x", "\uff57\uff45\uff42", "a" * 101,
]  # fmt: skip
# As much as a policy file can say; each of them is what the job says, and what its policy pins.
PINNED = [value for value in HOSTILE if value.isprintable() and len(value) <= 100]
POLICIES = """\
services:
  cluster:
    audience: https://cluster.example.com
    claims:
      groups: ["team:{metadata.team}", "sa:{service_account}"]
      access: [{type: repository, name: "{metadata.image}", actions: [pull]}]
  by-job:
    audience: https://by-job.example.com
    claims:
      groups: ["repo:{workload.repository_id}", "{workload.repository}"]
      kind: "{workload.ref_type}"
service_accounts:
  by-job: {grants: {by-job: []}}
policies:
  by-job:
    service_account: by-job
    issuer: github
    match: {repository: octo-org/octo-repo, ref_type: PINNED}
""".replace("PINNED", json.dumps(["branch", *PINNED]))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def test_what_fits_is_filled_in_as_it_is(broker: RunningBroker) -> None:
    account = an_account(grants={"cluster": ()}, metadata={"team": "web", "image": "octo/web"})
    secret = give(broker, account)

    by_secret = ask(broker, account.client_id, secret, audience="cluster")
    by_token = broker.exchange(broker.github_token(repository="Octo-Org/octo-repo"),
                               audience="by-job")  # fmt: skip

    claims = verified(broker, by_secret, audience=CLUSTER)
    assert claims["groups"] == ["team:web", f"sa:{account.client_id}"]
    assert claims["access"] == [{"type": "repository", "name": "octo/web", "actions": ["pull"]}]
    claims = verified(broker, by_token, audience=BY_JOB)
    assert claims["groups"] == ["repo:456789", "octo-org/octo-repo"]
    assert claims["kind"] == "branch"


@pytest.mark.parametrize("value", [*HOSTILE, "", None, ["web"], {"a": "b"}, 1.5], ids=repr)
@pytest.mark.parametrize("member", ["team", "image"])
def test_metadata_of_another_form_makes_no_token(
    broker: RunningBroker, member: str, value: Any
) -> None:
    metadata = {"team": "web", "image": "octo/web", member: value}
    account = an_account(grants={"cluster": ()}, metadata=metadata)

    answer = ask(broker, account.client_id, give(broker, account), audience="cluster")

    assert_refused(broker, answer, "claim_invalid")
    told = answer.json()["error_description"]
    assert f"{{metadata.{member}}}" in told
    assert f"set metadata.{member} of service account {account.client_id}" in told
    assert told.isascii()
    assert told.isprintable()


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_an_id_of_another_form_makes_no_token(broker: RunningBroker, value: str) -> None:
    token = broker.github_token(repository_id=value)

    answer = broker.exchange(token, audience="by-job")

    # What no platform would say is refused as such before any policy is asked, most of it.
    assert_refused(broker, answer, "claim_invalid")


@pytest.mark.parametrize("value", PINNED, ids=repr)
def test_a_claim_of_another_form_makes_no_token_though_the_policy_pins_it(
    broker: RunningBroker, value: str
) -> None:
    answer = broker.exchange(broker.github_token(ref_type=value), audience="by-job")

    assert_refused(broker, answer, "claim_invalid")
    assert "claims.kind '{workload.ref_type}'" in answer.json()["error_description"]


def test_a_refused_token_was_not_spent(broker: RunningBroker) -> None:
    token = broker.github_token(ref_type="*")

    for _ in range(2):
        assert_refused(broker, broker.exchange(token, audience="by-job"), "claim_invalid")


def test_the_explanation_names_the_template_and_makes_no_token(broker: RunningBroker) -> None:
    form = {
        "subject_token": broker.github_token(ref_type="*"),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": "by-job",
    }
    answer = broker.request("POST", "/oauth/explain", data=form)

    told = answer.json()
    assert (answer.status_code, told["decision"], told["reason"]) == (200, "deny", "claim_invalid")
    assert "claims.kind '{workload.ref_type}' of service by-job" in told["fix"]


def test_a_client_cannot_pass_for_a_job(broker: RunningBroker) -> None:
    account = an_account(grants={"by-job": ()}, metadata={"repository_id": "456789"})

    answer = ask(broker, account.client_id, give(broker, account), audience="by-job")

    assert_refused(broker, answer, "grant_not_allowed")
    assert "only a CI token buys one" in answer.json()["error_description"]
