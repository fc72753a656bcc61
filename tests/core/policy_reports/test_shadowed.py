"""Policies without which the same would come out: by their conditions, and by the record."""

from dataclasses import replace
from typing import Any

from broker.core.conditions import Glob
from broker.core.policy_reports.report_name import ReportName
from tests.core.builders import NOW, a_deny_policy, a_policy
from tests.core.policy_reports.reporting_of import DAY, members
from tests.core.simulation.recording import recorded, then

WEB = a_policy("web", {"repository": "acme/web"})
BY_ID = a_policy("by-id", {"repository_id": "456789"})
OWNER = a_policy("owner", {"repository_owner": "acme"})


def by_record(*args: Any, **more: Any) -> list[dict[str, Any]]:
    found: dict[str, Any] = members(*args, only=(ReportName.SHADOWED,), **more)["shadowed"]
    return list(found["by_record"])


def test_a_policy_beside_which_another_always_stood_is_told() -> None:
    files = then(WEB, OWNER)
    api = recorded(files, repository="acme/api", repository_id="9")
    found = by_record(files, recorded(files), recorded(files, at=NOW + DAY), api)

    assert found == [
        {
            "policy": "web",
            "others": ["owner"],
            "runs": 2,
            "few": True,
            "first": "2026-11-21T22:26:40.000Z",
            "last": "2026-11-22T22:26:40.000Z",
        }
    ]


def test_one_run_alone_makes_it_needed() -> None:
    files = then(WEB, BY_ID)
    moved = recorded(files, repository="acme/web", repository_id="9")
    assert [each["policy"] for each in by_record(files, recorded(files), moved)] == ["by-id"]
    assert [each["policy"] for each in by_record(files, moved, recorded(files))] == ["by-id"]


def test_another_life_makes_it_needed() -> None:
    files = then(WEB, replace(OWNER, ttl=60))

    assert [each["policy"] for each in by_record(files, recorded(files))] == ["web"]


def test_it_may_be_now_one_and_now_another() -> None:
    files = then(a_policy("both", {"repository": ["acme/web", "acme/api"]}), WEB, OWNER)
    other = then(
        a_policy("both", {"repository": ["acme/web", "acme/api"]}),
        WEB,
        a_policy("api", {"repository": "acme/api"}),
    )
    assert [each["others"] for each in by_record(files, recorded(files))] == [
        ["owner", "web"], ["both", "web"], ["both", "owner"],
    ]  # fmt: skip
    api = recorded(other, repository="acme/api")
    found = {each["policy"]: each for each in by_record(other, recorded(other), api)}
    assert (found["both"]["others"], found["both"]["runs"]) == ([], 2)


def test_deny_policies_are_shadowed_by_each_other() -> None:
    no = a_deny_policy("no", {"ref": Glob("refs/heads/**")})
    files = then(WEB, no, a_deny_policy("never", {"repository_owner": "acme"}))

    assert [each["policy"] for each in by_record(files, recorded(files))] == ["never", "no"]
    assert by_record(then(WEB, no), recorded(then(WEB, no))) == []


def test_the_lints_tell_by_conditions() -> None:
    files = then(WEB, OWNER, a_policy("narrow", {"repository": "acme/web", "ref": "refs/heads/x"}))
    found = members(files, only=(ReportName.SHADOWED,))["shadowed"]["by_conditions"]

    assert [each["policy"] for each in found] == ["narrow"]
    assert found[0]["why"].startswith("`web` holds for all of these jobs")


def test_what_a_policy_decided_alone_counts_also_once_its_claims_were_erased() -> None:
    """Nobody can tell any more whether another policy would have stood in."""
    files = then(WEB, OWNER)
    erased = {"claims": None, "claims_erased": "0" * 64}
    both, alone = ({**recorded(then(*each)), **erased} for each in ([WEB, OWNER], [WEB]))

    found = by_record(files, recorded(files), both, alone)
    assert [each["policy"] for each in found] == ["owner"]
