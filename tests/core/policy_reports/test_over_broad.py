"""What a policy allows and nobody was seen to need, with the line that says less."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.conditions import Condition, Equals, Glob, Not, Present, Regex
from broker.core.decision import DecisionRequest
from broker.core.policy import Mode
from broker.core.policy_reports.report_name import ReportName
from broker.core.policy_reports.seen_values import MAX_LENGTH, MAX_VALUES
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_service,
    an_account,
    an_issuer,
    some_grants,
)
from tests.core.policy_reports.reporting_of import lines, members, reported
from tests.core.simulation.recording import now, recorded, then

PINNED = {"repository": "acme/web", "ref": "refs/heads/main", "environment": "production"}
READ = DecisionRequest(("deploy-api",), ("deploy:read",))
BOTH = DecisionRequest(("deploy-api",), ("deploy:read", "deploy:write"))


def proposed(match: dict[str, Any], *jobs: dict[str, Any], **more: Any) -> list[str]:
    files = then(a_policy("web", match, **more))
    issuer = more.get("issuer", "github")
    return lines(files, *(recorded(files, BOTH, issuer=issuer, **job) for job in jobs))


def web(**match: Any) -> dict[str, Any]:
    return {name: value for name, value in {**PINNED, **match}.items() if value is not ...}


def test_a_policy_as_narrow_as_its_runs_is_not_told() -> None:
    assert proposed(PINNED, {"environment": "production"}) == []


def test_a_claim_without_condition_is_pinned_to_what_was_seen() -> None:
    main = {"environment": "production"}
    assert proposed(web(ref=...), main, main) == ["ref: refs/heads/main"]
    assert proposed(web(environment=...), main) == ["environment: production"]
    both = proposed(web(environment=...), main, {"environment": "Staging"})
    assert both == ["environment: [production, Staging]"]


def test_a_job_without_the_claim_speaks_against_pinning_it() -> None:
    assert proposed(web(environment=...), {"environment": "production"}, {}) == []


def test_many_values_are_not_all_named() -> None:
    jobs = [{"environment": "production", "ref": f"refs/heads/{each}"} for each in range(6)]

    assert proposed(web(ref=...), *jobs[:5])
    assert proposed(web(ref=...), *jobs) == []


def test_all_pull_requests_are_one_value() -> None:
    match = web(ref=..., event_name="pull_request")
    job = {"environment": "production", "event_name": "pull_request"}
    found = proposed(match, *({**job, "ref": f"refs/pull/{each}/merge"} for each in range(20)))

    assert found == ['ref: {glob: "refs/pull/*/merge"}']


@pytest.mark.parametrize(
    "matcher",
    [Glob("refs/heads/**"), Regex("refs/heads/.*"), Not(Equals("refs/heads/x")), Present()],
)
def test_a_pattern_is_replaced_by_what_it_took(matcher: Any) -> None:
    found = proposed(web(ref=matcher), {"environment": "production"})

    assert found == ["ref: refs/heads/main"]


def test_a_list_loses_what_nobody_had() -> None:
    match = web(ref=["refs/heads/main", Glob("refs/heads/release/*"), Glob("refs/tags/*")])
    main, tag = ({"environment": "production", "ref": f"refs/{each}"} for each in (
        "heads/main", "tags/v1",
    ))  # fmt: skip

    assert proposed(match, main) == ["ref: refs/heads/main"]
    assert proposed(match, main, tag) == ['ref: [refs/heads/main, {glob: "refs/tags/*"}]']
    found = proposed(match, main, tag, {**main, "ref": "refs/heads/release/1"})
    assert found == []


def test_an_event_that_is_allowed_and_never_came_is_told() -> None:
    found = proposed(web(event_name=["push", "pull_request"]), {"environment": "production"})

    assert found == ["event_name: push"]


def test_a_list_of_one_is_as_narrow_as_it_can_be() -> None:
    assert proposed(web(ref=["refs/heads/main"]), {"environment": "production"}) == []
    assert proposed(web(ref=Glob("refs/heads/main")), {"environment": "production"}) == []


def test_owner_wide_is_told_with_the_repositories_that_came() -> None:
    match = web(repository=..., repository_owner_id="123456")
    files = then(a_policy("web", match))
    events = [
        recorded(files, BOTH, environment="production", repository=name, repository_id=number)
        for name, number in (("acme/web", "456789"), ("acme/web", "456789"), ("acme/api", "9"))
    ]
    [found] = members(files, *events)["over_broad"]["found"]

    assert found["line"] == "repository_id: [456789, 9]"
    assert found["seen"] == [
        {"value": "456789", "name": "acme/web", "runs": 2},
        {"value": "9", "name": "acme/api", "runs": 1},
    ]
    assert (found["breadth"], found["runs"], found["few"]) == ("not_pinned", 3, True)


def test_repositories_that_act_as_themselves_may_be_any_number() -> None:
    match = web(repository=..., repository_owner_id="123456")
    account = an_account(instances=("repository_id",))
    files = then(a_policy("web", match), accounts=[account])

    assert lines(files, recorded(files, BOTH, environment="production")) == []


def test_gitlab_is_told_to_demand_protected_refs() -> None:
    match = {"project_id": "4242", "environment": "production"}
    job = {"environment": "production"}
    both = proposed(match, job, job, issuer="gitlab")
    assert both == ["ref: main", "ref_protected: true"]
    unprotected = {**job, "ref_protected": "false"}
    assert proposed(match, job, unprotected, issuer="gitlab") == ["ref: main"]


def test_what_the_issuer_requires_needs_no_condition() -> None:
    github = an_issuer("github", require=(Condition("ref", Equals("refs/heads/main")),))
    files = then(a_policy("web", web(ref=...)), issuers=[github])

    assert lines(files, recorded(files, BOTH, environment="production")) == []


def test_an_issuer_without_preset_has_only_its_conditions() -> None:
    ci = an_issuer("ci")
    files = then(
        a_policy("web", {"organization_id": ["acme-1", "acme-2"]}, issuer="ci"), issuers=[ci]
    )

    assert lines(files, recorded(files, BOTH, issuer="ci")) == ["organization_id: acme-1"]


def test_a_deny_policy_is_never_too_broad() -> None:
    files = then(a_policy("web", PINNED), a_deny_policy("no", {"ref": Glob("refs/tags/*")}))
    event = recorded(files, BOTH, ref="refs/tags/v1")

    assert lines(files, event, recorded(files, BOTH, environment="production")) == []


def test_what_is_not_on_record_is_not_taken_for_nothing() -> None:
    # Nothing of then named the team, and it is on no list of what is recorded.
    before = a_policy("web", PINNED)
    files = now(a_policy("web", web(team=["a", "b"])))
    found = members(files, recorded(then(before), BOTH, environment="production", team="a"))

    assert found["over_broad"]["found"] == []
    assert found["over_broad"]["not_on_record"] == [{"policy": "web", "claim": "team", "runs": 1}]


def test_a_record_without_room_says_nothing_of_what_it_has_not() -> None:
    wide: dict[str, Any] = {f"claim-{each}": "x" * 900 for each in range(9)}
    files = then(a_policy("web", web(environment=..., **dict.fromkeys(wide, Present()))))
    found = members(files, recorded(files, BOTH, **wide))["over_broad"]["not_on_record"]

    assert {"policy": "web", "claim": "environment", "runs": 1} in found


def test_erased_runs_are_told_and_say_nothing() -> None:
    files = then(a_policy("web", web(ref=...)))
    event = recorded(files, BOTH, environment="production")
    other = recorded(files, BOTH, environment="production", ref="refs/heads/x")
    erased = {**other, "claims": None, "claims_erased": "0" * 64}
    [found] = members(files, event, erased)["over_broad"]["found"]

    assert (found["line"], found["runs"], found["erased"]) == ("ref: refs/heads/main", 1, 1)
    assert lines(files, erased) == []


def test_runs_for_which_the_policy_holds_no_more_say_nothing() -> None:
    before = then(a_policy("web", web(environment=..., ref=...)))
    files = now(a_policy("web", web(environment=..., ref=Glob("refs/heads/*"))))
    tag = recorded(before, BOTH, environment="x", ref="refs/tags/v1")
    main = recorded(before, BOTH, environment="production")

    assert lines(files, tag, main) == ["ref: refs/heads/main", "environment: production"]
    assert lines(files, tag) == []


def test_lists_and_objects_are_no_single_values() -> None:
    files = then(a_policy("web", web(groups=["a", "b", "c"], team=Glob("*"))))
    events = [
        recorded(files, BOTH, environment="production", groups=groups, team=["x"])
        for groups in (["a", "x"], ["b", {}], "a")
    ]

    assert lines(files, *events) == ["groups: [a, b]"]


def test_a_claim_inside_a_claim_is_told_too() -> None:
    files = then(a_policy("web", web(**{"/run/team": ["a", "b"]})))
    event = recorded(files, BOTH, environment="production", run={"team": "a"})

    assert lines(files, event) == ['"/run/team": a']


def test_values_are_bounded() -> None:
    files = then(a_policy("web", web(ref=Glob("refs/heads/**"))))
    reports = reported(
        files,
        *(
            recorded(files, BOTH, environment="production", ref=f"refs/heads/{each}")
            for each in range(MAX_VALUES + 5)
        ),
    )
    assert reports.over_broad is not None
    assert reports.over_broad.found == ()
    long = {"environment": "production", "ref": "refs/heads/" + "x" * MAX_LENGTH}
    assert proposed(web(ref=Glob("refs/heads/**")), long) == []


def test_scopes_that_were_never_granted_are_told() -> None:
    files = then(a_policy("web", PINNED))
    events = [recorded(files, READ, environment="production", at=NOW + each) for each in range(12)]
    [found] = members(files, *events)["over_broad"]["found"]

    assert found["never"] == ["deploy-api: deploy:write"]
    assert found["line"] == "grants: {deploy-api: [deploy:read]}"
    assert (found["breadth"], found["claim"], found["few"]) == ("scopes", None, False)
    everything = recorded(files, environment="production")
    assert lines(files, *events, everything) == []


def test_services_that_were_never_asked_for_are_told() -> None:
    services = [
        a_service(),
        replace(a_service("other"), audience="https://other.example"),
        replace(a_service("bare"), audience="https://bare.example", scopes={}),
    ]
    account = an_account(
        grants={"deploy-api": ["deploy:read"], "other": ["deploy:read"], "bare": []}
    )
    files = then(a_policy("web", PINNED), services=services, accounts=[account])
    [found] = members(files, recorded(files, environment="production"))["over_broad"]["found"]

    assert found["never"] == ["bare", "other: deploy:read"]
    assert found["line"] == "grants: {deploy-api: [deploy:read]}"
    assert found["asked_for_all"] == 1


def test_what_the_account_does_not_hold_is_not_told() -> None:
    grants = some_grants({"deploy-api": ["deploy:read", "deploy:write"], "other": ["deploy:read"]})
    services = [a_service(), replace(a_service("other"), audience="https://other.example")]
    files = then(
        replace(a_policy("web", PINNED), grants=grants),
        accounts=[an_account(grants={"deploy-api": ["deploy:read"]})],
        services=services,
    )

    assert lines(files, recorded(files, environment="production")) == []


def test_tokens_for_a_service_that_is_gone_say_nothing_of_scopes() -> None:
    gone = [replace(a_service("other"), audience="https://other.example")]
    account = an_account(grants={"other": ["deploy:read"]})
    files = now(a_policy("web", PINNED), services=gone, accounts=[account])

    assert lines(files, recorded(then(a_policy("web", PINNED)), environment="production")) == []


def test_an_observed_policy_is_labelled() -> None:
    files = then(replace(a_policy("web", web(ref=...)), mode=Mode.OBSERVE))
    event = {**recorded(files, environment="production"), "observed": ["web"]}
    [found] = members(files, event)["over_broad"]["found"]

    assert (found["observed"], found["line"]) == (True, "ref: refs/heads/main")


def test_a_policy_that_is_observed_by_now_was_used_while_it_counted() -> None:
    before = then(a_policy("web", web(ref=...)))
    files = now(replace(a_policy("web", web(ref=...)), mode=Mode.OBSERVE))

    assert lines(files, recorded(before, BOTH, environment="production")) == [
        "ref: refs/heads/main"
    ]


def test_only_what_was_asked_for_is_reported() -> None:
    files = then(a_policy("web", web(ref=...)))
    found = members(files, recorded(files), only=(ReportName.UNUSED,))

    assert found["over_broad"] is None
    assert found["sub_form"] is None
    assert found["unused"] is not None


def on_pull_requests(ref: Any, *numbers: int) -> list[str]:
    """The lines for a policy on refs, after these pull requests."""
    match = {"repository_id": "456789", "event_name": "pull_request", "ref": ref}
    files = then(a_policy("web", match))
    of = [f"refs/pull/{number}/merge" for number in numbers]
    return lines(files, *(recorded(files, ref=each, event_name="pull_request") for each in of))


@pytest.mark.parametrize(
    ("ref", "line"),
    [
        (Glob("refs/**"), 'ref: {glob: "refs/pull/*/merge"}'),
        (Present(), 'ref: {glob: "refs/pull/*/merge"}'),
        (Glob("refs/pull/1*/merge"), "ref: [refs/pull/11/merge, refs/pull/13/merge]"),
        (Regex("refs/pull/1[0-9]/merge"), "ref: [refs/pull/11/merge, refs/pull/13/merge]"),
        (Not(Equals("refs/pull/12/merge")), "ref: [refs/pull/11/merge, refs/pull/13/merge]"),
    ],
)
def test_what_is_proposed_for_pull_requests_allows_none_that_was_refused(
    ref: Any, line: str
) -> None:
    assert on_pull_requests(ref, 11, 13) == [line]


def test_the_refs_of_all_pull_requests_are_no_narrower_than_themselves() -> None:
    assert on_pull_requests(Glob("refs/pull/*/merge"), 11, 13) == []


def test_an_item_that_any_pull_request_needed_stays() -> None:
    both = [Glob("refs/pull/1*/merge"), Glob("refs/pull/2*/merge")]

    assert on_pull_requests(both, 11, 21) == []
    assert on_pull_requests(both, 11, 13) == ['ref: {glob: "refs/pull/1*/merge"}']
    assert on_pull_requests(["refs/pull/11/merge", "refs/pull/21/merge"], 11, 21) == []


def test_an_environment_with_the_name_of_a_pattern_is_itself_alone() -> None:
    match = {"repository_id": "456789", "ref": "refs/heads/main", "environment": Glob("**")}
    files = then(a_policy("web", match))
    [line] = lines(files, recorded(files, environment="refs/pull/*/merge"))

    assert "glob" not in line
