"""Policies that end, and the runs that hang on each of them alone."""

from dataclasses import replace
from typing import Any

from broker.core.conditions import Effect
from broker.core.policy import Mode
from broker.core.policy_reports.report_name import ReportName
from broker.core.policy_reports.reporting import without_traffic
from tests.core.builders import NOW, a_deny_policy, a_policy
from tests.core.policy_reports.reporting_of import DAY, members, wanted
from tests.core.simulation.recording import now, recorded, recorded_client, then

SOON = a_policy("soon", expires_at=float(NOW + 7 * DAY), owner="team-web")


def expiring(*args: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = members(*args, only=(ReportName.EXPIRING,), **more)["expiring"]
    return found


def test_runs_that_nothing_else_permits_depend_on_it() -> None:
    files = then(SOON)
    [found] = expiring(files, recorded(files), recorded(files))["policies"]

    assert found == {
        "policy": "soon",
        "effect": "allow",
        "observed": False,
        "expires": "2026-11-28",
        "expired": False,
        "owner": "team-web",
        "newly_denied": 2,
        "newly_permitted": 0,
        "changed": 0,
    }


def test_runs_that_another_policy_permits_do_not_depend_on_it() -> None:
    files = then(SOON, a_policy("stays"))
    [found] = expiring(files, recorded(files))["policies"]
    assert (found["newly_denied"], found["changed"]) == (0, 0)

    shorter = then(replace(SOON, ttl=60), a_policy("stays"))
    [found] = expiring(shorter, recorded(shorter))["policies"]
    assert (found["newly_denied"], found["changed"]) == (0, 1)


def test_two_that_end_are_also_told_together() -> None:
    files = then(SOON, replace(SOON, name="soon-too"))
    found = expiring(files, recorded(files))

    assert [each["newly_denied"] for each in found["policies"]] == [0, 0]
    assert found["together"]["newly_denied"] == 1


def test_a_deny_policy_lets_in_when_it_ends() -> None:
    no = a_deny_policy("no", expires_at=float(NOW + 1))
    files = then(a_policy("web"), no)
    [found] = expiring(files, recorded(files))["policies"]

    assert (found["effect"], found["newly_permitted"]) == (Effect.DENY, 1)


def test_one_that_has_ended_is_told_with_what_hung_on_it() -> None:
    files = then(a_policy("past", expires_at=float(NOW - DAY)))
    before, after = recorded(files, at=NOW - 2 * DAY), recorded(files, at=NOW)
    [found] = expiring(files, before, after)["policies"]

    assert (found["expired"], found["newly_denied"]) == (True, 1)


def test_only_what_ends_within_the_time_is_told() -> None:
    later = a_policy("later", expires_at=float(NOW + 31 * DAY))
    files = then(later, SOON, a_policy("stays"))

    assert [each["policy"] for each in expiring(files, recorded(files))["policies"]] == ["soon"]


def test_without_traffic_the_end_alone_is_told() -> None:
    found = without_traffic(now(SOON, a_policy("web")), wanted())

    assert found.left_out == (ReportName.UNUSED, ReportName.OVER_BROAD, ReportName.SUB_FORM)
    assert found.expiring is not None
    assert found.expiring.as_json()["policies"][0]["newly_denied"] is None
    assert found.expiring.as_json()["together"] is None
    assert found.shadowed is not None
    assert found.shadowed.as_json() == {
        "by_conditions": [
            {
                "policy": "soon",
                "why": "`web` holds for all of these jobs and grants as much, so that narrowing or"
                " deleting this policy changes nothing; delete it, or narrow `web`",
            }
        ],
        "by_record": None,
    }
    assert without_traffic(now(SOON), wanted(ReportName.SHADOWED)).expiring is None
    assert without_traffic(now(SOON), wanted(ReportName.EXPIRING)).shadowed is None


def test_an_observed_one_has_no_run_that_depends() -> None:
    files = then(replace(SOON, mode=Mode.OBSERVE))
    [found] = expiring(files, recorded(files))["policies"]

    assert (found["observed"], found["newly_denied"]) == (True, 0)


def test_what_an_account_asks_for_with_its_own_secret_depends_on_no_policy() -> None:
    files = then(SOON)
    [found] = expiring(files, recorded_client(files, "deploy-web"))["policies"]

    assert found["newly_denied"] == 0


def test_what_cannot_be_told_is_not_counted() -> None:
    # Without `soon` it hangs on a claim that is not on record.
    files = now(SOON, a_policy("web", {"repository": "acme/web", "team": "a"}))
    [found] = expiring(files, recorded(then(SOON)))["policies"]

    assert (found["newly_denied"], found["changed"]) == (0, 0)
