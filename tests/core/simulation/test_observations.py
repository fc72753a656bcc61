"""What is told of observed policies: beside the enforcing ones, and in their place."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from broker.core.conditions import Glob
from broker.core.indexed_policies import IndexedPolicies
from broker.core.observation import MAX_NAMED
from broker.core.policy import Mode, Policy, PolicySet
from broker.core.simulation import observations
from broker.core.simulation.observations import ObservationReport, Observations
from broker.core.simulation.observations_markdown import render as markdown
from broker.core.simulation.observations_text import as_json, render
from broker.core.simulation.outcome import Kind
from broker.core.simulation.past_decision import EventRefused
from broker.core.simulation.report_markdown import MAX_CHARACTERS
from tests.core.builders import NOW, a_deny_policy, a_policy, an_account
from tests.core.simulation.recording import recorded, recorded_client, then

MAIN = {"repository": "acme/web", "ref": "refs/heads/main"}
WEB = a_policy("web", MAIN, grants={"deploy-api": ["deploy:read"]})
NEXT = a_policy("web-next", {"repository": "acme/web"}, mode=Mode.OBSERVE)
NO_BOTS = a_deny_policy("no-bots", {"actor_id": "666"}, mode=Mode.OBSERVE)
ELSEWHERE = a_policy("elsewhere", {"repository": "acme/gone"}, mode=Mode.OBSERVE)
SET = then(WEB, NEXT, NO_BOTS, ELSEWHERE)
EVENTS = [
    recorded(SET, at=NOW),
    recorded(SET, at=NOW + 86_400.0, ref="refs/heads/x"),
    recorded(SET, at=NOW + 2 * 86_400.0, ref="refs/heads/x"),
    recorded(SET, at=NOW + 3 * 86_400.0, actor_id="666"),
    recorded(SET, at=NOW + 4 * 86_400.0, repository="acme/api", ref="refs/heads/y"),
]


def found(
    policy_set: PolicySet, *events: Mapping[str, Any], alone: bool = False
) -> ObservationReport:
    taking = Observations(IndexedPolicies.of(policy_set), alone=alone)
    for event in events:
        taking.take(event)
    return taking.report()


def counts(report: ObservationReport) -> dict[str, int]:
    return {kind.value: count for kind, count in report.report.counts.items() if count}


def of(report: ObservationReport, name: str) -> dict[str, Any]:
    [policy] = [each for each in as_json(report)["policies"] if each["policy"] == name]
    assert isinstance(policy, dict)
    return policy


def test_it_is_told_of_each_policy_what_it_would_have_done() -> None:
    report = found(SET, *EVENTS)

    assert counts(report) == {
        "newly_permitted": 2, "newly_denied": 1, "changed": 1, "unchanged": 1,
    }  # fmt: skip
    upcoming, no_bots = of(report, "web-next"), of(report, "no-bots")
    words = ("runs", "would_permit", "would_deny", "would_change", "same")
    assert [upcoming[word] for word in words] == [4, 2, 0, 1, 1]
    assert [no_bots[word] for word in words] == [1, 0, 1, 0, 0]
    assert upcoming["tenants"] == [
        {"tenant": "acme/web", "issuer": "github", "runs": 4, "would_permit": 2, "would_deny": 0,
         "would_change": 1, "undecidable": 0, "same": 1},
    ]  # fmt: skip
    assert (upcoming["first"], upcoming["last"]) == (EVENTS[0]["time"], EVENTS[3]["time"])
    [permitted] = [each for each in upcoming["groups"] if each["kind"] == "would_permit"]
    assert (permitted["runs"], permitted["refs"], permitted["gains"]) == (
        2, ["x"], ["deploy:read", "deploy:write"],
    )  # fmt: skip
    assert report.never_held == ("elsewhere",)


def test_the_text_says_it_in_plain_words() -> None:
    text = render(found(SET, *EVENTS), ["a note"])

    assert (
        text
        == """\
5 runs of 2 repositories, 2026-11-21 to 2026-11-25, beside what the observed policies would make \
of them
  2 would permit
  1 would deny
  1 would change
  0 undecidable
  1 the same

no-bots (deny): held in 1 run of 1 repository, 2026-11-24 to 2026-11-24: 1 would deny
  would deny:
    acme/web@main loses deploy:read at deploy-api: no-bots denies it (1 of 4 runs), such as decision

