"""The report: in plain words, in exact numbers, within bounds that no traffic can move."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.indexed_policies import IndexedPolicies
from broker.core.simulation import report_markdown, report_text, tally
from broker.core.simulation.report_markdown import MAX_CHARACTERS, code
from broker.core.simulation.tally import Report
from tests.core.builders import NOW, a_deny_policy, a_policy, a_service, an_account
from tests.core.simulation.recording import (
    DEPLOY,
    now,
    recorded,
    recorded_client,
    simulated,
    then,
)

WEB = a_policy("web", {"repository": "acme/web", "ref": "refs/heads/main"})
BEFORE = then(WEB)
WIDER = a_policy("web", {"repository": "acme/web"})


def lines(report: Report, *notes: str) -> list[str]:
    return report_text.render(report, notes).splitlines()


def sentence(report: Report) -> str:
    """Give the one line that tells of a change."""
    [told] = [line.strip() for line in lines(report) if line.endswith((" run)", " runs)"))]
    return told


def test_a_report_in_text() -> None:
    events = [recorded(BEFORE, ref="refs/heads/release"), *[recorded(BEFORE)] * 3]
    events += [{"type": "key.rotated"}]

    assert lines(simulated(now(WIDER), *events), "one more thing") == [
        "4 runs of 1 repository, 2026-11-21 to 2026-11-21, decided again",
        "  0 newly denied",
        "  1 newly permitted",
        "  0 changed",
        "  0 undecidable",
        "  3 unchanged",
        "",
        "newly permitted:",
        (
            "  acme/web@release gains deploy:read, deploy:write at deploy-api as deploy-web through"
            " web (1 of 4 runs)"
        ),
        "",
        "by policy:",
        "  web: 1 newly permitted",
        "",
        "note: events passed over: 1 about something else",
        "note: one more thing",
    ]


def test_a_report_of_nothing() -> None:
    assert lines(simulated(now()))[0] == "no decision is on record that policies made"


def test_a_loss_names_the_condition() -> None:
    report = simulated(now(WEB), recorded(then(WIDER), ref="refs/heads/x"))

    assert sentence(report) == (
        "acme/web@x loses deploy:read, deploy:write at deploy-api: web asks for"
        " ref: refs/heads/main (1 of 1 run)"
    )
    assert lines(report)[-2:] == ["by condition:", "  web asks for ref: refs/heads/main: 1 run"]


@pytest.mark.parametrize(
    ("after", "event", "told"),
    [
        (now(), recorded(BEFORE, explained=True),
         "acme/web@main loses its token at deploy-api: web is not there (1 of 1 run)"),
        (now(replace(WEB, grants={"deploy-api": frozenset({"deploy:read"})})),
         recorded(BEFORE, replace(DEPLOY, scopes=("deploy:write",))),
         ("acme/web@main loses deploy:write at deploy-api: scope_not_allowed (deploy:write)"
         " (1 of 1 run)")),
        (now(replace(WEB, ttl=300)), recorded(BEFORE),
         ("acme/web@main has a shorter life (such as 5m instead of 10m) at deploy-api as deploy-web"
         " through web (1 of 1 run)")),
        (now(a_policy("web", {"repository": "acme/web", "team": "x"})), recorded(BEFORE),
         ("acme/web@main cannot be decided at deploy-api: claims that are not on record: team"
         " (1 of 1 run)")),
        (now(WEB), recorded(BEFORE) | {"claims": None, "claims_erased": "0" * 64},
         ("a job that is not on record any more cannot be decided at deploy-api: the claims were"
         " erased (1 run)")),
        (now(), recorded_client(then(accounts=[an_account("bot")]), "bot"),
         ("client bot cannot be decided at deploy-api: an account that the files do not have: bot"
         " (1 run)")),
    ],
)  # fmt: skip
def test_every_change_is_a_sentence(after: Any, event: Any, told: str) -> None:
    assert sentence(simulated(after, event)) == told


def test_repositories_of_two_platforms_are_two_whatever_they_are_called() -> None:
    at_gitlab = a_policy("web-2", {"project_path": "acme/web"}, issuer="gitlab")
    was = then(WEB, at_gitlab)
    events = [recorded(was), recorded(was), recorded(was, issuer="gitlab", project_path="acme/web")]
    report = simulated(now(), *events, recorded(was, repository="acme/api"))

    assert lines(report)[0].startswith("4 runs of 3 repositories")
    assert [line.strip() for line in lines(report) if " loses " in line] == [
        (
            "acme/web@main of github loses deploy:read, deploy:write at deploy-api: web is not"
            " there (2 of 2 runs)"
        ),
        (
            "acme/web@main of gitlab loses deploy:read, deploy:write at deploy-api: web-2 is not"
            " there (1 of 1 run)"
        ),
    ]
    members = report.as_json()
    assert [(each["tenant"], each["issuer"], each["of"]) for each in members["groups"]] == [
        ("acme/web", "github", 2),
        ("acme/web", "gitlab", 1),
    ]
    assert [(each["tenant"], each["issuer"]) for each in members["tenants"]] == [
        ("acme/web", "github"),
        ("acme/web", "gitlab"),
    ]


def test_a_change_of_several_things_names_each() -> None:
    other = replace(WIDER, service_account="web-2", ttl=1200)
    accounts = [an_account(), an_account("web-2", {"deploy-api": ["deploy:read", "admin"]})]
    services = [replace(a_service(), scopes={**a_service().scopes, "admin": "All"})]
    report = simulated(now(other, accounts=accounts, services=services), recorded(BEFORE))

    assert sentence(report).startswith(
        "acme/web@main gains admin, loses deploy:write, has the service account web-2 instead of"
        " deploy-web, has the sub web-2 instead of deploy-web, has a longer life (such as"
        " 20m instead of 10m) at deploy-api"
    )


def test_another_account_alone_is_a_change() -> None:
    accounts = [an_account(), an_account("web-2")]
    report = simulated(
        now(replace(WEB, service_account="web-2"), accounts=accounts), recorded(BEFORE)
    )

    assert sentence(report) == (
        "acme/web@main has the service account web-2 instead of deploy-web, has the sub web-2"
        " instead of deploy-web at deploy-api as web-2 through web (1 of 1 run)"
    )


def test_conditions_are_listed_as_far_as_a_comment_holds_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report_markdown, "MAX_LINES", 10)

    text = report_markdown.render(hostile_report(monkeypatch))

    assert text.count("denies it") == 20
    assert "By condition" not in report_markdown.render(simulated(now(WIDER), recorded(then())))


def test_with_the_set_of_before_a_gain_says_what_stood_between() -> None:
    event = recorded(BEFORE, ref="refs/heads/x")
    report = simulated(now(WIDER), event, base=IndexedPolicies.of(BEFORE))
    assert "; before, web asked for ref: refs/heads/main (" in sentence(report)

    fresh = simulated(now(WIDER), recorded(then()), base=IndexedPolicies.of(then()))
    assert "; before, web was not there (" in sentence(fresh)


def test_a_gain_of_nothing_but_a_token_says_so() -> None:
    services = [replace(a_service(), scopes={})]
    accounts = [an_account(grants={"deploy-api": []})]
    after = now(WIDER, services=services, accounts=accounts)
    before = then(services=services, accounts=accounts)

    assert "gains a token without scopes" in sentence(simulated(after, recorded(before)))


@pytest.mark.parametrize(
    ("refs", "told"),
    [
        (["x"], "acme/web@x "),
        (["x", "y"], "acme/web on x, y "),
        (["a", "b", "c", "d", "e"], "acme/web on a, b, c and 2 more "),
        ([f"r{number}" for number in range(40)], "acme/web on r0, r1, r2 and more "),
    ],
)
def test_refs_are_listed_as_far_as_they_can_be_read(refs: list[str], told: str) -> None:
    events = [recorded(BEFORE, ref=f"refs/heads/{ref}") for ref in refs]

    assert sentence(simulated(now(WIDER), *events)).startswith(told)


def test_pull_requests_are_said_to_be_that() -> None:
    match = {"repository": "acme/web", "event_name": "pull_request"}
    event = recorded(then(), event_name="pull_request", ref="refs/pull/7/merge")

    assert sentence(simulated(now(a_policy("web", match)), event)).startswith(
        "acme/web in pull requests gains"
    )


def test_a_job_without_a_ref_goes_by_its_repository() -> None:
    event = recorded(then(), ref=...)

    assert sentence(simulated(now(WIDER), event)).startswith("acme/web gains ")


def test_long_lists_of_names_are_cut() -> None:
    scopes = {f"s{number}": "x" for number in range(9)}
    services = [replace(a_service(), scopes=scopes)]
    accounts = [an_account(grants={"deploy-api": scopes})]
    after = now(WIDER, services=services, accounts=accounts)
    event = recorded(then(services=services, accounts=accounts))

    assert "gains s0, s1, s2, s3, s4 and 4 more at" in sentence(simulated(after, event))


def hostile_report(monkeypatch: pytest.MonkeyPatch, count: int = 40) -> Report:
    monkeypatch.setattr(tally, "MAX_GROUPS", 30)
    monkeypatch.setattr(tally, "MAX_NAMED", 30)
    numbers = range(count)
    before = then(*(a_policy(f"p-{n}", {"repository": f"acme/r-{n}"}) for n in numbers))
    denies = (a_deny_policy(f"d-{n}", {"repository": f"acme/r-{n}"}) for n in numbers)
    events = [recorded(before, repository=f"acme/r-{n}") for n in numbers]
    return simulated(now(*before.policies.values(), *denies), *events)


def test_beyond_the_bound_groups_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    report = hostile_report(monkeypatch)
    members = report.as_json()

    assert members["newly_denied"] == members["decisions"] == 40
    assert len(members["groups"]) == len(members["tenants"]) == 30
    assert len(members["policies"]) == len(members["conditions"]) == 30
    assert members["more"]["newly_denied"] == 10
    assert [line for line in lines(report) if "more" in line] == [
        "40 runs of more than 30 repositories, 2026-11-21 to 2026-11-21, decided again",
        "  and more, in 10 runs",
    ]
    assert "- and more, in 20 runs" in report_markdown.render(report)


def test_text_shows_so_many_lines_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_text, "MAX_LINES", 10)
    text = report_text.render(hostile_report(monkeypatch))

    assert "  and more, in 30 runs\n" in text
    assert text.count("\n  and more\n") == 2


def test_what_a_terminal_cannot_show_is_written_out() -> None:
    report = simulated(now(a_policy("web", {"repository": "acme/wéb"})), recorded(
        then(), repository="acme/wéb"
    ))  # fmt: skip

    assert "acme/w\\xe9b" in report_text.render(report, ascii_only=True)
    assert "acme/wéb" in report_text.render(report)


def test_json_says_all_of_a_group() -> None:
    report = simulated(now(replace(WEB, ttl=300)), recorded(BEFORE), recorded(BEFORE, at=NOW + 9))
    [group] = report.as_json()["groups"]

    assert group == {
        "kind": "changed",
        "tenant": "acme/web",
        "issuer": "github",
        "client_id": None,
        "refs": ["main"],
        "all_refs": True,
        "service": "deploy-api",
        "service_account": "deploy-web",
        "policies": ["web"],
        "reason": None,
        "causes": [],
        "claims": [],
        "gains": [],
        "losses": [],
        "changes": {"ttl": [600, 300]},
        "runs": 2,
        "of": 2,
        "first": "2026-11-21T22:26:40.000Z",
        "last": "2026-11-21T22:26:49.000Z",
        "decision_id": "decision",
    }


def test_a_client_is_no_tenant_in_json() -> None:
    [group] = simulated(now(), recorded_client(then(), "deploy-web")).as_json()["groups"]

    assert (group["tenant"], group["client_id"], group["of"]) == (None, "deploy-web", None)


def test_markdown_has_a_table_of_the_counts_and_a_line_for_each_change() -> None:
    report = simulated(now(WEB), recorded(then(WIDER), ref="refs/heads/x"), recorded(BEFORE))

    assert report_markdown.render(report, ["one more thing"]).splitlines() == [
        "### What these policies change",
        "",
        "2 runs of 1 repository, 2026-11-21 to 2026-11-21, decided again.",
        "",
        "| newly denied | newly permitted | changed | undecidable | unchanged |",
        "| ---: | ---: | ---: | ---: | ---: |",
        "| 1 | 0 | 0 | 0 | 1 |",
        "",
        "**🔴 Newly denied**",
        "",
        (
            "- `acme/web@x` loses `deploy:read`, `deploy:write` at `deploy-api`: `web` asks for"
            " `ref: refs/heads/main` (1 of 2 runs)"
        ),
        "",
        "<details><summary>By condition</summary>",
        "",
        "- `web` asks for `ref: refs/heads/main`: 1 run",
        "",
        "</details>",
        "",
        "_One more thing._",
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("acme/web", "`acme/web`"),
        ("", "`absent`"),
        ("a`b", "``a`b``"),
        ("`a``", "``` `a`` ```"),
        (" a", "`  a `"),
        ("a\nb", "`a\\nb`"),
        ("`" * 19, f"{'`' * 20} {'`' * 19} {'`' * 20}"),
        ("`" * 80 + "[x](y)", "`" + "\\x60" * 80 + "[x](y)`"),
    ],
)
def test_a_span_of_code_ends_where_it_should(text: str, written: str) -> None:
    assert code(text) == written


def test_a_comment_is_never_longer_than_platforms_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_markdown, "MAX_LINES", 500)
    count = 400
    names = [f"acme/{'r' * 150}-{number}" for number in range(count)]
    after = now(*(a_policy(f"p{n}", {"repository": name}) for n, name in enumerate(names)))
    report = simulated(after, *(recorded(then(), repository=name) for name in names))

    text = report_markdown.render(report)

    assert len(text) <= MAX_CHARACTERS
    assert text.endswith("run the command for all of it._\n")
    assert len(report_markdown.render(report, room=5_000)) <= 5_000
