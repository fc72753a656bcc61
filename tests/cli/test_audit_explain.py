"""`broker audit explain` on the store of a running broker."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audited_broker import AuditedStore, audited_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedStore]:
    with audited_store(tmp_path_factory.mktemp("broker"), exchanges=1) as served:
        yield served


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[AuditedStore]:
    with audited_store(tmp_path, exchanges=1) as served:
        yield served


def decision(store: AuditedStore, number: int) -> str:
    """Give the id of a decision: a permit, a refusal by the policies, a counted one."""
    event_id: str = store.broker.decisions()[number]["id"]
    return event_id


def test_a_decision_is_told_in_words_before_it_is_told_by_condition(store: AuditedStore) -> None:
    done = store.audit("explain", decision(store, 1))

    assert (done.exit_code, done.stderr) == (0, "")
    shown = done.stdout.splitlines()
    assert shown[0] == "refused: no_policy_matched"
    assert any(line.startswith("  who:        job repo:octo-org/octo-repo:ref:") for line in shown)
    assert any(line.startswith("  asked for:  deploy-api") for line in shown)
    assert any("octo-main, which fails at ref" in line for line in shown)
    assert "    ✗ ref: expected refs/heads/main, got refs/heads/x" in shown
    assert any(line.startswith("fix: add refs/heads/x to `ref`") for line in shown)


def test_a_refusals_link_is_as_good_as_its_id(store: AuditedStore) -> None:
    refusal = store.broker.exchange("no token").json()
    store.broker.events()

    by_link = store.audit("explain", refusal["error_uri"])
    assert by_link.exit_code == 0
    assert by_link.stdout.startswith("refused: malformed_token\n")
    assert by_link.stdout == store.audit("explain", refusal["decision_id"]).stdout


def test_it_is_the_explanation_of_audit_list(store: AuditedStore) -> None:
    wanted = decision(store, 1)
    listed = store.audit("list", "--decision", wanted, "--json").stdout.splitlines()
    event, explained = (json.loads(line) for line in listed)

    told = json.loads(store.audit("explain", wanted, "--json").stdout)
    assert told == {
        "event": event,
        "explanation": explained["explanation"],
        "notes": explained["notes"],
    }
    assert store.audit("explain", wanted, "--format", "json").stdout == json.dumps(told) + "\n"
    in_words = store.audit("list", "--decision", wanted).stdout
    assert store.audit("explain", wanted).stdout.endswith(in_words.split("\n", 1)[1])


def test_markdown_is_a_message_for_a_chat(store: AuditedStore) -> None:
    message = store.audit("explain", decision(store, 1), "--format", "markdown").stdout

    assert message.startswith("**Refused: `no_policy_matched`**\n")
    assert "- `ref: expected refs/heads/main, got refs/heads/x`\n" in message
    assert message.endswith(f"All of it: `broker audit explain {decision(store, 1)}`\n")


def test_a_permit_is_explained_too(store: AuditedStore) -> None:
    shown = store.audit("explain", decision(store, 0)).stdout

    assert shown.startswith("permitted: token.exchanged\n")
    assert "why:        permitted by octo-main\n" in shown


def test_an_id_that_is_not_on_record_says_what_to_check(store: AuditedStore) -> None:
    done = store.audit("explain", "01a20b88-c550-7c2b-869f-de7a5e664017")

    assert (done.exit_code, done.stdout) == (1, "")
    for cause in ["when its minute ends", "`audit.retention`", "in its own store (--config)"]:
        assert cause in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "",
        "%",
        "01A20B88-C550-7C2B-869F-DE7A5E664017",
        "https://broker.example.com/e/01a20b88-c550-7c2b-869f-de7a5e664017",
        "https://broker.example.com/d/01a20b88-c550-7c2b-869f-de7a5e664017?x=y",
        "https://a@broker.example.com/d/01a20b88-c550-7c2b-869f-de7a5e664017",
    ],
)
def test_what_is_neither_an_id_nor_a_link_is_refused(store: AuditedStore, text: str) -> None:
    done = store.audit("explain", text)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("broker: ID: neither the id of a decision, as 01a20b88-")


def test_an_event_that_was_changed_explains_nothing(own_store: AuditedStore) -> None:
    wanted = decision(own_store, 1)
    own_store.sql("UPDATE events SET body = replace(body, 'no_policy_matched', 'blocked')")

    done = own_store.audit("explain", wanted)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "was changed on record, and explains nothing" in done.stderr


def test_erased_claims_are_told_and_the_rest_is_shown(own_store: AuditedStore) -> None:
    wanted = decision(own_store, 1)
    own_store.audit("erase-claims", "--decision", wanted, "--yes")

    done = own_store.audit("explain", wanted)
    assert done.exit_code == 0
    assert done.stdout.startswith("refused: no_policy_matched\n")
    assert "note: the claims were erased" in done.stdout
