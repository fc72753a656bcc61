"""A policy set travels between two processes of one broker and is afterwards what it was."""

import pickle

import pytest

from broker.core.conditions import Glob, Not, Present, Regex
from broker.core.decision import Permit
from broker.core.platforms import PRESETS
from broker.core.policy import KeySource, Mode, PolicySet, WorkloadDetail
from tests.core.builders import (
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    some_conditions,
    the_decision,
)
from tests.core.shaped_services import a_shaped_service

RICH = a_policy_set(
    a_policy(
        "web",
        {
            "repository": ["acme/web", Glob("acme/web-*")],
            "ref": Regex("refs/heads/(main|dev)"),
            "environment": Not(Glob("tmp-*")),
            "actor_id": Present(),
        },
        grants={"deploy-api": ["deploy:read"]},
        expires_at=1_900_000_000.0,
        place="web.yaml:3",
    ),
    a_policy("watched", mode=Mode.OBSERVE),
    a_deny_policy(match={"/user/login": "eve"}, services=frozenset({"deploy-api"})),
    issuers=[
        an_issuer("github", require=some_conditions({"repository_owner_id": 1234567})),
        an_issuer("gitlab", keys=KeySource(b"{}", ca_certificates=b"\x30", proxy="http://p")),
        an_issuer("ci"),
    ],
    services=[
        a_service(require=some_conditions({"repository": "ACME/web"}), organizations=("o",)),
        a_shaped_service(
            {"groups": ["ci", "{metadata.team}"], "access": [{"name": "{workload.repository}"}]},
            {"team": "{metadata.team}"},
            name="aws",
            profile="aws",
            transitive_tags=("team",),
        ),
    ],
    accounts=[an_account(metadata={"team": "web", "tier": 1}, instances=("repository_id",))],
)


def travelled(policy_set: PolicySet) -> PolicySet:
    arrived = pickle.loads(pickle.dumps(policy_set))  # noqa: S301 - made in this very line
    assert isinstance(arrived, PolicySet)
    return arrived


def test_a_policy_set_survives_pickling() -> None:
    assert travelled(RICH) == RICH


def test_what_is_left_out_of_comparisons_survives_too() -> None:
    policy_set = travelled(RICH)

    assert policy_set.policies["web"].place == "web.yaml:3"
    assert policy_set.issuer_by_url("https://ci.example") is policy_set.issuers["ci"]
    assert policy_set.service("https://deploy-api.example") is policy_set.services["deploy-api"]
    (minimum,) = policy_set.services["deploy-api"].minimum(policy_set.issuers["github"])
    assert minimum.folded
    assert policy_set.services["deploy-api"].workload is WorkloadDetail.FULL
    assert policy_set.services["deploy-api"].shape is None
    assert policy_set.services["aws"].shape == RICH.services["aws"].shape
    (pointer,) = policy_set.policies["no"].conditions
    assert pointer.value_in({"user": {"login": "eve"}}) == "eve"


@pytest.mark.parametrize("name", PRESETS)
def test_a_platform_travels_by_its_name_and_stays_itself(name: str) -> None:
    pickled = pickle.dumps(PRESETS[name])

    assert pickle.loads(pickled) is PRESETS[name]  # noqa: S301 - made above
    assert len(pickled) < 100


def test_a_set_that_travelled_decides_as_before() -> None:
    policy_set = a_policy_set(a_policy())

    decision = the_decision(travelled(policy_set))

    assert isinstance(decision, Permit)
    assert decision == the_decision(policy_set)


def test_where_a_policy_is_written_does_not_change_what_it_says() -> None:
    assert a_policy(place="a.yaml:1") == a_policy(place="b.yaml:9")
