"""Decisions that hang on what is not on record are told as such, and never guessed."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.claim_templates import parse_template
from broker.core.conditions import Condition, Equals, Not
from broker.core.decision import DecisionRequest
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode
from broker.core.simulation.outcome import Kind
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_service,
    an_account,
    an_issuer,
)
from tests.core.simulation.recording import (
    kinds,
    now,
    recorded,
    recorded_client,
    simulated,
    then,
)

WEB = a_policy("web", {"repository": "acme/web"})
BEFORE = then(WEB)
TEAM = {"repository": "acme/web", "team": "release"}


def undecidable(policy_set: Any, *events: Any, **more: Any) -> tuple[str | None, tuple[str, ...]]:
    """Give the cause of the one decision that cannot be made, and the claims it hangs on."""
    report = simulated(policy_set, *events, **more)
    assert kinds(report) == {"undecidable": len(events)}
    [group] = report.groups[Kind.UNDECIDABLE]
    return group.change.reason, group.change.claims


def test_a_condition_on_a_claim_that_no_record_holds_is_undecidable() -> None:
    cause, claims = undecidable(now(a_policy("web", TEAM)), recorded(BEFORE))

    assert (cause, claims) == ("claims that are not on record", ("team",))


def test_policies_of_others_and_observed_ones_open_nothing() -> None:
    others = [
        replace(a_policy("observed", TEAM), mode=Mode.OBSERVE),
        a_policy("elsewhere", {"project_id": "1", "team": "release"}, issuer="gitlab"),
        a_policy("team", {"repository": "acme/other", "team": "release"}),
    ]

    assert kinds(simulated(now(WEB, *others), recorded(BEFORE))) == {"unchanged": 1}


def test_an_issuer_without_preset_records_nothing_but_what_policies_name() -> None:
    trusted = [an_issuer("ci")]
    before = then(a_policy("o", {"organization_id": "1"}, issuer="ci"), issuers=trusted)
    match = {"organization_id": "1", "pipeline": "deploy"}
    after = now(a_policy("o", match, issuer="ci"), issuers=trusted)

    event = recorded(before, issuer="ci", organization_id="1", pipeline="deploy")
    assert undecidable(after, event)[1] == ("pipeline",)


def test_it_is_decidable_where_another_condition_fails_anyway() -> None:
    event = recorded(BEFORE, repository="acme/other")
    after = now(a_policy("web", TEAM))

    assert kinds(simulated(after, event)) == {"unchanged": 1}
    assert kinds(simulated(after, event, recorded(BEFORE))) == {"unchanged": 1, "undecidable": 1}


def test_it_is_decidable_where_another_policy_grants_the_same_anyway() -> None:
    after = now(WEB, a_policy("team", TEAM))

    assert kinds(simulated(after, recorded(BEFORE))) == {"unchanged": 1}


def test_what_a_second_policy_may_add_is_undecidable() -> None:
    small = replace(WEB, grants={"deploy-api": frozenset({"deploy:read"})})
    before = then(small)

    _, claims = undecidable(now(small, a_policy("team", TEAM)), recorded(before))
    assert claims == ("team",)


def test_a_deny_that_may_hold_is_undecidable_and_one_for_another_service_is_not() -> None:
    deny = a_deny_policy("no", {"team": "interns"})
    elsewhere = replace(deny, services=frozenset({"elsewhere"}))

    assert undecidable(now(WEB, deny), recorded(BEFORE))[1] == ("team",)
    assert kinds(simulated(now(WEB, elsewhere), recorded(BEFORE))) == {"unchanged": 1}
    refused = recorded(BEFORE, repository="acme/other")
    assert kinds(simulated(now(WEB, deny), refused)) == {"unchanged": 1}


def test_absence_that_a_deny_looks_for_is_unknown_as_well() -> None:
    deny = a_deny_policy("no", {"team": Not(Equals("release"))})

    assert undecidable(now(WEB, deny), recorded(BEFORE))[1] == ("team",)


def test_a_requirement_of_the_issuer_may_hold_or_not() -> None:
    requires = an_issuer("github", require=(Condition("team", Equals("release")),))

    assert undecidable(now(WEB, issuers=[requires]), recorded(BEFORE))[1] == ("team",)


def test_a_requirement_that_fails_by_what_is_on_record_is_decidable() -> None:
    conditions = (Condition("team", Equals("x")), Condition("repository_owner", Equals("other")))
    requires = an_issuer("github", require=conditions)

    assert kinds(simulated(now(WEB, issuers=[requires]), recorded(BEFORE))) == {"newly_denied": 1}


def test_a_requirement_of_the_service_may_hold_or_not() -> None:
    service = a_service(require=(Condition("team", Equals("release")),))
    other = replace(a_service("other"), audience="https://other.example")

    after = now(WEB, services=[service, other])
    assert undecidable(after, recorded(BEFORE))[1] == ("team",)
    refused = recorded(BEFORE, repository="acme/other")
    assert kinds(simulated(after, refused)) == {"unchanged": 1}


def test_of_more_than_can_be_tried_nothing_is_said() -> None:
    many = [a_policy(f"p-{number}", {**TEAM, "team": str(number)}) for number in range(6)]

    assert undecidable(now(*many), recorded(BEFORE))[1] == ("team",)


def test_what_a_policy_of_then_named_is_on_record_or_was_not_there() -> None:
    named = a_policy("team", {"repository": "acme/x", "team": "release"})
    before = then(WEB, named)
    after = now(a_policy("web", TEAM))

    # Nothing but the events tells: the first one that has the claim does.
    first = recorded(before, team="release")
    assert kinds(simulated(after, recorded(before))) == {"undecidable": 1}
    assert kinds(simulated(after, first, recorded(before))) == {
        "unchanged": 1,
        "newly_denied": 1,
    }
    base = IndexedPolicies.of(before)
    assert kinds(simulated(after, recorded(before), base=base)) == {"newly_denied": 1}


def test_the_set_that_decided_decides_the_same() -> None:
    named = then(WEB, a_policy("team", TEAM))

    assert kinds(simulated(named, recorded(named))) == {"unchanged": 1}


def test_where_the_very_set_decides_otherwise_something_is_not_on_record() -> None:
    event = recorded(BEFORE) | {"scopes": ["deploy:read"]}

    assert undecidable(BEFORE, event) == ("this very set decided otherwise then", ())


def test_erased_claims_are_undecidable() -> None:
    event = recorded(BEFORE) | {"claims": None, "claims_erased": "0" * 64}

    assert undecidable(now(WEB), event) == ("the claims were erased", ())


def test_a_claim_that_every_token_has_was_too_large_to_be_recorded() -> None:
    after = now(a_policy("web", {"repository": "acme/web", "workflow": Not(Equals("deploy"))}))
    long = recorded(BEFORE, workflow="x" * 2000)

    assert "workflow" not in long["claims"]
    assert undecidable(after, long)[1] == ("workflow",)


def test_an_event_that_was_too_large_to_be_recorded_is_no_event_to_decide_by() -> None:
    event = recorded(BEFORE)
    del event["claims"]["event_name"]

    assert undecidable(now(WEB), event)[1] == ("event_name",)


def test_where_there_was_no_room_for_more_any_claim_may_be_missing() -> None:
    wide: dict[str, Any] = {f"c{number}": "x" * 900 for number in range(9)}
    before = then(WEB, a_policy("wide", {"repository": "acme/x", **dict.fromkeys(wide, "y")}))
    after = now(WEB, a_deny_policy("no", {"environment": "production"}))
    event = recorded(before, **wide)

    assert undecidable(after, event)[1] == ("environment",)
    assert kinds(simulated(after, recorded(before))) == {"unchanged": 1}


def test_groups_of_gitlab_may_have_been_too_many() -> None:
    match = {"project_path": "acme/platform/web", "groups_direct": "release"}
    policy = a_policy("g", match, issuer="gitlab")
    before = then(policy)

    event = recorded(before, issuer="gitlab", groups_direct=[f"group-{n}" for n in range(200)])
    assert undecidable(replace(before, version="3" * 64), event)[1] == ("groups_direct",)


def test_a_token_without_an_end_on_record_is_undecidable_where_the_end_counts() -> None:
    before = then(a_policy("p", {"project_path": "acme/platform/web"}, issuer="gitlab"))
    event = recorded(before, issuer="gitlab")
    del event["claims"]["exp"]

    after = now(*before.policies.values())
    assert undecidable(after, event) == ("the end of the token is not on record", ("exp",))


def an_api_account_policy(name: str, account: str) -> Any:
    grants = {"deploy-api": frozenset({"deploy:read"})}
    return replace(WEB, name=name, service_account=account, grants=grants)


def test_an_account_that_no_file_has_is_undecidable_and_named() -> None:
    made = an_account("made", {"deploy-api": ["deploy:read"]})
    policy = an_api_account_policy("made", "made")
    event = recorded(then(policy, accounts=[made]))
    after = now(policy, accounts=[])

    report = simulated(after, event)
    [group] = report.groups[Kind.UNDECIDABLE]
    assert group.change.detail == "made"
    assert kinds(simulated(after, event, all_accounts=True)) == {"newly_denied": 1}
    assert kinds(simulated(now(policy, accounts=[made]), event)) == {"unchanged": 1}


def test_an_account_that_is_switched_off_in_the_files_is_no_riddle() -> None:
    after = now(WEB, accounts=[an_account(enabled=False)])

    assert kinds(simulated(after, recorded(BEFORE))) == {"newly_denied": 1}


def test_a_choice_among_accounts_hangs_on_those_that_no_file_has() -> None:
    policies = [an_api_account_policy("a", "made"), an_api_account_policy("b", "deploy-web")]

    assert kinds(simulated(now(*policies), recorded(BEFORE))) == {"undecidable": 1}
    both = [an_account(), an_account("made")]
    assert kinds(simulated(now(*policies, accounts=both), recorded(BEFORE))) == {"newly_denied": 1}


def test_an_unknown_account_behind_an_unknown_claim_is_told_first() -> None:
    policy = replace(an_api_account_policy("a", "made"), conditions=a_policy("x", TEAM).conditions)
    report = simulated(now(policy), recorded(BEFORE))

    [group] = report.groups[Kind.UNDECIDABLE]
    assert (group.change.detail, group.change.claims) == ("made", ())


def test_a_client_that_no_file_has_is_undecidable() -> None:
    event = recorded_client(then(accounts=[an_account("ci-bot")]), "ci-bot", DecisionRequest())

    assert undecidable(now(), event)[0] == "an account that the files do not have"


def test_unknown_claims_of_many_kinds_are_kept_apart() -> None:
    names = [f"claim_{number}" for number in range(70)]
    policies = [
        a_policy(f"p-{name}", {"repository_owner": "acme", name: "x"}, service_account="deploy-web")
        for name in names
    ]
    before = then(a_policy("seen", dict.fromkeys(names, "y") | {"repository": "acme/web"}))
    events = [recorded(before, **dict[str, Any]({name: "y"})) for name in names]

    report = simulated(now(*policies), *events)

    assert report.decisions == 70


@pytest.mark.parametrize("value", [1, True, "1", "true", 1.0, ["1"], {"a": "1"}])
def test_what_a_claim_is_is_told_apart_as_conditions_do(value: Any) -> None:
    match = {"repository": "acme/web", "repository_visibility": "1"}
    after = now(a_policy("web", match))
    values = [1, True, "1", "true", 1.0, ["1"], {"a": "1"}]
    events = [recorded(BEFORE, repository_visibility=each) for each in [value, *values]]

    together = simulated(after, *events)
    alone = [kinds(simulated(after, each)) for each in events]

    counts = {kind: sum(each.get(kind, 0) for each in alone) for kind in Kind}
    assert together.counts == counts


def test_an_expiry_that_a_policy_looks_at_counts() -> None:
    exact = a_policy("web", {"repository": "acme/web", "exp": NOW + 290})

    events = [recorded(BEFORE), recorded(BEFORE, exp=NOW + 291)]
    assert kinds(simulated(now(exact), *events)) == {"unchanged": 1, "newly_denied": 1}


def test_what_a_service_fills_into_its_tokens_may_not_be_on_record() -> None:
    match = {"repository": "acme/web", "tier": "gold"}
    service = a_service(claims={"group": parse_template("{workload.tier}")})
    after = now(a_policy("web", match), services=[service])

    assert undecidable(after, recorded(BEFORE))[1] == ("tier",)
    before = then(a_policy("web", match), services=[service])
    event = recorded(before, tier="gold")
    assert event["type"] == "token.exchanged"
    assert kinds(simulated(replace(before, version="3" * 64), event)) == {"unchanged": 1}


def test_what_it_cannot_be_filled_with_by_what_is_on_record_is_decidable() -> None:
    service = a_service(claims={"group": parse_template("{metadata.team}")})
    after = now(WEB, a_policy("other", TEAM), services=[service])

    assert kinds(simulated(after, recorded(BEFORE))) == {"newly_denied": 1}


def test_a_client_for_whom_nothing_could_be_filled_in_was_decided() -> None:
    account = an_account("bot", secrets_allowed=True)
    service = a_service(claims={"group": parse_template("{metadata.team}")})
    event = recorded_client(then(accounts=[account], services=[service]), "bot")

    assert event["reason"] == "claim_invalid"
    assert kinds(simulated(now(accounts=[account]), event)) == {"newly_permitted": 1}


def test_a_preset_that_is_new_does_not_say_what_was_recorded_before_it() -> None:
    plain = replace(an_issuer("ci"), tenant=("project_path",))
    match = {"project_path": "acme/web"}
    before = then(a_policy("web", match, issuer="ci"), issuers=[plain])
    preset = replace(an_issuer("gitlab"), name="ci", url=plain.url)
    named = {**match, "pipeline_source": "push"}
    seen: dict[str, Any] = {**named, "environment": "production"}
    allow = a_policy("web", {**named, "environment": "production"}, issuer="ci")

    event = recorded(before, issuer="ci", **seen)
    assert undecidable(now(allow, issuers=[preset]), event)[1] == ("pipeline_source",)

    before = then(a_policy("web", named, issuer="ci"), issuers=[plain])
    event = recorded(before, issuer="ci", **seen)
    assert undecidable(now(allow, issuers=[preset]), event)[1] == ("environment",)


def test_an_instance_may_be_named_by_a_claim_that_is_not_on_record() -> None:
    account = an_account("per-team", instances=("team",))
    after = now(a_policy("team", TEAM, service_account="per-team"), accounts=[account])

    assert undecidable(after, recorded(then()))[1] == ("team",)
    elsewhere = recorded(then(), repository="acme/other")
    assert kinds(simulated(after, elsewhere)) == {"unchanged": 1}


def test_events_that_name_no_set_say_nothing_of_each_other() -> None:
    before = then(a_policy("team", {"repository": "acme/web", "team": "interns"}))
    after = now(WEB, a_deny_policy("no", {"team": "interns"}))
    events = [recorded(before, team="release"), recorded(then(WEB))]
    anonymous = [{**each, "policy_set": None} for each in events]

    assert kinds(simulated(after, *anonymous))["undecidable"] == 1


@pytest.mark.parametrize("end", [pytest.param(10**400, id="huge"), -1, 1e300, float("nan")])
def test_an_end_that_no_token_has_is_none(end: float) -> None:
    before = then(a_policy("p", {"project_path": "acme/platform/web"}, issuer="gitlab"))
    event = recorded(before, issuer="gitlab")
    event["claims"] = {**event["claims"], "exp": end, "iat": None}

    after = now(*before.policies.values())
    assert undecidable(after, event) == ("the end of the token is not on record", ("exp",))
