"""Row 136: neither a token nor a secret, nor a claim beyond the list, gets into an event."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audited_broker import AuditedStore
from tests.running_broker import AUDIENCE, RunningBroker

PERSONAL = {
    "email": "someone@example.com",
    "user_email": "someone@example.com",
    "name": "Some One",
    "preferred_username": "someone",
    "picture": "https://example.com/someone.png",
    "nested": {"mail": "someone@example.com"},
    "someone@example.com": "a name that is one",
    "password": "hunter2-hunter2",
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with RunningBroker(tmp_path).serving() as served:
        yield served


def text_of(events: list[dict[str, Any]]) -> str:
    return json.dumps(events, ensure_ascii=False)


def everything(broker: RunningBroker) -> list[str]:
    """Present tokens in every way, good and bad; give what must be in no event."""
    tokens = [
        broker.github_token(**PERSONAL),
        broker.github_token(**PERSONAL, ref="refs/heads/x"),
        broker.github.token({**PERSONAL, "sub": "x"}, audience="https://elsewhere"),
        broker.gitlab_token(**PERSONAL, ref_protected="true"),
        broker.buildkite.token({**PERSONAL, "sub": "x", "organization_id": "7"}, audience=AUDIENCE),
    ]
    secrets = []
    for token in [*tokens, tokens[0], tokens[0][:-4] + "AAAA"]:
        answer = broker.exchange(token)
        secrets += [answer.json().get("access_token", token), token]
        broker.jwt_bearer(token, client_secret="sa_live_hunter2", client_id="deploy-web")
        broker.exchange(token, client_assertion=token, scope="x")
    broker.request(
        "GET", f"/oauth/token?subject_token={tokens[0]}", headers={"Authorization": "Bearer abcdef"}
    )
    return secrets


def test_no_token_no_signature_and_no_secret_is_in_an_event(broker: RunningBroker) -> None:
    secrets = everything(broker)
    text = text_of(broker.events())

    for secret in secrets:
        assert [part for part in secret.split(".") if part in text] == []
    assert "sa_live" not in text
    assert "abcdef" not in text
    assert "eyJ" not in text


def test_no_claim_beyond_the_list_is_in_an_event(broker: RunningBroker) -> None:
    everything(broker)
    events = broker.events()

    assert {event["type"] for event in events} == {
        "key.created",
        "token.exchanged",
        "token.refused",
    }
    for value in ("someone", "Some One", "hunter2", "mail"):
        assert value not in text_of(events)


def test_a_token_that_did_not_verify_leaves_no_claim(broker: RunningBroker) -> None:
    broker.exchange(broker.github_token(repository="planted/evidence")[:-4] + "AAAA")

    [event] = broker.decisions()
    assert event["claims"] is None
    assert "planted" not in json.dumps(event)
    done = AuditedStore(broker).audit("list", "--decision", event["id"])
    assert "nothing that such a request says is recorded" in done.stdout


def test_what_the_commands_print_is_printable_and_begins_with_no_formula(
    broker: RunningBroker,
) -> None:
    for text in ("=HYPERLINK(1)", "\u202e\x1b[2J", "@x", "-1\r\n+2"):
        broker.exchange(broker.github_token(sub=text, workflow=text, ref=text))
    events = broker.decisions()
    store = AuditedStore(broker)
    shown = store.audit("list").stdout + store.audit("list", "--decision", events[0]["id"]).stdout

    lines = shown.splitlines()
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line[:1] in ("=", "+", "@")] == []
