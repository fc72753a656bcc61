"""`broker audit explain` on the store of a running broker, and by its API."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.cli.audit.served_decision import _is_whole
from broker.core.audit import chain_hash
from broker.core.audit_chain import link_of_line
from tests.audited_broker import AuditedStore, audited_store
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker


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


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_neither_does_it_in_a_list(own_store: AuditedStore, form: list[str]) -> None:
    wanted = decision(own_store, 1)
    own_store.sql("UPDATE events SET body = replace(body, 'no_policy_matched', 'blocked')")

    done = own_store.audit("list", "--decision", wanted, *form)
    assert done.exit_code == 1
    # What is on record is shown, and no explanation of it.
    assert len(done.stdout.splitlines()) == 1
    assert "was changed on record, and explains nothing" in done.stderr


def test_erased_claims_are_told_and_the_rest_is_shown(own_store: AuditedStore) -> None:
    wanted = decision(own_store, 1)
    own_store.audit("erase-claims", "--decision", wanted, "--yes")

    done = own_store.audit("explain", wanted)
    assert done.exit_code == 0
    assert done.stdout.startswith("refused: no_policy_matched\n")
    assert "note: the claims were erased" in done.stdout


# --- by the API of a broker -----------------------------------------------------------------------

READER = """\
service_accounts:
  auditor: {grants: {broker: [broker:audit:read]}}
policies:
  auditor:
    service_account: auditor
    issuer: github
    match: {repository_id: 456789, environment: audit}
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[RunningBroker, str]]:
    """A broker that goes by the clock of this machine, and the id of a refusal of its policies."""
    with special_broker(tmp_path, READER, now=time.time()) as broker:
        refused = broker.exchange(broker.github_token(ref="refs/heads/x")).json()
        broker.events()
        yield broker, refused["decision_id"]


def asked(broker: RunningBroker, *arguments: str) -> Result:
    """Explain by the API of a broker, as a job that may read the audit, with its policies here."""
    token = broker.folder / "token"
    token.write_text(broker.github_token(environment="audit", ref="refs/heads/ops"))
    environment = AuditedStore(broker).environment()
    # Its store is out of reach.
    del environment["BROKER_STORE"], environment["BROKER_MASTER_KEY_FILE"]
    return CliRunner().invoke(
        app,
        ["audit", "explain", *arguments, "--server", broker.url,
         "--id-token-file", str(token)],
        env=environment,
        catch_exceptions=False,
    )  # fmt: skip


def test_a_broker_is_asked_and_its_policy_files_here_explain(
    served: tuple[RunningBroker, str],
) -> None:
    broker, wanted = served
    done = asked(broker, wanted)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == AuditedStore(broker).audit("explain", wanted).stdout
    assert "    ✗ ref: expected refs/heads/main, got refs/heads/x" in done.stdout


def test_files_that_are_not_those_of_then_do_not_explain(
    served: tuple[RunningBroker, str],
) -> None:
    broker, wanted = served
    file = broker.folder / "policies" / "octo.yaml"
    text = file.read_text()
    for other in (text.replace("refs/heads/main", "refs/heads/x"), "no: [policies"):
        file.write_text(other)
        done = asked(broker, wanted)

        assert done.exit_code == 0
        assert done.stdout.startswith("refused: no_policy_matched\n")
        assert "note: the policy files here are not the set " in done.stdout
        assert "✗" not in done.stdout


def test_a_count_needs_no_policy_files(served: tuple[RunningBroker, str]) -> None:
    broker, _ = served
    counted = broker.exchange("no token").json()["decision_id"]
    broker.events()

    done = asked(broker, counted)
    assert done.exit_code == 0
    assert "note: this event counts 1 refusal of" in done.stdout


def test_a_decision_that_the_broker_does_not_show_is_not_found(
    served: tuple[RunningBroker, str],
) -> None:
    broker, _ = served
    done = asked(broker, "01a20b88-c550-7c2b-869f-de7a5e664017")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no such decision: " in done.stderr


def test_who_may_not_read_the_audit_is_told(served: tuple[RunningBroker, str]) -> None:
    broker, wanted = served
    secret = broker.folder / "secret"
    secret.write_text("sa_live_wrong")
    done = CliRunner().invoke(
        app,
        ["audit", "explain", wanted, "--server", broker.url, "--auth", "client-secret",
         "--service-account", "nobody", "--client-secret-file", str(secret)],
        env=AuditedStore(broker).environment(),
        catch_exceptions=False,
    )  # fmt: skip

    assert (done.exit_code, done.stdout) == (4, "")
    assert "reason: client_unknown_or_bad_secret" in done.stderr


@pytest.fixture
def event(store: AuditedStore) -> dict[str, Any]:
    """A refusal by the policies, as the API gives it."""
    refused: dict[str, Any] = dict(store.broker.decisions()[1])
    assert _is_whole(refused)
    return refused


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "blocked"},
        {"claims": {"ref": "refs/heads/y"}},
        {"time": "never"},
        {"hash": 7},
    ],
)
def test_an_answer_that_is_not_what_was_recorded_is_not_believed(
    event: dict[str, Any], change: dict[str, Any]
) -> None:
    assert not _is_whole(event | change)


@pytest.mark.parametrize("missing", ["claims", "requested", "policy_set", "count"])
def test_an_answer_without_a_member_is_not_believed(event: dict[str, Any], missing: str) -> None:
    del event[missing]

    assert not _is_whole(event)


@pytest.mark.parametrize(
    "change",
    [
        {"claims": ["ref"]},
        {"requested": {"audience": "deploy-api"}},
        {"requested": {"audience": [7]}},
        {"requested": {"scope": ["a"]}},
        {"requested": {"client_id": {}}},
        {"requested": {"expires_in": "1"}},
        {"requested": "x"},
        {"would": "x"},
        {"would": {"kind": "would_permit", "ttl": 10**400}},
        {"policy_set": 7},
        {"issuer": []},
        {"time": None},
    ],
)
def test_an_answer_of_another_shape_is_not_believed_even_if_its_hash_fits(
    event: dict[str, Any], change: dict[str, Any]
) -> None:
    event |= {"hash": chain_hash(event | change), **change}

    assert not _is_whole(event)
    assert link_of_line(json.dumps(event).encode()).fits
