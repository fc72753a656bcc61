"""Which decisions change, what each comes to instead, and which are passed over."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.broker_service import broker_service
from broker.core.conditions import Glob, Not, Present
from broker.core.decision import DecisionRequest
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode
from broker.core.simulation.change import Group
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
    DEPLOY,
    kinds,
    now,
    recorded,
    recorded_client,
    simulated,
    then,
)

WEB = a_policy("web", {"repository": "acme/web", "ref": "refs/heads/main"})
BEFORE = then(WEB)


def only(policy_set: Any, *events: Any, **more: Any) -> Group:
    """Give the one change that there is."""
    report = simulated(policy_set, *events, **more)
    [group] = [each for groups in report.groups.values() for each in groups]
    return group


def test_what_nothing_touches_is_unchanged() -> None:
    report = simulated(now(WEB), recorded(BEFORE), recorded(BEFORE, ref="refs/heads/x"))

    assert kinds(report) == {"unchanged": 2}


def test_a_policy_that_is_gone_denies() -> None:
    group = only(now(), recorded(BEFORE))

    change = group.change
    assert (change.kind, change.reason) == (Kind.NEWLY_DENIED, "no_policy_matched")
    assert change.losses == ("deploy:read", "deploy:write")
    assert [(each.policy, each.what) for each in change.causes] == [("web", "is not there")]


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        (replace(WEB, mode=Mode.OBSERVE), "is only observed"),
        (replace(WEB, expires_at=NOW - 1.0), "had expired"),
        (replace(WEB, issuer="gitlab"), "is for another issuer"),
        (a_policy("web", {"repository": "acme/web", "ref": ["a", "b"]}), "ref: [a, b]"),
        (a_policy("web", {"repository": "acme/web", "actor_id": Not(Glob("5*"))}),
         'actor_id: {not: {glob: "5*"}}'),
    ],
)  # fmt: skip
def test_it_is_told_why_a_policy_permits_no_more(policy: Any, what: str) -> None:
    [cause] = only(now(policy), recorded(BEFORE)).change.causes

    assert (cause.policy, cause.what) == ("web", what)


def test_a_policy_that_no_longer_names_the_event_says_so() -> None:
    before = then(a_policy("web", {"repository": "acme/web", "event_name": "pull_request"}))
    after = now(a_policy("web", {"repository": "acme/web"}))

    [cause] = only(after, recorded(before, event_name="pull_request")).change.causes

    assert cause.what == "does not name the event that started the job"


def test_a_new_deny_policy_is_named() -> None:
    deny = a_deny_policy("no-hosted", {"runner_environment": "github-hosted"})
    change = only(now(WEB, deny), recorded(BEFORE)).change

    assert change.reason == "denied_by_policy"
    assert [(each.policy, each.what) for each in change.causes] == [("no-hosted", "denies it")]


def test_a_policy_that_holds_and_grants_less_has_no_cause_but_the_scope() -> None:
    request = replace(DEPLOY, scopes=("deploy:write",))
    narrower = replace(WEB, grants={"deploy-api": frozenset({"deploy:read"})})

    change = only(now(narrower), recorded(BEFORE, request)).change

    assert (change.causes, change.reason, change.detail) == (
        (),
        "scope_not_allowed",
        "deploy:write",
    )


def test_a_wider_policy_permits() -> None:
    wider = a_policy("web", {"repository": "acme/web"})
    change = only(now(wider), recorded(BEFORE, ref="refs/heads/x")).change

    assert (change.kind, change.policies, change.service) == (
        Kind.NEWLY_PERMITTED,
        ("web",),
        "deploy-api",
    )
    assert change.gains == ("deploy:read", "deploy:write")
    assert change.causes == ()


def test_with_the_set_of_before_it_is_told_what_stood_between() -> None:
    wider = a_policy("web", {"repository": "acme/web"})
    base = IndexedPolicies.of(BEFORE)
    [cause] = only(now(wider), recorded(BEFORE, ref="refs/heads/x"), base=base).change.causes

    assert (cause.policy, cause.what) == ("web", "ref: refs/heads/main")


def test_other_scopes_another_account_and_another_life_are_changes() -> None:
    other = replace(
        WEB,
        service_account="web-2",
        grants={"deploy-api": frozenset({"deploy:read"})},
        ttl=120,
    )
    accounts = [an_account(), an_account("web-2")]
    group = only(now(other, accounts=accounts), recorded(BEFORE))

    change = group.change
    assert change.kind is Kind.CHANGED
    assert (change.gains, change.losses) == ((), ("deploy:write",))
    assert change.others == (
        ("service_account", "deploy-web", "web-2"),
        ("sub", "deploy-web", "web-2"),
    )
    assert (change.life, group.ttls) == ("shorter", (600, 120))


def test_a_longer_life_is_a_change() -> None:
    group = only(now(replace(WEB, ttl=900)), recorded(BEFORE))

    assert (group.change.life, group.change.gains, group.ttls) == ("longer", (), (600, 900))


def test_another_audience_is_a_change() -> None:
    service = replace(a_service(), audience="https://elsewhere.example")
    change = only(now(WEB, services=[service]), recorded(BEFORE)).change

    assert change.others == (
        ("audience", "https://deploy-api.example", "https://elsewhere.example"),
    )
    assert change.service == "deploy-api"


def test_a_broker_at_another_url_is_no_change() -> None:
    def policies_of(url: str) -> dict[str, Any]:
        own = broker_service(url, ttl=600, max_ttl=3600, signing_alg="RS256")
        return {
            "services": [own],
            "accounts": [an_account(grants={"broker": ["broker:audit:read"]})],
        }

    was = then(a_policy(), **policies_of("https://broker.example"))
    event = recorded(was, DecisionRequest(("broker",)))

    after = now(a_policy(), **policies_of("http://127.0.0.1:8080"))
    assert kinds(simulated(after, event)) == {"unchanged": 1}


def test_another_reason_to_refuse_is_no_change() -> None:
    deny = a_deny_policy("no", {"repository": "acme/web"})
    refused = recorded(BEFORE, ref="refs/heads/x")

    assert kinds(simulated(now(deny), refused)) == {"unchanged": 1}


def test_what_was_only_explained_is_compared_by_its_decision_alone() -> None:
    permitted = recorded(BEFORE, explained=True)
    refused = recorded(BEFORE, explained=True, ref="refs/heads/x")

    assert kinds(simulated(now(replace(WEB, ttl=60)), permitted, refused)) == {"unchanged": 2}
    assert kinds(simulated(now(), permitted, refused)) == {"newly_denied": 1, "unchanged": 1}


def test_alike_changes_of_many_refs_are_told_as_one() -> None:
    wider = a_policy("web", {"repository": "acme/web"})
    events = [recorded(BEFORE, ref=f"refs/heads/x-{number}") for number in range(30)]
    events += [recorded(BEFORE, ref="refs/heads/x-1", at=NOW + 60)]

    group = only(now(wider), *events)

    assert (group.runs, len(group.refs), group.all_refs) == (31, 20, False)
    assert (group.first, group.last) == (NOW, NOW + 60)
    assert list(group.refs)[:2] == ["x-0", "x-1"]


def test_pull_requests_are_one_ref_and_a_tag_is_its_name() -> None:
    outsider = then(a_policy("web", {"repository": "acme/web", "event_name": "pull_request"}))
    events = [
        recorded(outsider, event_name="pull_request", ref=f"refs/pull/{number}/merge")
        for number in (1, 2)
    ]

    assert list(only(now(), *events).refs) == ["pull requests"]
    tagged = recorded(then(a_policy("web")), ref="refs/tags/v1")
    assert list(only(now(), tagged).refs) == ["v1"]


def test_a_job_of_gitlab_goes_by_its_project_and_one_of_elsewhere_by_its_tenant() -> None:
    before = then(
        a_policy("project", {"project_path": "acme/platform/web"}, issuer="gitlab"),
        a_policy("org", {"organization_id": "o-1"}, issuer="ci"),
        issuers=[an_issuer("gitlab"), an_issuer("ci")],
    )
    events = [
        recorded(before, issuer="gitlab"),
        recorded(before, issuer="ci", organization_id="o-1"),
    ]
    report = simulated(now(issuers=[an_issuer("gitlab"), an_issuer("ci")]), *events)

    told = {
        group.change.subject.tenant: list(group.refs) for group in report.groups[Kind.NEWLY_DENIED]
    }
    assert told == {"acme/platform/web": ["main"], "o-1": []}


def test_a_job_of_an_issuer_that_is_trusted_no_more_goes_by_its_sub() -> None:
    before = then(
        a_policy("org", {"organization_id": "o-1"}, issuer="ci"), issuers=[an_issuer("ci")]
    )
    change = only(now(), recorded(before, issuer="ci", organization_id="o-1")).change

    assert (change.reason, change.causes) == ("issuer_not_trusted", ())
    assert change.subject.tenant


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enabled": False}, "issuer_disabled"),
        ({"audiences": frozenset({"https://other.example"})}, "audience_mismatch"),
        ({"max_token_lifetime": 60}, "token_lifetime_too_long"),
    ],
)
def test_what_the_files_say_of_tokens_counts_too(changes: dict[str, Any], reason: str) -> None:
    after = now(WEB, issuers=[an_issuer("github", **changes)])

    assert only(after, recorded(BEFORE)).change.reason == reason


def test_an_audience_in_a_list_of_one_is_an_audience() -> None:
    after = now(WEB, issuers=[an_issuer("github", audiences=frozenset({"https://x.example"}))])
    event = recorded(BEFORE, aud=["https://broker.example"])

    assert kinds(simulated(after, event)) == {"newly_denied": 1}
    own = frozenset({"https://x.example"})
    assert kinds(simulated(after, event, own_audiences=own)) == {"unchanged": 1}


def test_policies_hold_as_they_held_at_the_instant_of_then() -> None:
    ends = replace(WEB, expires_at=NOW + 100.0)
    events = [recorded(BEFORE, at=NOW + 99), recorded(BEFORE, at=NOW + 100)]

    assert kinds(simulated(now(ends), *events)) == {"unchanged": 1, "newly_denied": 1}


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({"type": "policy.reloaded"}, "other"),
        ({"count": 3, "claims": None}, "counted"),
        ({"reason": "token_expired"}, "before_policies"),
        ({"reason": "claim_invalid"}, "before_policies"),
        ({"reason": "token_already_used"}, "already_used"),
        ({"reason": "blocked", "target": "b-1"}, "blocked"),
    ],
)
def test_what_no_policy_decided_is_passed_over(changes: dict[str, Any], counted: str) -> None:
    report = simulated(now(), recorded(BEFORE, ref="refs/heads/x") | changes)

    assert report.decisions == 0
    assert {each.value: count for each, count in report.passed_over.items() if count} == {
        counted: 1
    }


def test_an_instance_without_a_value_was_a_decision() -> None:
    account = an_account("ci", instances=("environment",))
    before = then(a_policy("ci", service_account="ci"), accounts=[account])
    after = now(a_policy("ci", service_account="ci"), accounts=[replace(account, instances=())])
    event = recorded(before)

    assert event["reason"] == "claim_invalid"
    assert kinds(simulated(after, event)) == {"newly_permitted": 1}


def test_instances_are_told_apart() -> None:
    account = an_account("ci", instances=("repository_id",))
    policy = a_policy("ci", {"repository_owner": "acme"}, service_account="ci")
    before = then(policy, accounts=[account])
    events = [recorded(before), recorded(before, repository_id="7"), recorded(before)]

    assert kinds(simulated(now(policy, accounts=[account]), *events)) == {"unchanged": 3}
    changed = only(now(policy, accounts=[replace(account, instances=())]), *events[:1]).change
    assert changed.others == (("sub", "ci:repository_id:456789", "ci"),)


CI = an_account("ci-bot", secrets_allowed=True)


def test_a_client_is_decided_by_the_grants_of_its_account() -> None:
    before = then(accounts=[CI])
    issued = recorded_client(before, "ci-bot")
    refused = recorded_client(before, "ci-bot", DecisionRequest(("nothing",)))
    read = {"deploy-api": frozenset({"deploy:read"})}

    assert kinds(simulated(now(accounts=[CI]), issued, refused, issued)) == {"unchanged": 3}
    change = only(now(accounts=[replace(CI, grants=read)]), issued).change
    assert (change.subject.client, change.losses) == (True, ("deploy:write",))


@pytest.mark.parametrize("changes", [{"enabled": False}, {"secrets_allowed": False}])
def test_a_client_whose_account_may_show_no_secret_is_denied(changes: dict[str, Any]) -> None:
    issued = recorded_client(then(accounts=[CI]), "ci-bot")

    change = only(now(accounts=[replace(CI, **changes)]), issued).change

    assert change.reason == "client_unknown_or_bad_secret"
    assert change.causes == ()


def test_a_client_whose_account_was_in_the_files_before_is_denied() -> None:
    before = then(accounts=[CI])
    base = IndexedPolicies.of(before)

    assert only(now(), recorded_client(before, "ci-bot"), base=base).change.reason == (
        "client_unknown_or_bad_secret"
    )


def test_a_client_that_is_newly_permitted_has_no_policy_to_thank() -> None:
    before = then(accounts=[replace(CI, grants={"deploy-api": frozenset()})])
    request = replace(DEPLOY, scopes=("deploy:read",))
    event = recorded_client(before, "ci-bot", request)
    base = IndexedPolicies.of(before)

    change = only(now(accounts=[CI]), event, base=base).change
    assert (change.kind, change.policies, change.causes) == (Kind.NEWLY_PERMITTED, (), ())


def test_a_target_that_no_file_names_any_more_is_told_as_it_was_asked() -> None:
    services = [replace(a_service("other"), audience="https://other.example")]
    permitted = only(now(services=services), recorded(BEFORE))
    assert permitted.change.service == "https://deploy-api.example"

    explained = recorded(BEFORE, explained=True)
    assert only(now(services=services), explained).change.service == "deploy-api"
    unnamed = recorded(BEFORE, DecisionRequest(), explained=True)
    assert only(now(), unnamed).change.service is None


def test_a_service_under_another_name_is_told_by_the_name_that_is_gone() -> None:
    renamed = replace(a_service("deploy"), audience=a_service().audience)
    account = an_account(grants={"deploy": ["deploy:read", "deploy:write"]})
    change = only(now(WEB, services=[renamed], accounts=[account]), recorded(BEFORE)).change

    assert (change.reason, change.service) == ("target_unknown", "deploy-api")


def test_present_and_null_claims_are_told_apart_from_what_was_asked() -> None:
    policy = a_policy("web", {"repository": "acme/web", "environment": Present()})
    events = [recorded(then(WEB), environment=value) for value in (None, "", "production")]

    assert kinds(simulated(now(policy), *events)) == {"newly_denied": 2, "unchanged": 1}
