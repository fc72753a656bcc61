"""An audit event as one line for people."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.audit import AuditEvent
from broker.core.audit_text import event_line

NOW = 1_795_300_000.0
JOB: dict[str, Any] = {"issuer": "github", "subject": "repo:acme/web:ref:refs/heads/main"}


def line(kind: str, outcome: str = "success", **more: Any) -> str:
    ascii_only = more.pop("ascii_only", False)
    event = AuditEvent("the-id", NOW, kind, outcome, **more)
    return event_line(event.members(), ascii_only=ascii_only)


def test_a_permit_says_who_got_what_for_whom_and_by_which_policy() -> None:
    told = line(
        "token.exchanged",
        **JOB,
        sub="deploy-web",
        audience="https://deploy.example.com",
        scopes=("deploy:read", "deploy:write"),
        ttl=600,
        policies=("web-main",),
    )

    assert told == (
        "2026-11-21 22:26:40  ✓ deploy-web at https://deploy.example.com (deploy:read deploy:write,"
        " 10m), job repo:acme/web:ref:refs/heads/main of github, by web-main  the-id"
    )


def test_a_permit_without_scopes_says_so() -> None:
    told = line("token.exchanged", sub="a", audience="b", scopes=(), ttl=90)

    assert "✓ a at b (no scopes, 90s)" in told


def test_a_refusal_says_why_and_what_was_asked_for() -> None:
    asked = {"audience": ["deploy-api", "x"], "scope": "deploy:write"}
    told = line("token.refused", "refused", **JOB, reason="no_policy_matched", requested=asked)

    assert told == (
        "2026-11-21 22:26:40  ✗ refused: no_policy_matched, job repo:acme/web:ref:refs/heads/main"
        " of github, asked for deploy-api x (deploy:write)  the-id"
    )


def test_a_refusal_without_a_target_says_so() -> None:
    told = line("token.refused", "refused", reason="x", requested={"audience": [], "scope": None})

    assert "asked for any service" in told


def test_a_counted_refusal_says_how_many_and_from_where() -> None:
    counted: dict[str, Any] = {"reason": "signature_invalid", "count": 42}

    assert line("token.refused", "refused", **counted, client_address="203.0.113.7") == (
        "2026-11-21 22:26:40  ✗ refused 42 times: signature_invalid, from 203.0.113.7  the-id"
    )
    assert ", from" not in line("token.refused", "refused", **counted)


def test_a_token_for_a_secret_says_whose_and_which_it_was() -> None:
    told = line(
        "token.issued",
        service_account="nightly",
        sub="nightly",
        audience="https://deploy.example.com",
        scopes=("deploy:read",),
        ttl=300,
        actor="secret 17",
    )

    assert "✓ nightly at https://deploy.example.com (deploy:read, 5m), secret 17  the-id" in told


def test_a_client_that_is_refused_is_named() -> None:
    told = line(
        "token.refused",
        "refused",
        service_account="nightly",
        reason="scope_not_allowed",
        requested={"audience": [], "scope": "deploy:undo"},
        actor="secret 17",
    )

    assert (
        "✗ refused: scope_not_allowed, secret 17 of nightly, asked for any service (deploy:undo)"
        in told
    )


@pytest.mark.parametrize(("reason", "said"), [(None, "permit"), ("blocked", "blocked")])
def test_an_explained_decision_says_what_it_would_be(reason: str | None, said: str) -> None:
    assert f"✓ explained: {said}  the-id" in line("token.explained", reason=reason)


def test_an_administrative_event_says_who_did_what_to_what() -> None:
    assert "✓ policy.reloaded policies by SIGHUP  " in line(
        "policy.reloaded", actor="SIGHUP", target="policies"
    )
    assert "✗ key.rotated  " in line("key.rotated", "error")


def test_a_change_of_a_secret_says_whose_it_is() -> None:
    nightly: dict[str, Any] = {"service_account": "nightly", "actor": "admin"}

    assert "✓ secret.created 17 of nightly by admin  " in line(
        "secret.created", target="17", **nightly
    )
    assert "✓ account.created nightly by admin  " in line(
        "account.created", target="nightly", **nightly
    )


def test_a_terminal_that_shows_ascii_alone_gets_it() -> None:
    told = line("token.refused", "refused", ascii_only=True, reason="blocked", subject="ä")

    assert told.isascii()
    assert "[no] refused: blocked, job \\xe4 of absent" in told
    assert "[ok]" in line("token.explained", ascii_only=True)


HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["=HYPERLINK()", "\r\n2026-11-21", "\x1b[2J", "\u202e", "\u0085"]
)


@given(text=HOSTILE)
def test_no_token_breaks_out_of_its_line_or_begins_it(text: str) -> None:
    told = line(
        "token.refused",
        "refused",
        subject=text,
        issuer=text,
        reason=text,
        policies=(text,),
        requested={"audience": [text], "scope": text},
    )

    assert told.isprintable()
    assert told.startswith("2026-11-21 22:26:40  ✗ ")


VALUES = st.none() | st.integers() | HOSTILE | st.lists(HOSTILE, max_size=2)


@given(
    st.dictionaries(st.sampled_from(sorted(AuditEvent("", 0, "", "").members())) | HOSTILE, VALUES),
    st.sampled_from(
        ["token.exchanged", "token.issued", "token.refused", "token.explained", "policy.reloaded"]
    ),
)
def test_an_event_that_was_edited_is_shown_all_the_same(event: dict[str, Any], kind: str) -> None:
    assert event_line({"type": kind} | event).isprintable()
