"""A decision on record, in a few facts, as text and as a message for a chat."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.decision_markdown import MAX_CHARACTERS, decision_markdown, span
from broker.core.decision_text import decision_text
from broker.core.errors import Reason
from broker.core.policy import Mode, PolicySet
from broker.core.recorded_decision import RecordedDecision, explain_event
from tests.core.builders import a_deny_policy, a_policy, a_policy_set, a_service, an_account
from tests.core.test_recorded_decision import POLICIES, REQUEST, recorded

COUNTED = {
    "type": "token.refused", "outcome": "refused", "reason": "malformed_token", "count": 3,
    "client_address": "192.0.2.7", "time": "2026-11-21T22:26:40.000Z", "id": "e-1",
}  # fmt: skip
HOSTILE = [
    "refs/heads/`x` **bold** _it_ ~~no~~ |a|b|",
    "refs/heads/[log-in](https://evil.example)",
    "refs/heads/![x](https://evil.example/x.png)",
    "refs/heads/<!channel> <@U123> <https://evil.example|log in>",
    "refs/heads/@everyone",
    "refs/heads/x@here",
    "refs/heads/\n# heading\n- item",
    "refs/heads/\x1b[2K\u202e\u200b",
    "refs/heads/```\ncode\n```",
    "refs/heads/x\\",
    "`" * 300,
]


def text_of(event: dict[str, Any], policies: PolicySet = POLICIES) -> str:
    return decision_text(event, explain_event(event, policies))


def message_of(event: dict[str, Any], policies: PolicySet = POLICIES) -> str:
    return decision_markdown(event, explain_event(event, policies))


def without_spans(message: str) -> str:
    """Take the spans of code out, as CommonMark reads them: each begins and ends with one mark."""
    assert "``" not in message
    assert all(line.count("`") % 2 == 0 for line in message.splitlines())
    return re.sub("`[^`\n]+`", "SPAN", message)


def test_a_refusal_says_first_who_asked_for_what_and_why_not() -> None:
    shown = text_of(recorded(ref="refs/heads/x")).splitlines()

    assert shown[0] == "refused: no_policy_matched"
    facts = dict(line.strip().split(":", 1) for line in shown[1 : shown.index("")])
    assert facts["who"].strip().endswith(" of github")
    assert facts["asked for"].strip() == "deploy-api (deploy:read), for 300 seconds"
    assert facts["why"].strip() == "no policy holds; the nearest is web, which fails at ref"
    assert facts["policy set"].strip() == POLICIES.version
    assert "deny: no_policy_matched" in shown
    assert "    ✗ ref: expected refs/heads/main, got refs/heads/x" in shown


def test_a_permit_says_what_was_given_and_by_which_policy() -> None:
    shown = text_of(recorded())

    assert shown.startswith("permitted: token.exchanged\n")
    assert re.search(r"given: +\S+ at https://\S+ \(deploy:read, 5m\)\n", shown)
    assert re.search(r"why: +permitted by web\n", shown)


def test_a_count_says_how_many_there_were_and_from_where() -> None:
    event = dict.fromkeys(recorded()) | COUNTED
    told = RecordedDecision(None, ("this event counts 3 refusals",))

    shown = decision_text(event, told)
    assert shown.startswith("refused: malformed_token\n")
    assert re.search(r"who: +3 requests from 192\.0\.2\.7\n", shown)
    assert "\nnote: this event counts 3 refusals\n" in shown
    assert "why:" not in shown


@pytest.mark.parametrize(
    ("change", "headline", "why"),
    [
        ({"reason": "denied_by_policy", "policies": ["no-forks"]}, "refused", "by no-forks"),
        ({"reason": "denied_by_policy", "policies": []}, "refused", "by a deny policy"),
        ({"reason": "blocked"}, "refused", "was blocked"),
        ({"reason": "scope_not_allowed"}, "refused", "a scope that was asked for is not given"),
        ({"reason": "no_policy_matched"}, "refused", "no policy holds"),
        ({"reason": "issuer_disabled"}, "refused", "the issuer was switched off"),
        ({"reason": "token_expired"}, "refused", "the token was over"),
        ({"reason": "token_not_yet_valid"}, "refused", "not to be used yet"),
        ({"reason": "token_lifetime_too_long"}, "refused", "for longer than its issuer's may"),
        ({"reason": "claim_invalid"}, "refused", "a claim of the token"),
        ({"reason": "audience_mismatch"}, "refused", "made for another audience"),
        (
            {"reason": "audience_mismatch", "claims": {"aud": "https://other.example"}},
            "refused",
            "another audience: for https://other.example",
        ),
        ({"count": 1, "client_address": "192.0.2.7"}, "1 request from", None),
        ({"reason": ["odd"]}, "refused", None),
        ({"reason": "store_unavailable", "outcome": "error"}, "could not be decided", None),
        ({"type": "token.explained", "outcome": "success"}, "explained", None),
        ({"type": "token.issued", "outcome": "success", "ttl": "x"}, "permitted", None),
        ({"type": "token.issued", "outcome": None, "actor": "nightly"}, "ended", None),
        ({"audience": "a", "sub": "s", "ttl": 60, "scopes": []}, "refused", None),
        ({"requested": "odd", "time": None, "id": None}, "refused", None),
        ({"requested": {"client_id": "deploy-web"}}, "refused", None),
    ],
)
def test_whatever_is_on_record_is_told(
    change: dict[str, Any], headline: str, why: str | None
) -> None:
    event = dict.fromkeys(recorded()) | {"type": "token.refused", "outcome": "refused"} | change
    told = RecordedDecision(None, ())

    for shown in (decision_text(event, told), decision_markdown(event, told)):
        assert headline in shown.lower()
        assert why is None or why in shown
    assert decision_text(event, told, ascii_only=True).isascii()


def test_every_reason_that_policies_give_is_put_into_words() -> None:
    of_policies = [
        "token_already_used", "ambiguous_account", "account_disabled", "target_unknown",
        "target_required", "scope_not_allowed", "blocked", "denied_by_policy", "no_policy_matched",
    ]  # fmt: skip
    for reason in of_policies:
        event = dict.fromkeys(recorded()) | {"reason": Reason(reason).value}
        assert "why:" in decision_text(event, RecordedDecision(None, ()))


def test_a_message_has_the_nearest_policies_and_what_would_help() -> None:
    message = message_of(recorded(ref="refs/heads/x"))

    assert message.startswith("**Refused: `no_policy_matched`**\n- when: ")
    assert "Policy `web (allow, service account deploy-web)` does not hold:\n" in message
    assert "- `ref: expected refs/heads/main, got refs/heads/x`\n" in message
    assert "What would help:\n- `add refs/heads/x to 'ref'" in message
    assert message.endswith("\nAll of it: `broker audit explain id`\n")


def test_a_message_names_what_else_is_in_the_way() -> None:
    policies = a_policy_set(
        a_policy("old", expires_at=1.0),
        a_policy("of-another-service", grants={"other": ["x"]}),
        a_deny_policy("no-main", {"ref": "refs/heads/main"}),
        services=[a_service(), a_service("other", audience="https://other.example.com")],
    )
    request = replace(REQUEST, client_id="deploy-other")
    message = message_of(recorded(policies, request), policies)

    assert "- it has expired\n" in message
    assert "- another service account was asked for\n" in message
    assert "- it is not about the service asked for\n" in message
    assert "Policy `no-main (deny)` holds:\n" in message


def test_a_message_tells_nothing_of_a_person() -> None:
    policies = a_policy_set(a_policy("web", {"repository": "acme/web", "actor": "octocat"}))
    event = recorded(policies, actor="mallory")
    assert event["claims"]["actor"] == "mallory"

    message = message_of(event | {"subject": "repo:acme/web:actor:mallory"}, policies)
    assert "- a condition on who started the job\n" in message
    assert "mallory" not in message
    assert "octocat" not in message
    assert "mallory" in text_of(event, policies)


def test_a_message_ends_in_time_whatever_the_policies_hold() -> None:
    many = [f"{'x' * 150}{number}" for number in range(40)]
    wanted = {f"claim_{number}": many for number in range(8)} | {"repository": "acme/web"}
    policies = a_policy_set(*(a_policy(f"p{number}", wanted) for number in range(30)))
    claims: dict[str, Any] = {f"claim_{number}": "z" * 900 for number in range(8)}

    message = message_of(recorded(policies, **claims), policies)

    assert len(message) <= MAX_CHARACTERS
    assert message.endswith("_There is more._\nAll of it: `broker audit explain id`\n")


@pytest.mark.parametrize("ref", HOSTILE)
def test_a_hostile_name_is_a_text_in_a_span_and_nothing_else(ref: str) -> None:
    message = message_of(recorded(ref=ref, sub=ref, repository="acme/web"))

    outside = without_spans(message)
    assert re.search(r"evil|everyone|here\b|channel|heading|[<>@\[\]~|\x1b\u202e]", outside) is None
    assert "<" not in message
    assert not re.search(r"(?<![a-z0-9])@|@(everyone|here)|\]\(", message)
    assert all(each.isprintable() for each in message.splitlines())


@given(st.text())
def test_a_span_is_one_line_that_ends_where_it_should(text: str) -> None:
    written = span(text)

    assert (written[0], written[-1]) == ("`", "`")
    assert len(written) > 2
    inside = written[1:-1]
    assert inside.isprintable()
    assert not set("`<>") & set(inside)
    assert not inside.endswith("\\")


def test_what_is_harmless_in_a_span_is_left_as_it_is() -> None:
    workflow = "acme/web/.github/workflows/a_b.yml@refs/heads/main"

    assert span(workflow) == f"`{workflow}`"
    assert span("") == "`-`"
    assert span("@acme") == r"`\x40acme`"


PER_PERSON = a_policy_set(a_policy(), accounts=[an_account(instances=("actor_id",))])


@pytest.mark.parametrize("login", ["octocat-7", "octo cat 7", "o" * 101])
def test_a_message_does_not_name_the_person_that_an_instance_is_of(login: str) -> None:
    event = recorded(PER_PERSON, actor_id=login)

    assert login[:100] in text_of(event, PER_PERSON)
    message = message_of(event, PER_PERSON)
    assert login[:100] not in message
    assert ("deploy-web (an instance of it) at " in message) == (event["reason"] is None)


def test_a_message_does_not_name_the_instance_that_acted() -> None:
    event = {**dict.fromkeys(recorded()), "type": "account.created", "outcome": "success",
             "actor": "admins:user_login:octocat-7", "id": "e-1"}  # fmt: skip

    message = decision_markdown(event, RecordedDecision(None, ()))
    assert "admins (an instance of it)" in message
    assert "octocat" not in message


@pytest.mark.parametrize(
    "command", ["##[stop-commands]x", "##vso[task.setvariable variable=a]b", "###[group]", "##["]
)
def test_no_text_or_message_is_a_command_of_a_runner(command: str) -> None:
    event = recorded(ref=f"refs/heads/{command}", environment=command)

    for shown in (text_of(event), message_of(event)):
        assert r"\x23" in shown
        assert re.search(r"##[A-Za-z]*\[", shown) is None


def test_what_was_observed_is_a_fact() -> None:
    seen = a_policy("seen", {"repository": "acme/web"}, mode=Mode.OBSERVE)
    policies = a_policy_set(*POLICIES.policies.values(), seen)
    event = recorded(policies, ref="refs/heads/x")
    older = {name: event[name] for name in event if name != "would"}

    assert "  observed:   it would be permitted by seen, were it" in text_of(event, policies)
    assert "- observed: `it would be permitted by seen" in message_of(event, policies)
    assert "  observed:   seen held, and had no say\n" in text_of(older, policies)
    assert "observed:" not in text_of(recorded())