web-next (allow, deploy-web): held in 4 runs of 1 repository, 2026-11-21 to 2026-11-24: \
2 would permit, 1 would change, 1 the same
  would permit:
    acme/web@x gains deploy:read, deploy:write at deploy-api as deploy-web through web-next \
(2 of 4 runs), such as decision
  would change:
    acme/web@main gains deploy:write at deploy-api as deploy-web through web, web-next \
(1 of 4 runs), such as decision

never held:
  elsewhere

note: a note
"""
    )


def test_a_comment_holds_the_same() -> None:
    text = markdown(found(SET, *EVENTS), ["a note"])

    assert text.startswith("### What the observed policies would do\n")
    assert "| 2 | 1 | 1 | 0 | 1 |\n" in text
    assert "- would deny: `acme/web@main` loses `deploy:read` at `deploy-api`" in text
    assert "\nNever held: `elsewhere`\n" in text
    assert text.endswith("\n_A note._\n")


def test_nothing_on_record_is_nothing() -> None:
    report = found(SET)

    assert report.never_held == ("elsewhere", "no-bots", "web-next")
    assert as_json(report)["first"] is None
    assert render(report, ascii_only=True).startswith("no decision is on record")


def test_an_event_from_before_is_undecidable_where_a_policy_held() -> None:
    """Until now it was recorded that policies held, not what would have come of it."""
    older = [{name: event[name] for name in event if name != "would"} for event in EVENTS]
    report = found(SET, *older)

    assert counts(report) == {"undecidable": 4, "unchanged": 1}
    assert of(report, "web-next")["undecidable"] == 4
    assert "what the observed policies would have changed is not on record" in render(report)
    assert "undecidable: " in markdown(report)


def test_of_an_explanation_only_permit_and_refusal_are_compared() -> None:
    report = found(SET, recorded(SET, explained=True), recorded(SET, explained=True, ref="x"))

    assert counts(report) == {"unchanged": 1, "newly_permitted": 1}


def test_what_is_refused_for_two_accounts_is_owed_to_the_observed_one() -> None:
    other = a_policy("other", MAIN, service_account="other", mode=Mode.OBSERVE)
    policy_set = then(WEB, other, accounts=[an_account(), an_account("other")])
    report = found(policy_set, recorded(policy_set))

    assert of(report, "other")["would_deny"] == 1
    assert "ambiguous_account" in render(report)


def test_a_policy_that_the_files_no_longer_observe_is_told_as_well() -> None:
    enforced = then(WEB, replace(NEXT, mode=Mode.ENFORCE), ELSEWHERE)
    report = found(enforced, EVENTS[1])

    assert of(report, "web-next")["in_files"] is False
    assert "web-next (not observed in these files): held in 1 run" in render(report)


def test_events_passed_over_and_events_that_name_as_many_as_fit_are_told() -> None:
    crowd = [replace(NEXT, name=f"p-{number:03}") for number in range(MAX_NAMED + 1)]
    policy_set = then(*crowd)
    spent = {**EVENTS[0], "type": "token.refused", "reason": "token_already_used"}
    text = render(found(policy_set, recorded(policy_set), spent))

    assert "note: events passed over: 1 of a token used before\n" in text
    assert "as many observed policies as are recorded: more may have held" in text
    assert text.count("p-100") == 1  # it never held, as far as is known


# --- in place of the enforcing ones ---------------------------------------------------------------


def test_alone_they_decide_every_run_once_more() -> None:
    report = found(SET, *EVENTS, recorded(then(a_policy("api", {"repository": "acme/api"})),
                                          repository="acme/api"), alone=True)  # fmt: skip

    assert counts(report) == {
        "newly_permitted": 2, "newly_denied": 2, "changed": 1, "unchanged": 1,
    }  # fmt: skip
    members = as_json(report)
    assert (members["view"], members["policy_set"]) == ("alone", SET.version)
    assert (members["without"]["runs"], members["without"]["would_deny"]) == (1, 1)
    text = render(report)
    assert "decided again by the observed policies alone" in text
    assert (
        "no observed policy holds: 1 run of 1 repository, 2026-11-21 to 2026-11-21: 1 would deny\n"
        "  would deny:\n"
        "    acme/api@main loses deploy:read, deploy:write at deploy-api: api is not there"
    ) in text


def test_alone_what_is_not_on_record_is_undecidable() -> None:
    erased = {**EVENTS[0], "claims": None, "claims_erased": "x"}
    report = found(SET, erased, alone=True)

    assert counts(report) == {"undecidable": 1}
    assert as_json(report)["without"]["undecidable"] == 1
    assert found(SET, erased).report.counts[Kind.CHANGED] == 1


# --- bounds ---------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_POLICIES", "MAX_TENANTS", "MAX_GROUPS", "MAX_ALL_GROUPS"):
        monkeypatch.setattr(observations, name, 3)


def hostile_events(number: int, policy: Policy) -> list[dict[str, Any]]:
    policy_set = then(policy)
    return [recorded(policy_set, repository=f"acme/r{each}") for each in range(number)]


@pytest.mark.usefixtures("few")
def test_whatever_is_on_record_only_so_much_is_told_apart() -> None:
    every = a_policy("every", {"repository": Glob("acme/*")}, mode=Mode.OBSERVE)
    report = found(then(every), *hostile_events(5, every))
    told = of(report, "every")

    assert (told["runs"], told["would_permit"], told["more"]) == (5, 5, 2)
    assert (len(told["tenants"]), told["all_tenants"], len(told["groups"])) == (3, False, 3)
    text = render(report)
    assert "held in 5 runs of more than 3 repositories" in text
    assert "    and more, in 2 runs\n" in text
    assert "- would permit: more, in 2 runs\n" in markdown(report)


@pytest.mark.usefixtures("few")
def test_names_that_an_export_invents_fill_no_memory() -> None:
    invented = [{**EVENTS[1], "observed": [f"x-{number}"]} for number in range(9)]
    report = found(SET, *invented)

    assert [each.name for each in report.policies] == ["elsewhere", "no-bots", "web-next"]


def test_a_comment_is_cut_where_it_would_be_too_long() -> None:
    long = [
        recorded(SET, repository="acme/web", ref=f"refs/heads/{'x' * 200}{number}")
        for number in range(3)
    ]
    crowd = [replace(NEXT, name=f"{'p' * 200}-{number}") for number in range(300)]
    text = markdown(found(then(*crowd), *long))

    assert len(text) < MAX_CHARACTERS
    assert text.endswith("run the command for all of it._\n")


@pytest.mark.parametrize(
    ("would", "says"),
    [
        ([], "`would` is no object"),
        ({"reason": 1}, "`reason` is no text"),
        ({"scopes": "x"}, "`would.scopes` is no list of texts"),
        ({"scopes": [], "ttl": True}, "`would.ttl` is no number of seconds"),
        ({"scopes": [], "ttl": 1, "sub": 1}, "is no text"),
    ],
)
def test_what_no_broker_writes_is_refused(would: Any, says: str) -> None:
    with pytest.raises(EventRefused, match=says):
        found(SET, {**EVENTS[0], "would": would})


def test_a_job_that_nothing_names_is_counted_for_no_repository() -> None:
    nameless = {**EVENTS[1], "claims": {"iss": EVENTS[1]["claims"]["iss"]}}
    assert of(found(SET, nameless), "web-next")["tenants"] == []
    json.dumps(as_json(found(SET, nameless)))


def test_alone_it_is_told_what_the_new_policy_asks_for() -> None:
    upcoming = a_policy("web-next", {"repository": "acme/web", "ref": "x"}, mode=Mode.OBSERVE)
    more = [replace(upcoming, name="of-gitlab", issuer="gitlab"), ELSEWHERE]
    policy_set = then(WEB, upcoming, *more)
    text = render(found(policy_set, recorded(policy_set), alone=True))

    assert "loses deploy:read at deploy-api: web-next asks for ref: x (1 of 1 run)" in text


def test_alone_a_client_with_credentials_of_its_own_is_as_before() -> None:
    policy_set = then(WEB, NEXT, accounts=[an_account(secrets_allowed=True)])
    event = recorded_client(policy_set, "deploy-web")
    without_secrets = then(WEB, NEXT)

    assert counts(found(policy_set, event, alone=True)) == {"unchanged": 1}
    assert counts(found(policy_set, event)) == {"unchanged": 1}
    assert counts(found(without_secrets, event, alone=True)) == {"newly_denied": 1}
