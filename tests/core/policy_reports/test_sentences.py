"""What the reports say in words: the numbers, how sure they are, and lines to paste."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.conditions import Condition, Glob
from broker.core.decision import DecisionRequest
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode
from broker.core.policy_reports import report_markdown, report_text
from broker.core.policy_reports.report_name import ReportName
from broker.core.policy_reports.reporting import Reporting, without_traffic
from broker.core.simulation.past_decision import EventRefused
from broker.core.simulation.report_markdown import MAX_CHARACTERS
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_service,
    an_account,
    an_issuer,
)
from tests.core.policy_reports.reporting_of import DAY, members, reported, wanted
from tests.core.simulation.recording import now, recorded, recorded_client, then

BOTH = DecisionRequest(("deploy-api",), ("deploy:read", "deploy:write"))
MAIN = "repo:acme/web:ref:refs/heads/main"


def text(*args: Any, **more: Any) -> str:
    return report_text.render(reported(*args, **more))


def section(title: str, *args: Any, **more: Any) -> list[str]:
    """Give the lines of one report."""
    found = text(*args, **more).split(f"\n{title}:\n")[1].split("\n\n")[0]
    return found.removesuffix("\n").split("\n")


def test_the_beginning_says_of_which_decisions_it_is() -> None:
    before, files = then(a_policy("web")), now(a_policy("web"))
    first = recorded(before)
    said = "2026-11-21 to 2026-11-21"

    assert text(files).startswith("no decision is on record that policies made\n")
    assert text(files, first).startswith(f"1 run, {said}, none of them by these very files\n")
    assert text(before, first).startswith(f"1 run, {said}, all of them by these very files\n")
    both = text(files, first, recorded(files, at=NOW + DAY))
    assert both.startswith(
        "2 runs, 2026-11-21 to 2026-11-22, 1 of them by these very files, since 2026-11-22\n"
    )


def test_the_end_says_what_is_not_known() -> None:
    files = then(a_policy("web"))
    erased = {**recorded(files), "claims": None, "claims_erased": "0" * 64}
    used = {**recorded(then()), "reason": "token_already_used", "policies": []}
    end = text(files, recorded(files), erased, used).split("\n\n")[-1].split("\n")

    assert end == [
        "note: so few decisions tell little",
        "note: the claims of 1 run were erased: what these had is not known",
        "note: what these files make of 1 run is not known: it hangs on what is not on record",
        "note: 1 event passed over: no decisions of policies",
        "",
    ]


def test_nothing_is_said_as_nothing() -> None:
    match = {"repository": "acme/web", "ref": "refs/heads/main", "environment": "x"}
    files = then(a_policy("web", match))
    events = [recorded(files, BOTH, environment="x", at=NOW + each) for each in range(12)]

    assert text(files, *events).split("\n", 1)[1] == (
        "\nunused:\n  nothing\n\nover-broad:\n  nothing\n\n"
        "broken by the immutable form of sub:\n  nothing\n\nshadowed:\n  nothing\n\n"
        "expiring:\n  nothing\n"
    )
    assert "\n**Shadowed**\n\nNothing.\n" in report_markdown.render(reported(files, *events))


def test_unused_in_words() -> None:
    observed = replace(a_policy("seen", {"repository": "acme/x"}), mode=Mode.OBSERVE)
    old = a_policy("old", {"repository": "acme/old"})
    files = then(a_policy("web"), observed, old, a_deny_policy("no", {"repository": "acme/x"}))
    events = [recorded(files, at=NOW + each) for each in range(12)]

    assert section("unused", files, *events) == [
        "  no refused none of 12 runs of github, 2026-11-21 to 2026-11-21",
        "  old permitted none of 12 runs of github, 2026-11-21 to 2026-11-21",
        "  seen (observed) held in none of 12 runs of github, 2026-11-21 to 2026-11-21",
    ]


def test_how_sure_it_is_that_a_policy_is_unused() -> None:
    old = a_policy("old", {"repository": "acme/old"})
    before, files = then(a_policy("web"), old), now(a_policy("web"), old)
    asked = DecisionRequest(("deploy-api",), ("deploy:delete",))
    events = [
        recorded(before),
        recorded(before, asked, repository="acme/old"),
        recorded(before, repository="acme/old", explained=True),
    ]

    said = "  old permitted none of 3 runs of github, 2026-11-21 to 2026-11-21"
    named = "; named in 1 refusal and 1 explanation (few: they tell little)"
    assert section("unused", files, *events) == [
        f"{said}; whether it was there then is not on record{named}"
    ]
    [found] = section("unused", files, *events, recorded(files, at=NOW + DAY))
    assert "of 4 runs" in found
    assert "; it was surely there for 1 of them, since 2026-11-22; named" in found


def test_what_is_newer_unknown_or_used_by_nobody_in_words() -> None:
    labs = [a_policy(f"lab-{each}", {"project_id": "1"}, issuer="gitlab") for each in range(7)]
    accounts = [an_account(), an_account("idle"), an_account("idler")]
    services = [a_service(), replace(a_service("idle-api"), audience="https://idle.example")]
    files = now(a_policy("web"), *labs, accounts=accounts, services=services)

    assert section("unused", files, recorded(then())) == [
        (
            "  web decided nothing on record, and would decide 1 run: it is newer, or was changed"
            " since"
        ),
        (
            "  nothing is known, since no run of their issuers is on record, of lab-0, lab-1,"
            " lab-2, lab-3, lab-4 and 2 more"
        ),
        "  nobody acted as the accounts idle, idler",
        "  nobody got a token for the service idle-api",
    ]


def test_what_hangs_on_what_is_not_on_record_in_words() -> None:
    files = now(a_policy("web", {"repository": "acme/web", "tier": "1"}))

    assert section("unused", files, recorded(then())) == [
        "  web decided nothing on record, and may decide 1 run: that hangs on what is not on record"
    ]


def test_too_broad_in_words() -> None:
    match = {"repository_owner_id": "123456", "ref": ["refs/heads/main", "refs/heads/x"]}
    files = then(a_policy("web", {**match, "team": Glob("*")}))
    said = ", 12 runs, 2026-11-21 to 2026-11-21"
    events = [recorded(files, at=NOW + each, team="a", environment="x") for each in range(12)]
    narrow = DecisionRequest(("deploy-api",), ("deploy:read",))
    few = recorded(files, narrow, team="a")

    assert section("over-broad", files, *events) == [
        f"  web: ref was never refs/heads/x{said}",
        "    write ref: refs/heads/main",
        f'  web: team: {{glob: "*"}} allows more, only a seen{said}',
        "    write team: a",
        f"  web: any repository_id is allowed, only 456789 (acme/web) seen{said}",
        "    write repository_id: 456789",
        f"  web: any environment is allowed, only x seen{said}",
        "    write environment: x",
    ]
    assert section("over-broad", files, few)[-2:] == [
        (
            "  web: never granted deploy-api: deploy:write, 1 run, 2026-11-21 to 2026-11-21"
            " (few: they tell little)"
        ),
        "    write grants: {deploy-api: [deploy:read]}",
    ]


def test_what_limits_a_proposal_is_said_beside_it() -> None:
    services = [a_service(), replace(a_service("other"), audience="https://other.example")]
    account = an_account(grants={"deploy-api": ["deploy:read"], "other": []})
    policy = a_policy("web", {"repository": "acme/web", "environment": "x"}, mode=Mode.OBSERVE)
    enforced = replace(policy, mode=Mode.ENFORCE)
    before = then(enforced, services=services, accounts=[account])
    event = recorded(before, environment="x")
    erased = {**event, "claims": None, "claims_erased": "0" * 64}
    asked = now(replace(enforced, conditions=(*policy.conditions, Condition("a", Glob("*")))))

    found = section("over-broad", before, event, erased)
    assert found[0].endswith("; 1 more were erased (few: they tell little)")
    assert found[2].startswith("  web: never granted other, 2 runs,")
    assert "; 2 of them asked for whatever there is" in found[2]
    assert section("over-broad", now(policy), event)[0].startswith("  web (observed): any ref ")
    assert "  web: nothing is said of a, which is not on record of 1 run" in section(
        "over-broad", asked, event
    )


def test_broken_by_ids_in_words() -> None:
    files = then(a_policy("web", {"sub": MAIN}), a_policy("idle", {"sub": "repo:a/b:x"}))
    title = "broken by the immutable form of sub"
    no_ids = recorded(files, repository_id=...)
    unknown = now(a_policy("web", {"sub": MAIN, "team": "a"}, mode=Mode.ENFORCE))

    assert section(title, files, recorded(files), no_ids) == [
        "  idle asks for sub: repo:a/b:x: no run on record says which ids are meant",
        f"  web asks for sub: {MAIN}",
        "    acme/web (456789): 1 run would be refused",
        f"    write sub: [{MAIN}, repo:acme@123456/web@456789:ref:refs/heads/main]",
        "  of 1 run the ids are not on record",
    ]
    assert section(title, unknown, recorded(then())) == [
        f"  web asks for sub: {MAIN}: no run on record says which ids are meant",
        "  of 1 run it is not known what would come out",
    ]


def test_many_repositories_are_counted_together() -> None:
    github = an_issuer("github", require=(Condition("sub", Glob("repo:acme/*:**")),))
    policy = a_policy("web", {"repository_owner": "acme"})
    files = then(policy, issuers=[github])
    observed = now(replace(a_policy("seen", {"sub": MAIN}), mode=Mode.OBSERVE))
    title = "broken by the immutable form of sub"

    def events(count: int) -> list[dict[str, Any]]:
        return [
            recorded(
                files, repository=f"acme/{each}", repository_id=str(each), sub=f"repo:acme/{each}:x"
            )
            for each in range(count)
        ]

    assert section(title, files, *events(25))[-1] == "    and 5 more"
    found = section(title, files, *events(20))
    assert (found[0], len(found)) == ("  by what is required of all", 21)
    assert section(title, files, *events(502))[-1] == "  and 2 runs of further repositories"
    assert section(title, observed)[0].startswith("  seen (observed) asks for sub: ")


def test_shadowed_in_words() -> None:
    files = then(a_policy("web"), a_policy("by-id", {"repository_id": "456789"}))
    few = "(few: they tell little)"

    assert section("shadowed", files, recorded(files)) == [
        f"  by-id: without it the same would have come out of each of 1 run, beside web {few}",
        f"  web: without it the same would have come out of each of 1 run, beside by-id {few}",
        "  of policies that stand beside each other, one has to stay: delete one at a time",
    ]
    narrow = now(a_policy("web"), a_policy("x", {"repository": "acme/web", "ref": "refs/heads/x"}))
    assert section("shadowed", narrow)[0].startswith("  x: `web` holds for all of these jobs")


def test_shadowed_by_now_one_and_now_another_in_words() -> None:
    both = a_policy("both", {"repository": ["acme/web", "acme/api"]})
    files = then(both, a_policy("web"), a_policy("api", {"repository": "acme/api"}))
    api = recorded(files, repository="acme/api")

    assert (
        "  both: without it the same would have come out of each of 2 runs (few: they tell little)"
        in section("shadowed", files, recorded(files), api)
    )


def test_expiring_in_words() -> None:
    soon = a_policy("soon", expires_at=float(NOW + DAY), owner="team-web")
    past = a_policy("past", {"repository": "acme/x"}, expires_at=float(NOW - DAY))
    seen = replace(soon, name="seen", mode=Mode.OBSERVE, owner=None)
    no = a_deny_policy("no", {"ref": "refs/heads/x"}, expires_at=float(NOW + DAY))
    files = then(soon, past, seen, no)
    events = recorded(files), recorded(files, ref="refs/heads/x")
    title = "expiring"

    assert section(title, files, *events) == [
        (
            "  past stopped to hold when 2026-11-20 began: without it every run on record would"
            " come out the same"
        ),
        "  no stops to hold when 2026-11-22 begins: without it 1 run would be let in",
        "  seen (observed) stops to hold when 2026-11-22 begins",
        (
            "  soon stops to hold when 2026-11-22 begins (owner team-web): without it 1 run would"
            " be refused"
        ),
        "  without all of them 1 run would be refused",
    ]


def test_without_traffic_it_says_what_was_left_out() -> None:
    found = report_text.render(without_traffic(now(a_policy("web")), wanted()), ["x"])

    assert found == (
        "the files alone, without what was decided\n\nshadowed:\n  nothing\n\n"
        "expiring:\n  nothing\n\n"
        "note: left out for want of decisions (--against, --server): unused, over-broad, sub-form\n"
        "note: x\n"
    )


def test_markdown_has_the_lines_to_paste_in_spans() -> None:
    files = then(a_policy("web", {"sub": MAIN}))
    found = report_markdown.render(reported(files, recorded(files)), ["x"])

    assert found.startswith("### What the record says of these policies\n\n1 run, 2026-11-21")
    assert "\n**Broken by the immutable form of `sub`**\n\n" in found
    assert (
        f"- `web` asks for `sub: {MAIN}`: write"
        f" `sub: [{MAIN}, repo:acme@123456/web@456789:ref:refs/heads/main]`\n"
        "  - `acme/web` (456789): 1 run would be refused\n"
    ) in found
    assert found.endswith("\n_X._\n")


def test_long_reports_are_cut() -> None:
    policies = [a_policy(f"p-{each}", {"repository": f"acme/{each}"}) for each in range(250)]
    report = reported(now(*policies), recorded(then()))

    # An account and a service are unused as well.
    assert "  and 52 more\n" in report_text.render(report)
    assert "- and 202 more\n" in report_markdown.render(report)
    values = [f"{'v' * 250}{each}" for each in range(5)]
    match = {f"claim-{each}": Glob("*") for each in range(30)}
    files = then(a_policy("web", {"repository": "acme/web", **match}))
    # Each line is whole, and there are as many as fit.
    many = [replace(each, name=f"p-{n}") for each in files.policies.values() for n in range(12)]
    wide = then(*many)
    events = [
        _with_claims(wide, {f"claim-{name}": value for name in range(30)}) for value in values
    ]
    cut = report_markdown.render(reported(wide, *events))
    assert len(cut) < MAX_CHARACTERS
    assert cut.endswith("_The rest does not fit into a comment; run the command for all of it._\n")


def _with_claims(files: Any, claims: dict[str, Any]) -> dict[str, Any]:
    return recorded(files, **claims)


def test_a_report_that_was_not_asked_for_is_not_mentioned() -> None:
    files = then(a_policy("web"))

    found = text(files, recorded(files), only=(ReportName.EXPIRING,))
    assert found.split("\n\n")[1] == "expiring:\n  nothing"
    assert "unused" not in found
    assert "expiring" not in text(files, recorded(files), only=(ReportName.UNUSED,))


def test_ascii_is_all_that_some_terminals_show() -> None:
    files = then(a_policy("web", {"repository": "acme/web", "ref": Glob("refs/heads/*")}))
    report = reported(files, recorded(files, ref="refs/heads/ü"))

    assert "refs/heads/ü" in report_text.render(report)
    assert report_text.render(report, ascii_only=True).isascii()


@pytest.mark.parametrize(
    ("name", "files"),
    [
        (ReportName.UNUSED, [a_policy("web"), a_policy("old", {"repository": "acme/old"})]),
        (ReportName.OVER_BROAD, [a_policy("web")]),
        (ReportName.SUB_FORM, [a_policy("web", {"sub": MAIN})]),
        (ReportName.SHADOWED, [a_policy("web"), a_policy("too", {"repository_id": "456789"})]),
        (ReportName.EXPIRING, [a_policy("web", expires_at=float(NOW + DAY))]),
    ],
)
def test_a_report_knows_whether_it_found_something(name: ReportName, files: list[Any]) -> None:
    found = reported(then(*files), recorded(then(*files)))
    assert found.has(name)
    pinned = {"repository": "acme/web", "ref": "refs/heads/main", "environment": "x"}
    whole = then(a_policy("web", pinned))
    assert not reported(whole, recorded(whole, BOTH, environment="x")).has(name)
    assert not without_traffic(whole, wanted()).has(name)


@pytest.mark.parametrize("observed", ["web", 7, [1], {"web": 1}])
def test_observed_that_is_no_list_of_names_is_refused(observed: Any) -> None:
    files = then(a_policy("web"))

    with pytest.raises(EventRefused, match="`observed` is no list of texts"):
        reported(files, {**recorded(files), "observed": observed})


def test_an_event_need_not_say_what_was_observed() -> None:
    files = then(a_policy("web"))
    event = {name: value for name, value in recorded(files).items() if name != "observed"}

    assert members(files, event)["read"]["decisions"] == 1


def test_what_an_issuer_refused_then_is_passed_over_unless_it_is_lifted() -> None:
    files = then(a_policy("web"))
    event = {**recorded(files), "type": "token.refused", "outcome": "refused", "policies": []}
    late = {**event, "reason": "token_lifetime_too_long"}
    used = {**event, "reason": "token_already_used"}
    read = members(files, late, used, {**used, "type": "account.created"})["read"]

    assert read["decisions"] == 1
    assert read["passed_over"]["already_used"] == read["passed_over"]["other"] == 1


def test_the_size_of_a_line_says_whether_there_was_room() -> None:
    reporting = Reporting(IndexedPolicies.of(then(a_policy("web"))), wanted())
    reporting.take(recorded(then(a_policy("web"))), size=900)

    assert reporting.reports().read is not None


def test_decisions_of_accounts_count_as_read() -> None:
    files = then(a_policy("web"), accounts=[an_account(secrets_allowed=True)])
    report = reported(files, recorded_client(files, "deploy-web"), recorded(files, at=NOW + 1))

    assert report.read is not None
    assert (report.read.decisions.runs, report.read.known) == (2, 2)


def test_versions_of_the_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.core.policy_reports.uses.MAX_SETS", 1)
    report = reported(now(a_policy("web")), recorded(then()), recorded(now()))

    assert report.read is not None
    assert (report.read.decisions.runs, report.read.by_these_files.runs) == (2, 0)


def test_a_policy_set_without_some_decides_as_if_they_were_not_there() -> None:
    policies = [a_policy(f"p-{each}", {"repository": "acme/web"}) for each in range(70)]
    whole = IndexedPolicies.of(then(*policies, a_deny_policy("no", {"repository": "acme/x"})))
    [github] = [each for each in whole.policy_set.issuers.values() if each.name == "github"]
    claims = recorded(then())["claims"]
    less = whole.without({"p-1", "p-2"}).without({"p-3"})

    left = {each.name for each in less.allowing(github, claims, NOW)}
    assert left == {each.name for each in policies} - {"p-1", "p-2", "p-3"}
    assert left == set(less.policy_set.policies) - {"no"}
    assert len(whole.allowing(github, claims, NOW)) == 70
    # More of them than are kept at a time.
    files = then(*policies)
    report = reported(files, recorded(files), only=(ReportName.SHADOWED,))
    assert report.shadowed is not None
    assert len(report.shadowed.by_record or ()) == 70
