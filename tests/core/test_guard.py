"""The guard: events that outsiders cause must be named (attacks rows 89, 91, 105, 156-158)."""

from typing import Any

import pytest

from broker.core.conditions import Glob, Not, Present, Regex
from broker.core.holding import guard_holds
from broker.core.platforms import GITHUB, GITLAB
from tests.core.builders import a_policy, an_issuer, github_claims, gitlab_claims, other_claims

UNTRUSTED = [
    "pull_request", "pull_request_target", "issue_comment", "issues", "fork", "watch",
    "discussion", "workflow_run", "event_of_next_year", "Push", "push ", "pushed",
]  # fmt: skip


@pytest.mark.parametrize("event", sorted(GITHUB.trusted_events))
def test_a_trusted_github_event_need_not_be_named(event: str) -> None:
    assert guard_holds(a_policy(), an_issuer("github"), github_claims(event_name=event))


@pytest.mark.parametrize("source", sorted(GITLAB.trusted_events))
def test_a_trusted_gitlab_source_need_not_be_named(source: str) -> None:
    claims = gitlab_claims(pipeline_source=source)

    assert guard_holds(a_policy(issuer="gitlab"), an_issuer("gitlab"), claims)


@pytest.mark.parametrize("event", UNTRUSTED)
def test_any_other_github_event_must_be_named(event: str) -> None:
    claims = github_claims(event_name=event)

    assert not guard_holds(a_policy(), an_issuer("github"), claims)
    for named in (event, ["push", event], [Glob("x*"), event]):
        assert guard_holds(a_policy(match={"event_name": named}), an_issuer("github"), claims)


@pytest.mark.parametrize(
    "source",
    ["merge_request_event", "external_pull_request_event", "parent_pipeline", "pipeline", "chat"],
)
def test_any_other_gitlab_source_must_be_named(source: str) -> None:
    claims = gitlab_claims(pipeline_source=source)
    naming = a_policy(match={"pipeline_source": source}, issuer="gitlab")

    assert not guard_holds(a_policy(issuer="gitlab"), an_issuer("gitlab"), claims)
    assert guard_holds(naming, an_issuer("gitlab"), claims)


@pytest.mark.parametrize(
    "condition",
    [Glob("**"), Glob("pull_request"), Regex("pull_request"), Present(), Not(Glob("push")),
     [Glob("pull_*"), "push"], "pull_request_target", ["push", "issues"]],
)  # fmt: skip
def test_only_a_literal_names_an_event(condition: Any) -> None:
    policy = a_policy(match={"event_name": condition})

    assert not guard_holds(policy, an_issuer("github"), github_claims(event_name="pull_request"))


@pytest.mark.parametrize("event", [..., None, "", [], ["push"], {"push": 1}, 1.0])
def test_an_event_that_is_missing_or_no_text_is_matched_by_no_policy(event: Any) -> None:
    claims = github_claims(event_name=event)

    assert not guard_holds(a_policy(), an_issuer("github"), claims)
    assert not guard_holds(a_policy(match={"event_name": "push"}), an_issuer("github"), claims)


def test_naming_the_event_in_another_claim_does_not_count() -> None:
    claims = github_claims(event_name="pull_request", workflow="pull_request")
    policy = a_policy(match={"workflow": "pull_request", "/event_name/x": "pull_request"})

    assert not guard_holds(policy, an_issuer("github"), claims)


def test_an_issuer_without_preset_has_no_guard() -> None:
    assert guard_holds(a_policy(issuer="ci"), an_issuer("ci"), other_claims())
