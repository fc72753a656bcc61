"""What teaches an id, and what is proposed."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.conditions import Condition, Equals, Glob, Not, Present, Regex
from broker.core.pinning.pinning import Unheeded
from broker.core.pinning.proposals import Standing
from broker.core.pinning.sentences import scope_sentence, unheeded_sentence
from broker.core.pinning.sightings import MAX_IDS, MAX_REFS
from broker.core.pinning.targets import Unpinnable
from broker.core.policy import Mode
from broker.core.simulation.past_decision import EventRefused
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    some_conditions,
)
from tests.core.pinning.learning import ids, learned, outcome, told, unheeded
from tests.core.simulation.recording import recorded, recorded_client

WEB = a_policy_set(a_policy("web", {"repository": "acme/web"}))


def both(match: dict[str, Any]) -> dict[str, Any]:
    """An event of a policy with these conditions."""
    return recorded(a_policy_set(a_policy("web", match)))


def test_the_id_of_what_was_granted_is_proposed() -> None:
    report = learned(WEB, recorded(WEB), recorded(WEB, ref="refs/heads/x", at=NOW + 90_000))

    assert ids(report) == {"repository_id": ("456789",)}
    assert (report.exchanges, report.heeded, unheeded(report)) == (2, 2, {})
    assert told(report) == [
        (
            "policy web: repository acme/web has repository_id 456789"
            " (2 runs on 2 refs, 2026-11-21 to 2026-11-22)"
        )
    ]


def test_every_kind_of_name_has_its_id() -> None:
    github = a_policy_set(a_policy("web", {"repository": "acme/web", "repository_owner": "acme"}))
    match = {"project_path": "acme/platform/web", "namespace_path": "acme/platform"}
    gitlab = a_policy_set(a_policy("web", match, issuer="gitlab"))

    assert ids(learned(github, recorded(github))) == {
        "repository_id": ("456789",),
        "repository_owner_id": ("123456",),
    }
    assert ids(learned(gitlab, recorded(gitlab, issuer="gitlab"))) == {
        "project_id": ("4242",),
        "namespace_id": ("77",),
    }


def test_case_makes_no_two_names() -> None:
    named = a_policy_set(a_policy("web", {"repository": ["Acme/Web", "acme/web"]}))
    report = learned(named, recorded(named), recorded(named, repository="ACME/web"))

    assert ids(report) == {"repository_id": ("456789",)}
    assert outcome(report).pins[0].named.names == ("Acme/Web",)


def test_each_name_of_a_list_needs_its_id() -> None:
    named = a_policy_set(a_policy("web", {"repository": ["acme/web", "acme/api"]}))
    one, other = recorded(named), recorded(named, repository="acme/api", repository_id="7")

    report = learned(named, one)
    assert (outcome(report).standing, ids(report)) == (Standing.NOT_SEEN, {})
    assert told(report) == [
        "policy web: nothing for repository: no run that counts was of acme/api"
    ]
    assert ids(learned(named, other, one)) == {"repository_id": ("456789", "7")}


def test_a_list_that_lacks_a_name_keeps_no_other_condition_from_its_id() -> None:
    match = {"repository": ["acme/web", "acme/api"], "repository_owner": "acme"}
    named = a_policy_set(a_policy("web", match))
    report = learned(named, recorded(named))

    assert outcome(report).standing is Standing.PROPOSED
    assert ids(report) == {"repository_owner_id": ("123456",)}


def test_a_repository_that_was_renamed_is_told_and_has_one_id() -> None:
    named = a_policy_set(a_policy("web", {"repository": ["acme/web", "acme/site"]}))
    report = learned(named, recorded(named), recorded(named, repository="acme/site"))

    assert ids(report) == {"repository_id": ("456789",)}
    assert told(report)[1] == (
        "policy web: acme/web and acme/site are one, repository_id 456789: renamed"
    )
    assert outcome(report).as_json()["pins"][0]["renamed"] == [
        {"id": "456789", "names": ["acme/web", "acme/site"]}
    ]


def test_two_ids_under_one_name_are_both_told_and_nothing_is_proposed() -> None:
    match = {"repository": "acme/web", "repository_owner": "acme"}
    named = a_policy_set(a_policy("web", match))
    report = learned(
        named,
        recorded(named, repository_id="666", at=NOW + 86_400),
        recorded(named),
        recorded(named, ref="refs/heads/x"),
    )

    assert (report.conflicts, report.proposals, ids(report)) == (True, (), {})
    assert outcome(report).standing is Standing.TWO_IDS
    assert told(report) == [
        (
            "policy web: no proposal: repository acme/web was seen with 2 ids:"
            " 456789 (2 runs on 2 refs, on 2026-11-21, by web),"
            " 666 (1 run on 1 ref, on 2026-11-22, by web);"
            " find out whose the later one is before you pin any"
        ),
        "policy web: nothing for repository_owner before that",
    ]


def test_a_name_that_another_policy_saw_with_another_id_has_changed_hands() -> None:
    main = a_policy("main", {"repository": "acme/web", "ref": "refs/heads/main"})
    other = a_policy("other", {"repository": "acme/web", "ref": "refs/heads/x"})
    named = a_policy_set(main, other)
    report = learned(
        named, recorded(named), recorded(named, ref="refs/heads/x", repository_id="666")
    )

    assert {each.standing for each in report.outcomes} == {Standing.TWO_IDS}
    assert "666 (1 run on 1 ref, on 2026-11-21, by other)" in told(report)[0]


@pytest.mark.parametrize(
    "other",
    [
        {"repository": Glob("acme/*")},
        {"repository": "acme/web", "repository_id": "456789"},
        {"repository_owner_id": "123456"},
        {},
    ],
)
def test_a_policy_that_is_not_to_be_pinned_tells_that_a_name_has_changed_hands(
    other: dict[str, Any],
) -> None:
    """A policy of the name alone saw the later owner; who had it before, another one knows."""
    named = a_policy_set(
        a_policy("web", {"repository": "acme/web", "ref": "refs/heads/x"}),
        a_policy("other", {**other, "ref": "refs/heads/main"}),
    )
    report = learned(
        named, recorded(named), recorded(named, ref="refs/heads/x", repository_id="666")
    )

    assert report.heeded == 2
    assert (outcome(report).standing, ids(report)) == (Standing.TWO_IDS, {})
    assert report.conflicts
    assert any("456789 (1 run on 1 ref, on 2026-11-21, by other)" in line for line in told(report))


def test_what_another_policy_saw_is_no_proposal() -> None:
    main = a_policy("main", {"repository": "acme/web", "ref": "refs/heads/main"})
    other = a_policy("other", {"repository": "acme/web", "ref": "refs/heads/x"})
    named = a_policy_set(main, other)
    report = learned(named, recorded(named))

    assert ids(report, "main") == {"repository_id": ("456789",)}
    assert (outcome(report, "other").standing, ids(report, "other")) == (Standing.NOT_SEEN, {})


@pytest.mark.parametrize(
    "found",
    ["", "0123", "-1", "12a", "\uff11\uff12", "1\n", "1 ", "9" * 21, "[1]", 1.5, ["1"], None, ...],
)
def test_what_is_no_decimal_id_is_not_pinned(found: Any) -> None:
    report = learned(WEB, recorded(WEB), recorded(WEB, repository_id=found))

    assert (outcome(report).standing, ids(report)) == (Standing.NO_ID, {})
    assert not report.conflicts
    assert told(report) == [
        (
            "policy web: no proposal: in 1 permitted run there is no repository_id of decimal"
            " digits on record, and they would be refused (decision decision)"
        )
    ]


@pytest.mark.parametrize("found", ["0", 456789, "9" * 20])
def test_an_id_is_decimal_digits_as_text_or_as_a_number(found: Any) -> None:
    assert ids(learned(WEB, recorded(WEB, repository_id=found))) == {"repository_id": (str(found),)}


def test_of_several_names_in_one_token_none_has_the_id() -> None:
    report = learned(WEB, recorded(WEB, repository=["acme/web", "acme/api"]))

    assert (report.heeded, outcome(report).standing) == (1, Standing.NO_ID)


def test_an_issuer_that_requires_a_name_gets_the_id_that_all_its_policies_saw() -> None:
    require = some_conditions({"repository_owner": "acme"})
    named = a_policy_set(
        a_policy("web", {"repository": "acme/web"}),
        a_policy("ref", {"ref": "refs/heads/main"}),
        issuers=[an_issuer(require=require)],
    )
    report = learned(named, recorded(named))

    assert ids(report, "github") == {"repository_owner_id": ("123456",)}
    assert [each.target.name for each in report.outcomes] == ["web", "github"]
    assert told(report)[1].startswith("issuer github: repository_owner acme has ")
    assert outcome(report, "github").as_json()["place"] is None


def test_an_issuer_that_requires_no_tenant_has_nothing_to_pin() -> None:
    require = some_conditions({"runner_environment": "github-hosted"})
    named = a_policy_set(a_policy("web"), issuers=[an_issuer(require=require)])

    assert [each.target.name for each in learned(named).outcomes] == ["web"]


def test_what_an_issuer_requires_has_to_hold_still() -> None:
    require = some_conditions({"repository_owner": "other"})
    stricter = replace(WEB, issuers={"github": an_issuer(require=require)})

    assert unheeded(learned(stricter, recorded(WEB))) == {"holds_no_more": 1}


def test_what_is_confined_to_ids_is_left_alone() -> None:
    for match in (
        {"repository": "acme/web", "repository_id": "456789"},
        {"repository": "acme/web", "repository_owner_id": ["1", "123456"]},
        {"repository": "acme/web", "environment_node_id": "EN_1"},
        {"sub": "repository_id:456789:ref:refs/heads/main"},
    ):
        named = a_policy_set(a_policy("web", match))
        report = learned(named, recorded(named))
        assert (outcome(report).standing, told(report)) == (Standing.PINNED, [])


def test_an_issuer_that_requires_an_id_pins_its_policies() -> None:
    require = some_conditions({"repository_owner_id": "123456"})
    named = a_policy_set(a_policy("web"), issuers=[an_issuer(require=require)])
    report = learned(named, recorded(named))

    assert {each.standing for each in report.outcomes} == {Standing.PINNED}


@pytest.mark.parametrize(
    ("match", "claim", "why"),
    [
        ({"repository": Glob("acme/*")}, "repository", Unpinnable.PATTERN),
        ({"repository": ["acme/web", Glob("acme/*")]}, "repository", Unpinnable.PATTERN),
        ({"repository": Regex("acme/.*")}, "repository", Unpinnable.PATTERN),
        ({"repository": Not(Equals("acme/api"))}, "repository", Unpinnable.PATTERN),
        ({"repository": Present()}, "repository", Unpinnable.PATTERN),
        ({"sub": "repo:acme/web:ref:refs/heads/main"}, "sub", Unpinnable.SUB),
        (
            {"repository": "acme/web", "repository_id": Present()},
            "repository",
            Unpinnable.ASKED_OTHERWISE,
        ),
    ],
)
def test_what_no_traffic_can_pin_says_why(
    match: dict[str, Any], claim: str, why: Unpinnable
) -> None:
    named = a_policy_set(a_policy("web", match))
    report = learned(named, recorded(named))

    found = outcome(report)
    assert (found.standing, found.target.unpinnable) == (Standing.UNPINNABLE, ((claim, why),))
    [line] = told(report)
    assert line.startswith(f"policy web: nothing for {claim}: ")
    assert found.as_json()["unpinnable"] == [{"claim": claim, "why": why.value}]


def test_a_pattern_keeps_no_other_condition_from_its_id() -> None:
    match = {"repository": Glob("acme/*"), "repository_owner": "acme"}
    named = a_policy_set(a_policy("web", match))

    assert ids(learned(named, recorded(named))) == {"repository_owner_id": ("123456",)}


def test_a_deny_policy_is_never_pinned() -> None:
    named = a_policy_set(
        a_policy("web"),
        a_deny_policy("no", {"repository": "acme/api"}),
        a_deny_policy("other", {"ref": "refs/heads/x"}),
        a_deny_policy("by-id", {"repository": "acme/api", "repository_id": "7"}),
    )
    report = learned(named, recorded(named))

    assert [each.target.name for each in report.outcomes] == ["web", "no"]
    assert told(report)[1] == (
        "policy no: nothing for repository: one more condition would have it deny less"
    )


def test_what_a_service_requires_by_name_is_told_and_not_handled() -> None:
    require = (Condition("repository_owner", Equals("acme")),)
    named = a_policy_set(
        a_policy("web"),
        services=[
            a_service(require=require),
            a_service("plain"),
            a_service("ids", require=(Condition("repository_owner_id", Equals("1")), *require)),
        ],
    )
    report = learned(named, recorded(named))

    assert told(report)[1] == (
        "service deploy-api: nothing for repository_owner: a service requires it of every issuer's"
        " tokens; require it of the issuer"
    )
    assert len(report.outcomes) == 2


def test_what_has_no_preset_knows_no_ids() -> None:
    policy = a_policy("web", {"organization_id": "acme-1"}, issuer="ci")
    named = a_policy_set(policy, issuers=[an_issuer("ci")])
    report = learned(named, recorded(named, issuer="ci"))

    assert report.outcomes == ()
    assert unheeded(report) == {"other_issuer": 1}


def test_only_what_holds_by_the_files_counts() -> None:
    earlier = a_policy_set(a_policy("web", {"repository": "acme/web"}))
    stricter = a_policy_set(a_policy("web", {"repository": "acme/web", "ref": "refs/heads/main"}))
    report = learned(
        stricter,
        recorded(earlier, ref="refs/heads/x", repository_id="666"),
        recorded(earlier),
    )

    assert ids(report) == {"repository_id": ("456789",)}
    assert unheeded(report) == {"holds_no_more": 1}


def test_a_policy_that_has_expired_was_taught_before() -> None:
    named = a_policy_set(a_policy("web", {"repository": "acme/web"}, expires_at=NOW + 10))
    report = learned(named, recorded(WEB), recorded(WEB, at=NOW + 20, repository_id="666"))

    assert ids(report) == {"repository_id": ("456789",)}


def test_what_is_observed_only_grants_nothing_and_learns_nothing() -> None:
    observed = a_policy("web", {"repository": "acme/web"}, mode=Mode.OBSERVE)
    named = a_policy_set(observed, a_policy("ids", {"repository_id": "456789"}))
    report = learned(named, recorded(named))

    assert outcome(report).standing is Standing.NOT_SEEN


def test_a_policy_of_the_same_name_with_another_account_teaches_nothing() -> None:
    other = a_policy_set(
        a_policy("web", {"repository": "acme/web"}, service_account="other"),
        accounts=[an_account("other")],
    )

    assert unheeded(learned(WEB, recorded(other))) == {"other_policy": 1}


def test_what_a_deny_policy_refuses_now_teaches_nothing() -> None:
    mended = a_policy_set(
        a_policy("web", {"repository": "acme/web"}),
        a_deny_policy("taken-over", {"repository_id": "666"}),
    )
    report = learned(mended, recorded(WEB), recorded(WEB, repository_id="666"))

    assert ids(report) == {"repository_id": ("456789",)}
    assert unheeded(report) == {"denied": 1}


@pytest.mark.parametrize(("services", "denied"), [(["deploy-api"], 1), (["other"], 0)])
def test_a_deny_policy_counts_for_its_services(services: list[str], denied: int) -> None:
    named = a_policy_set(
        a_policy("web", {"repository": "acme/web"}),
        a_deny_policy("no", {"ref": "refs/heads/main"}, services=frozenset(services)),
        services=[a_service(), a_service("other")],
    )

    assert unheeded(learned(named, recorded(WEB))).get("denied", 0) == denied


def test_a_service_that_is_gone_is_denied_by_what_denies_all() -> None:
    gone = a_policy_set(
        a_policy("web", {"repository": "acme/web"}),
        a_deny_policy("no", {"ref": "refs/heads/main"}, services=frozenset({"other"})),
        services=[a_service("other")],
    )

    assert ids(learned(gone, recorded(WEB))) == {"repository_id": ("456789",)}


def test_what_grants_nothing_to_a_token_teaches_nothing() -> None:
    success = recorded(WEB)
    counted = {**success, "type": "token.refused", "outcome": "refused", "count": 3}
    events = [
        recorded(WEB, repository="acme/other"),
        recorded(WEB, explained=True),
        recorded_client(WEB, "deploy-web"),
        counted,
        {**success, "outcome": "error"},
        {**success, "reason": "no_policy_matched"},
        {**success, "type": "account.created"},
    ]
    report = learned(WEB, *events)

    assert (report.exchanges, ids(report)) == (0, {})
    assert unheeded(report) == {"other": len(events)}
    assert scope_sentence(report) == "no permitted exchange is on record"
    assert unheeded_sentence(report) is None


def test_erased_claims_teach_nothing() -> None:
    erased = {**recorded(WEB), "claims": None, "claims_erased": "0" * 64}
    report = learned(WEB, erased)

    assert (report.known, unheeded(report)) == (1, {"erased": 1})


def test_an_issuer_that_the_files_do_not_have_teaches_nothing() -> None:
    elsewhere = replace(WEB, issuers={"github": an_issuer(url="https://ghes.example")})
    event = recorded(WEB)
    nowhere = {**event, "claims": {**event["claims"], "iss": 1}}
    report = learned(elsewhere, event, nowhere)

    assert (report.known, unheeded(report)) == (0, {"other_issuer": 2})


def test_an_issuer_that_had_another_preset_teaches_nothing() -> None:
    assert unheeded(learned(WEB, {**recorded(WEB), "platform": None})) == {"other_issuer": 1}


def test_a_report_says_what_did_not_count() -> None:
    report = learned(WEB, recorded(WEB), {**recorded(WEB), "policies": ["other"]})

    assert scope_sentence(report) == "1 run of 2 permitted ones count"
    assert unheeded_sentence(report) == (
        "permitted, but not counted: 1 by a policy that is not in these files, or has another"
        " issuer or account there"
    )
    assert set(report.as_json()["unheeded"]) == set(Unheeded)


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(EventRefused, match="`policies`"):
        learned(WEB, {**recorded(WEB), "policies": [1]})


def test_the_size_of_a_line_is_taken() -> None:
    from broker.core.pinning.pinning import Pinning  # noqa: PLC0415

    pinning = Pinning(WEB)
    pinning.take(recorded(WEB), size=900)

    assert pinning.report().heeded == 1


def test_ids_and_refs_beyond_their_bounds_are_counted_only() -> None:
    events = [
        recorded(WEB, repository_id=str(number), ref=f"refs/heads/{number}")
        for number in range(MAX_IDS + 3)
    ]
    events += [recorded(WEB, repository_id="0", ref=f"refs/heads/r{n}") for n in range(MAX_REFS)]
    report = learned(WEB, *events)

    [found] = outcome(report).pins[0].found
    assert (len(found.ids), found.more) == (MAX_IDS, 3)
    [first] = [each for each in found.ids if each.id == "0"]
    assert (first.runs, len(first.refs), first.more_refs) == (MAX_REFS + 1, MAX_REFS, True)
    assert f"on more than {MAX_REFS} refs" in told(report)[0]
    assert " and others (3 runs)" in told(report)[0]


def test_a_long_list_is_told_in_part() -> None:
    names = [f"acme/{number}" for number in range(8)]
    named = a_policy_set(a_policy("web", {"repository": names}))

    assert told(learned(named))[0].endswith("acme/4 and 3 more")
