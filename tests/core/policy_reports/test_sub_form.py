"""What breaks when a repository gets the immutable form of `sub`, and what to write."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.conditions import Condition, Equals, Glob, Not, Present, Regex
from broker.core.policy import Mode
from broker.core.policy_reports.immutable_subs import Repository, TwoIds, with_immutable_form
from broker.core.policy_reports.report_name import ReportName
from broker.core.policy_reports.sub_form import MAX_REPOSITORIES, NO_FORM, NO_RUN, TWO_IDS
from broker.core.sub_forms import immutable_form
from tests.core.builders import a_deny_policy, a_matcher, a_policy, an_issuer
from tests.core.policy_reports.reporting_of import members, reported
from tests.core.simulation.recording import now, recorded, then

MAIN = "repo:acme/web:ref:refs/heads/main"
MAIN_WITH_IDS = "repo:acme@123456/web@456789:ref:refs/heads/main"
ACME_WEB = Repository("acme", "web", "123456", "456789")


def sub_form(*args: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = members(*args, only=(ReportName.SUB_FORM,), **more)["sub_form"]
    return found


def line_of(value: Any, *events: dict[str, Any]) -> str | None:
    files = then(a_policy("web", {"repository_id": "456789", "sub": value}))
    [found] = sub_form(files, *(events or [recorded(files)]))["policies"]
    line: str | None = found["line"]
    return line


def test_a_repository_that_would_be_refused_is_told_with_what_to_write() -> None:
    files = then(a_policy("web", {"sub": MAIN}))
    [found] = sub_form(files, recorded(files), recorded(files))["policies"]

    assert found["policy"] == "web"
    assert found["condition"] == f"sub: {MAIN}"
    assert found["line"] == f"sub: [{MAIN}, {MAIN_WITH_IDS}]"
    [web] = found["repositories"]
    assert {**web, "first": "", "last": ""} == {
        "kind": "newly_denied",
        "repository": "acme/web",
        "repository_id": "456789",
        "repository_owner_id": "123456",
        "runs": 2,
        "first": "",
        "last": "",
    }


@pytest.mark.parametrize(
    ("value", "added"),
    [
        (Glob("repo:acme/web:**"), "repo:acme@123456/web@456789:**"),
        (Glob("repo:acme/*:ref:refs/heads/main"), "repo:acme@123456/*@*:ref:refs/heads/main"),
        (Glob("repo:acme/**"), "repo:acme@123456/**"),
        (Glob("repo:*/web:ref:**"), "repo:*@*/web@456789:ref:**"),
    ],
)
def test_a_pattern_gets_a_pattern_beside_it(value: Glob, added: str) -> None:
    assert line_of(value) == f'sub: [{{glob: "{value.pattern}"}}, {{glob: "{added}"}}]'


def test_a_regular_expression_has_no_counterpart() -> None:
    files = then(a_policy("web", {"repository_id": "456789", "sub": Regex("repo:acme/web:.*")}))
    [found] = sub_form(files, recorded(files))["policies"]

    assert (found["line"], found["why"]) == (None, NO_FORM)


def test_two_ids_under_one_name_are_not_chosen_from() -> None:
    files = then(a_policy("web", {"sub": MAIN}))
    found = sub_form(files, recorded(files), recorded(files, repository_id="9"))["policies"][0]

    assert (found["line"], found["why"]) == (None, TWO_IDS)
    assert {each["repository_id"] for each in found["repositories"]} == {"456789", "9"}


def test_a_policy_that_has_both_forms_breaks_nothing() -> None:
    files = then(a_policy("web", {"sub": [MAIN, MAIN_WITH_IDS]}))

    assert sub_form(files, recorded(files))["policies"] == []


def test_a_job_that_another_policy_permits_as_well_breaks_nothing() -> None:
    files = then(a_policy("web", {"sub": MAIN}), a_policy("by-name"))
    [found] = sub_form(files, recorded(files))["policies"]

    assert (found["repositories"], found["why"]) == ([], NO_RUN)


def test_what_is_denied_by_the_classic_form_would_be_let_in() -> None:
    files = then(a_policy("web"), a_deny_policy("no", {"sub": MAIN}))
    [found] = sub_form(files, recorded(files))["policies"]

    assert [each["kind"] for each in found["repositories"]] == ["newly_permitted"]
    assert found["line"] is not None


def test_not_lets_in_what_it_kept_out() -> None:
    files = then(a_policy("web", {"repository": "acme/web", "sub": Not(Equals(MAIN))}))
    [found] = sub_form(files, recorded(files))["policies"]

    assert [each["kind"] for each in found["repositories"]] == ["newly_permitted"]
    assert found["line"].startswith("sub: {not: [repo:acme/web:ref:refs/heads/main,")


def test_another_life_is_told_as_something_else() -> None:
    files = then(a_policy("web", {"sub": MAIN}, ttl=60), a_policy("by-name"))
    [found] = sub_form(files, recorded(files))["policies"]

    assert [each["kind"] for each in found["repositories"]] == ["changed"]


def test_what_is_required_of_all_tokens_is_told_apart() -> None:
    github = an_issuer("github", require=(Condition("sub", Glob("repo:acme/*:**")),))
    files = then(a_policy("web"), issuers=[github])
    found = sub_form(files, recorded(files))

    assert found["policies"] == []
    assert [each["runs"] for each in found["by_require"]] == [1]


def test_a_sub_of_its_own_form_is_left_alone() -> None:
    own = then(a_policy("web", {"repository": "acme/web", "sub": "repository_id:456789"}))
    other = then(a_policy("web", {"repository": "acme/web", "sub": "repo:acme/webs"}))

    assert sub_form(own, recorded(own, sub="repository_id:456789"))["policies"] == []
    [found] = sub_form(other, recorded(other, sub="repo:acme/webs"))["policies"]
    assert found["why"] == NO_RUN


def test_a_sub_that_has_ids_already_is_counted() -> None:
    files = then(a_policy("web", {"repository": "acme/web", "sub": Glob("repo:acme@*/**")}))
    found = sub_form(files, recorded(files, sub=MAIN_WITH_IDS))

    assert (found["immutable"], found["policies"]) == (1, [])


@pytest.mark.parametrize("claims", [{"repository_id": ...}, {"repository_owner_id": "acme"}])
def test_without_ids_on_record_nothing_is_claimed(claims: dict[str, Any]) -> None:
    files = then(a_policy("web", {"sub": MAIN}))
    found = sub_form(files, recorded(files, **claims))

    assert found["without_ids"] == 1
    assert found["policies"][0]["why"] == NO_RUN


def test_what_cannot_be_decided_is_counted() -> None:
    files = now(a_policy("web", {"sub": MAIN, "team": "a"}))

    assert sub_form(files, recorded(then()))["undecidable"] == 1


def test_erased_runs_and_explanations_are_left_out() -> None:
    files = then(a_policy("web", {"sub": MAIN}))
    erased = {**recorded(files), "claims": None, "claims_erased": "0" * 64}
    found = sub_form(files, erased, recorded(files, explained=True))

    assert found["policies"][0]["why"] == NO_RUN


def test_an_observed_policy_and_others_of_gitlab() -> None:
    gitlab = a_policy("lab", {"sub": "project_path:acme/web"}, issuer="gitlab")
    files = then(replace(a_policy("web", {"sub": MAIN}), mode=Mode.OBSERVE), gitlab)
    found = sub_form(files, recorded(files), recorded(files, issuer="gitlab"))

    assert [(each["policy"], each["observed"]) for each in found["policies"]] == [("web", True)]


def test_repositories_are_bounded() -> None:
    files = then(a_policy("web", {"sub": Glob("repo:acme/*:**"), "repository_owner": "acme"}))
    report = reported(
        files,
        *(
            recorded(
                files,
                sub=f"repo:acme/r{each}:ref:x",
                repository=f"acme/r{each}",
                repository_id=str(each),
            )
            for each in range(MAX_REPOSITORIES + 3)
        ),
    )
    assert report.sub_form is not None
    assert report.sub_form.more == 3
    assert len(report.sub_form.policies[0].breaking) == MAX_REPOSITORIES
    assert report.sub_form.policies[0].line is not None


def test_subs_of_one_repository_are_bounded() -> None:
    files = then(a_policy("web", {"repository": "acme/web", "sub": Glob("repo:acme/web:**")}))
    events = (
        recorded(files, sub=f"repo:acme/web:ref:{each}") for each in range(MAX_REPOSITORIES + 3)
    )
    [found] = sub_form(files, *events)["policies"]

    assert found["repositories"][0]["runs"] == MAX_REPOSITORIES + 3


def test_what_is_remembered_of_forms_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.core.policy_reports.sub_form._REMEMBERED", 1)
    files = then(a_policy("web", {"repository": "acme/web", "sub": Glob("repo:acme/web:**")}))
    events = [recorded(files, sub=f"repo:acme/web:ref:{each}") for each in (1, 2, 1)]

    assert sub_form(files, *events)["policies"][0]["repositories"][0]["runs"] == 3


@pytest.mark.parametrize("value", [Present(), "repo:else/web:x", "repository_id:1", Regex("x")])
def test_a_condition_that_names_none_of_the_repositories_stays(value: Any) -> None:
    assert with_immutable_form(Condition("sub", a_matcher(value)), [ACME_WEB]) is None


def test_the_form_is_added_once() -> None:
    both = Condition("sub", a_matcher([MAIN, MAIN_WITH_IDS]))

    assert with_immutable_form(both, [ACME_WEB]) is None
    with pytest.raises(TwoIds):
        with_immutable_form(
            Condition("sub", Equals(MAIN)), [ACME_WEB, replace(ACME_WEB, owner_id="9")]
        )


@pytest.mark.parametrize(
    ("sub", "form"),
    [
        (MAIN, MAIN_WITH_IDS),
        ("repo:acme/web", "repo:acme@123456/web@456789"),
        ("repository_id:456789", None),
        (MAIN_WITH_IDS, None),
    ],
)
def test_the_immutable_form_of_a_sub(sub: str, form: str | None) -> None:
    assert immutable_form(sub, "123456", "456789") == form
    assert immutable_form(sub, "x", "456789") is None
