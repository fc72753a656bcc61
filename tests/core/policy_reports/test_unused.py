"""Which policies, accounts and services nobody used, and what must be said beside."""

from dataclasses import replace
from typing import Any

from broker.core.decision import DecisionRequest
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode
from broker.core.policy_reports.report_name import ReportName
from tests.core.builders import NOW, a_deny_policy, a_policy, a_service, an_account
from tests.core.policy_reports.reporting_of import members, reported
from tests.core.simulation.recording import now, recorded, recorded_client, then

WEB = a_policy("web")
OLD = a_policy("old", {"repository": "acme/old"})


def unused(*args: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = members(*args, only=(ReportName.UNUSED,), **more)["unused"]
    return found


def names(*args: Any, **more: Any) -> list[str]:
    return [each["policy"] for each in unused(*args, **more)["policies"]]


def test_a_policy_that_permitted_a_run_is_used_and_another_is_not() -> None:
    files = then(WEB, OLD)
    found = unused(files, recorded(files), recorded(files, at=NOW + 60))

    [old] = found["policies"]
    assert old == {
        "policy": "old",
        "effect": "allow",
        "observed": False,
        "issuer": "github",
        "decisions": 2,
        "first": "2026-11-21T22:26:40.000Z",
        "last": "2026-11-21T22:27:40.000Z",
        "in_force": {"decisions": 2, "first": "2026-11-21T22:26:40.000Z"},
        "refused": 0,
        "explained": 0,
    }


def test_a_deny_policy_is_used_once_it_denied() -> None:
    no = a_deny_policy("no", {"ref": "refs/heads/x"})
    files = then(WEB, no)

    assert names(files, recorded(files, ref="refs/heads/x")) == ["web"]
    assert names(files, recorded(files)) == ["no"]


def test_a_refusal_for_another_reason_makes_no_policy_used() -> None:
    files = then(WEB)
    request = DecisionRequest(("deploy-api",), ("deploy:delete",))
    [web] = unused(files, recorded(files, request))["policies"]

    assert (web["policy"], web["refused"]) == ("web", 1)


def test_an_explanation_makes_no_policy_used() -> None:
    files = then(WEB)
    found = unused(files, recorded(files, explained=True))

    assert [(each["policy"], each["explained"]) for each in found["policies"]] == [("web", 1)]
    assert found["accounts"] == ["deploy-web"]


def test_a_policy_newer_than_the_record_is_not_called_unused() -> None:
    before, files = then(WEB), now(WEB, a_policy("newer", {"repository_id": "456789"}))
    found = unused(files, recorded(before), recorded(before))

    assert found["newer"] == [{"policy": "newer", "would_decide": 2, "may_decide": 0}]
    assert found["policies"] == []


def test_a_policy_that_would_permit_what_was_refused_is_not_called_unused() -> None:
    found = unused(now(WEB), recorded(then()))

    assert found["newer"] == [{"policy": "web", "would_decide": 1, "may_decide": 0}]


def test_a_policy_that_may_have_decided_what_is_not_on_record_is_not_called_unused() -> None:
    tier = {"repository": "acme/web", "tier": "1"}
    elsewhere = a_policy("elsewhere", {"repository": "acme/api", "tier": "1"})
    ended = a_policy("ended", tier, expires_at=NOW - 1.0)
    lab = a_policy("lab", {"project_id": "1"}, issuer="gitlab")
    files = now(a_policy("renamed", tier), a_deny_policy("no", tier), elsewhere, ended, lab)
    found = unused(files, recorded(then(WEB)), recorded(then(WEB)))

    assert found["newer"] == [
        {"policy": "no", "would_decide": 0, "may_decide": 2},
        {"policy": "renamed", "would_decide": 0, "may_decide": 2},
    ]
    assert [each["policy"] for each in found["policies"]] == ["elsewhere", "ended"]
    assert (found["accounts"], found["services"]) == ([], [])


def test_an_account_that_may_have_acted_is_not_called_unused() -> None:
    files = now(a_policy("renamed", {"repository": "acme/web", "tier": "1"}))
    of_none = recorded(then(), DecisionRequest(("deploy-api",)))
    found = unused(files, of_none)

    assert (found["accounts"], found["services"]) == ([], [])


def test_a_policy_that_could_change_nothing_beside_another_is_unused() -> None:
    files = now(WEB, a_policy("tiered", {"repository": "acme/web", "tier": "1"}))
    found = unused(files, recorded(then(WEB)))

    assert found["newer"] == []
    assert [each["policy"] for each in found["policies"]] == ["tiered"]


def test_erased_claims_make_no_policy_newer() -> None:
    event = {**recorded(then(WEB)), "claims": None, "claims_erased": "0" * 64}

    assert unused(now(WEB, OLD), event)["newer"] == []


def test_many_kinds_of_what_is_not_on_record_are_looked_at_all_the_same() -> None:
    policies = [
        a_policy(f"p{number}", {"repository": f"acme/r{number}", f"c{number}": "1"})
        for number in range(70)
    ]
    events = [recorded(then(), repository=f"acme/r{number}") for number in range(70)]
    found = unused(now(*policies), *events)

    assert [each["may_decide"] for each in found["newer"]] == [1] * 70


def test_without_any_decision_nobody_is_called_unused() -> None:
    report = reported(then(WEB), only=(ReportName.UNUSED,)).unused
    assert report is not None

    assert (report.policies, report.accounts, report.services) == ((), (), ())
    assert report.without_traffic == ("web",)
    assert not report.has_findings


def test_an_account_of_an_issuer_without_traffic_is_not_called_unused() -> None:
    build = replace(a_service("build-api"), audience="https://build.example")
    idle = replace(a_service("idle-api"), audience="https://idle.example")
    lab = a_policy("lab", {"project_id": "1"}, issuer="gitlab", service_account="lab")
    accounts = [an_account(), an_account("lab", {"build-api": ["deploy:read"]}), an_account("idle")]
    files = then(WEB, lab, accounts=accounts, services=[a_service(), build, idle])
    found = unused(files, recorded(files))

    assert found["without_traffic"] == ["lab"]
    assert (found["accounts"], found["services"]) == (["idle"], ["idle-api"])


def test_an_observed_policy_that_the_record_does_not_know_is_not_called_unused() -> None:
    files = now(replace(WEB, mode=Mode.OBSERVE))

    assert unused(files, recorded(then()))["newer"] == [
        {"policy": "web", "would_decide": 1, "may_decide": 0}
    ]


def test_an_observed_policy_is_used_where_it_held() -> None:
    files = then(replace(WEB, mode=Mode.OBSERVE))
    event = {**recorded(files), "observed": ["web", "gone"]}
    elsewhere = recorded(files, repository="acme/api")

    assert names(files, event) == []
    [web] = unused(files, elsewhere)["policies"]
    assert (web["policy"], web["observed"]) == ("web", True)


def test_what_an_enforced_policy_observed_before_is_no_use() -> None:
    before = {**recorded(then()), "observed": ["old"]}

    assert names(now(WEB, OLD), before) == ["old"]


def test_of_an_issuer_without_traffic_nothing_is_known() -> None:
    files = now(WEB, a_policy("lab", {"project_path": "acme/web"}, issuer="gitlab"))
    found = unused(files, recorded(then(WEB)))

    assert found["without_traffic"] == ["lab"]
    assert found["policies"] == []


def test_a_policy_of_the_same_name_for_another_issuer_is_not_used() -> None:
    elsewhere = then(a_policy("web", {"project_path": "acme/platform/web"}, issuer="gitlab"))
    events = recorded(elsewhere, issuer="gitlab"), recorded(then(), repository="acme/x")

    assert names(now(WEB), *events) == ["web"]


def test_a_policy_whose_runs_were_erased_is_used() -> None:
    event = recorded(then(WEB))
    erased = {**event, "claims": None, "claims_erased": "0" * 64}
    of_nobody = {**erased, "issuer": "gone"}
    report = reported(now(WEB), erased, of_nobody)

    assert report.unused is not None
    assert report.unused.policies == ()
    assert report.read is not None
    assert (report.read.erased, report.read.undecidable) == (1, 2)


def test_it_is_said_of_how_many_decisions_a_policy_was_surely_in_force() -> None:
    before, files = then(WEB), now(WEB, OLD)
    events = recorded(before), recorded(files, at=NOW + 60)
    [old] = unused(files, *events)["policies"]
    assert old["in_force"] == {"decisions": 1, "first": "2026-11-21T22:27:40.000Z"}

    # Of a set of before that is at hand it is known as well.
    had_it = then(WEB, OLD)
    [old] = unused(files, *events, base=IndexedPolicies.of(had_it))["policies"]
    assert old["in_force"] == {"decisions": 2, "first": "2026-11-21T22:26:40.000Z"}
    had_another = then(WEB, replace(OLD, ttl=60))
    [old] = unused(files, *events, base=IndexedPolicies.of(had_another))["policies"]
    assert old["in_force"]["decisions"] == 1


def test_accounts_and_services_that_nobody_used_are_told() -> None:
    accounts = [
        an_account(),
        an_account("by-secret", secrets_allowed=True),
        an_account("idle"),
        an_account("gateway", {}),
    ]
    services = [
        a_service(introspection=("gateway",)),
        replace(a_service("idle-api"), audience="https://idle.example"),
        replace(a_service("broker"), audience="https://broker.example"),
    ]
    files = then(WEB, accounts=accounts, services=services)
    found = unused(files, recorded(files), recorded_client(files, "by-secret"))

    assert found["accounts"] == ["idle"]
    assert found["services"] == ["idle-api"]


def test_a_token_for_a_service_that_is_gone_counts_for_none() -> None:
    files = now(WEB, services=[replace(a_service("other"), audience="https://other.example")])

    assert unused(files, recorded(then(WEB)))["services"] == ["other"]
