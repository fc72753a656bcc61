"""`broker audit` on the store of a running broker, and on files."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from broker.stores.sqlite_file import _STEPS
from tests.audited_broker import AuditedStore, audited_store
from tests.running_broker import RunningBroker

ROOT = Path(__file__).parents[2]
Broker = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedStore]:
    with audited_store(tmp_path_factory.mktemp("broker")) as served:
        yield served


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[AuditedStore]:
    with audited_store(tmp_path) as served:
        yield served


def lines(store: AuditedStore, *arguments: str) -> list[dict[str, Any]]:
    done = store.audit(*arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


# --- list -----------------------------------------------------------------------------------------


def test_the_newest_events_come_last_one_line_each(store: AuditedStore) -> None:
    done = store.audit("list")

    assert (done.exit_code, done.stderr) == (0, "")
    shown = done.stdout.splitlines()
    assert len(shown) == store.start + 5
    made, decided = shown[: store.start], shown[store.start :]
    assert all("✓ key.created" in line and "by key upkeep" in line for line in made)
    assert (
        "✓ deploy-web at https://deploy.example.com (deploy:read deploy:write, 10m), job"
        " repo:octo-org/octo-repo:ref:refs/heads/main of github, by octo-main" in decided[0]
    )
    assert "✗ refused: no_policy_matched, job repo:octo-org/octo-repo" in decided[3]
    assert "✗ refused 1 times: malformed_token, from 127.0.0.1" in decided[4]


@pytest.mark.parametrize(
    ("options", "decisions", "those_of_the_start"),
    [
        ("--service-account deploy-web", [1, 2, 3], False),
        ("--issuer github", [1, 2, 3, 4], False),
        ("--type token.refused", [4, 5], False),
        ("--type key.created", [], True),
        ("--outcome success", [1, 2, 3], True),
        ("--reason no_policy_matched", [4], False),
        ("--policy octo-main", [1, 2, 3], False),
        ("--since 2026-11-21 --until 2026-11-22", [1, 2, 3, 4, 5], True),
        ("--until 2026-11-21", [], False),
        ("--since 2026-11-21T22:26:41Z", [], False),
        ("--issuer gitlab", [], False),
    ],
)
def test_events_are_found_by_what_is_asked(
    store: AuditedStore, options: str, decisions: list[int], *, those_of_the_start: bool
) -> None:
    found = [event["seq"] for event in lines(store, "list", "--json", *options.split())]

    start = [*range(1, store.start + 1)] if those_of_the_start else []
    assert found == start + [store.start + number for number in decisions]


def test_a_list_without_events_says_so_beside_its_output(store: AuditedStore) -> None:
    done = store.audit("list", "--type", "token.exchangd")

    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "broker: no event on record fits\n"


def test_a_list_goes_on_with_older_events_where_it_ended(store: AuditedStore) -> None:
    options = ["list", "--json", "--policy", "octo-main", "--limit", "2"]
    first = store.audit(*options)
    assert first.exit_code == 0
    note, cursor = first.stderr.strip().rsplit(" ", 1)
    assert note == "older events: --cursor"

    older = lines(store, *options, "--cursor", cursor)
    newer = [json.loads(line) for line in first.stdout.splitlines()]
    assert [event["seq"] - store.start for event in older + newer] == [1, 2, 3]


@pytest.mark.parametrize("options", ["--cursor x", "--cursor {} --policy other"])
def test_a_cursor_of_another_list_is_refused(store: AuditedStore, options: str) -> None:
    cursor = store.audit("list", "--limit", "1").stderr.rsplit(" ", 1)[1].strip()

    done = store.audit("list", *options.format(cursor).split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("broker: --cursor: it ")


def decision(store: AuditedStore, number: int) -> str:
    """Give the id of the so manieth decision."""
    event_id: str = lines(store, "export")[store.start + number - 1]["id"]
    return event_id


def test_a_decision_id_resolves_to_the_whole_explanation(store: AuditedStore) -> None:
    done = store.audit("list", "--decision", decision(store, 4))

    assert (done.exit_code, done.stderr) == (0, "")
    shown = done.stdout.splitlines()
    assert "no_policy_matched" in shown[0]
    assert "    repository_id: 456789" in shown
    assert "deny: no_policy_matched" in shown
    assert "    ✗ ref: expected refs/heads/main, got refs/heads/x" in shown
    assert any(line.startswith("fix: add refs/heads/x to `ref`") for line in shown)


def test_the_explanation_is_one_more_line_of_json(store: AuditedStore) -> None:
    wanted = decision(store, 4)
    event, explained = lines(store, "list", "--json", "--decision", wanted)

    assert (event["id"], explained["decision_id"]) == (wanted, wanted)
    assert explained["type"] == "audit.explanation"
    assert explained["explanation"]["reason"] == "no_policy_matched"
    assert explained["notes"] == []


def test_a_counted_refusal_says_that_there_is_nothing_to_explain(store: AuditedStore) -> None:
    done = store.audit("list", "--decision", decision(store, 5))

    assert done.exit_code == 0
    assert "note: this event counts 1 refusal of" in done.stdout


def test_an_unknown_decision_says_what_it_may_be(store: AuditedStore) -> None:
    done = store.audit("list", "--decision", "unknown")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no such decision: a count of refusals is written when" in done.stderr


def test_an_old_decision_is_explained_by_the_set_of_then(own_store: AuditedStore) -> None:
    policies = own_store.broker.folder / "policies" / "octo.yaml"
    policies.write_text(policies.read_text().replace("refs/heads/main", "refs/heads/x"))
    own_store.broker.reload(forced=True)

    [_, then] = lines(own_store, "list", "--json", "--decision", decision(own_store, 4))
    assert then["explanation"]["candidates"][0]["conditions"][2]["expected"] == "refs/heads/main"
    own_store.sql("DELETE FROM policy_sets")
    [_, gone] = lines(own_store, "list", "--json", "--decision", decision(own_store, 4))
    assert gone["explanation"] is None
    assert "is no longer kept" in gone["notes"][0]


@pytest.mark.parametrize(
    "options", ["--since tuesday", "--until 2026-13-01", "--outcome good", "--limit 0"]
)
def test_an_option_that_means_nothing_is_refused(store: AuditedStore, options: str) -> None:
    done = store.audit("list", *options.split())

    assert (done.exit_code, done.stdout) == (2, "")
    assert options.split(maxsplit=1)[0] in done.stderr


def test_a_damaged_event_is_passed_over_and_told(own_store: AuditedStore) -> None:
    own_store.sql("""UPDATE events SET body = '{"id":"x"}' WHERE seq = :start + 2""")

    done = own_store.audit("list")
    assert len(done.stdout.splitlines()) == own_store.start + 4
    assert f"event {own_store.start + 2} is damaged; look with `broker audit verify`" in done.stderr
    done = own_store.audit("export")
    assert (done.exit_code, len(done.stdout.splitlines())) == (1, own_store.start + 1)


# --- export and files -----------------------------------------------------------------------------


def test_an_export_is_every_event_oldest_first_and_verifies(store: AuditedStore) -> None:
    done = store.audit("export")

    assert [json.loads(line) for line in done.stdout.splitlines()] == store.broker.events()
    verified = store.audit("verify", "-", stdin=done.stdout)
    assert verified.exit_code == 0
    assert "events read: {0}, from 1 to {0}".format(store.start + 5) in verified.stdout


def test_an_export_goes_on_behind_an_event(store: AuditedStore) -> None:
    third = store.start + 3
    exported = lines(store, "export", "--after-seq", str(third))
    assert [event["seq"] for event in exported] == [third + 1, third + 2]
    assert lines(store, "export", "--until", "2026-11-21") == []


def test_an_export_for_a_spreadsheet_has_every_event_and_member(store: AuditedStore) -> None:
    done = store.audit("export", "--format", "csv", "--after-seq", str(store.start))

    assert (done.exit_code, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout_bytes.decode(), newline=""), strict=True))
    events = store.broker.events()[store.start :]
    assert [row["id"] for row in rows] == [event["id"] for event in events]
    members = list(events[0])
    # What only some events have is a column all the same.
    place = members.index("observed") + 1
    members[place:place] = ["would", "claims_left_out"]
    assert list(rows[0]) == members
    assert [json.loads(row["policies"]) for row in rows] == [each["policies"] for each in events]


def test_json_lines_are_not_csv(store: AuditedStore) -> None:
    done = store.audit("export", "--format", "csv", "--json")

    assert (done.exit_code, done.stdout) == (2, "")
    assert store.audit("export", "--format", "jsonl").stdout == store.audit("export").stdout


def test_an_edited_export_is_found(store: AuditedStore, tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text(store.audit("export").stdout.replace("no_policy_matched", "blocked"))

    done = store.audit("verify", str(file))
    assert done.exit_code == 1
    assert f"first broken: event {store.start + 4}" in done.stdout


def test_what_a_broker_printed_is_its_own_checkpoint(store: AuditedStore, tmp_path: Path) -> None:
    file = tmp_path / "stdout.jsonl"
    file.write_text(store.audit("export").stdout + store.head() + "\n")

    assert store.verified("--checkpoint", str(file))["heads"] == 1
    assert store.verified("--checkpoint", str(file), str(file))["heads"] == 1


@pytest.mark.parametrize("text", ["", "no JSON\n", '{"type":"audit.head"}\n', "[1]\n"])
def test_a_file_without_events_cannot_be_verified(store: AuditedStore, text: str) -> None:
    done = store.audit("verify", "-", stdin=text)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("broker: -: ")


# --- verify ---------------------------------------------------------------------------------------


def test_a_whole_store_is_told_in_plain_words(store: AuditedStore) -> None:
    done = store.audit("verify")

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "[ok] the chain is whole",
        "events read: {0}, from 1 to {0}".format(store.start + 5),
        f"hash of the last one: {store.broker.events()[-1]['hash']}",
        "without --checkpoint neither a cut tail nor a rebuilt chain can be found",
    ]


def test_a_checkpoint_is_told_of_in_plain_words(own_store: AuditedStore) -> None:
    early = own_store.head()
    forged = [json.dumps({"type": "audit.head", "seq": number}) for number in range(7)]
    own_store.broker.clock.advance(91 * 86_400)
    own_store.broker.exchange("no token")
    own_store.broker.events()
    own_store.broker.tick_audit()
    checkpoint = own_store.checkpoint(early, own_store.head(), *forged)

    done = own_store.audit("verify", "--checkpoint", checkpoint)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[3:] == [
        "heads that hold: 1",
        f"heads from before event {own_store.start + 6}, not to be compared: 1",
        *(
            f"[no] line {number} of the checkpoint is not believed: it is not signed"
            for number in range(3, 8)
        ),
        "[no] and 2 more such lines",
    ]
    assert own_store.audit("verify").stdout.startswith("[ok] the chain is whole")


def test_a_store_without_an_event_has_no_head(tmp_path: Path) -> None:
    with RunningBroker(tmp_path).serving() as broker:
        store = AuditedStore(broker)
        store.sql("DELETE FROM events")
        done = store.audit("head")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "the store holds no event yet" in done.stderr


def test_how_far_it_is_shows_on_a_terminal_alone(store: AuditedStore) -> None:
    ours, theirs = os.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    done = subprocess.run(
        [sys.executable, "-m", "broker", "audit", "verify", "--json"],
        env=kept | store.environment() | {"PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)

    assert json.loads(done.stdout)["ok"]
    assert "verifying" in shown
    assert "100%" in shown


def test_the_public_key_verifies_without_the_master_key(
    store: AuditedStore, tmp_path: Path
) -> None:
    key = tmp_path / "head.jwk"
    key.write_text(store.audit("head", "--public-key").stdout)
    assert json.loads(key.read_text()).keys() == {"kty", "crv", "x", "use", "alg", "kid"}
    checkpoint = store.checkpoint(store.head())
    master_key = store.broker.folder / "master.key"
    hidden = master_key.rename(master_key.with_name("hidden"))

    try:
        with_it = store.verified("--key", str(key), "--checkpoint", checkpoint)
        without = store.audit("verify", "--checkpoint", checkpoint)
    finally:
        hidden.rename(master_key)
    assert (with_it["ok"], with_it["heads"]) == (True, 1)
    assert without.exit_code == 2
    assert "the master key is missing" in without.stderr
    assert "or their public key in --key" in without.stderr


@pytest.mark.parametrize(
    ("text", "said"), [("no JSON", "it is not JSON"), ("{}", "not the JWK of an Ed25519 key")]
)
def test_a_key_that_is_none_is_refused(
    store: AuditedStore, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "key").write_text(text)

    done = store.audit("verify", "--key", str(tmp_path / "key"))
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_checkpoint_without_a_head_is_refused(store: AuditedStore) -> None:
    done = store.audit("verify", "--checkpoint", store.checkpoint("{}", "text"))

    assert (done.exit_code, done.stdout) == (2, "")
    assert "holds no head" in done.stderr


def test_a_file_that_is_not_there_is_told(store: AuditedStore) -> None:
    for option in ("--checkpoint", "--key"):
        done = store.audit("verify", option, "/nowhere")
        assert (done.exit_code, "cannot be read" in done.stderr) == (2, True)


@pytest.mark.parametrize("command", ["list", "export", "verify", "head", "erase-claims"])
def test_a_store_that_is_not_there_is_not_made(
    broker: Broker, tmp_path: Path, command: str
) -> None:
    more = ["--before", "1d"] if command == "erase-claims" else []
    done = broker("audit", command, *more)

    assert (done.returncode, done.stdout) == (2, "")
    assert "broker.db: there is no store yet: a broker makes it at its first start" in done.stderr
    assert "or its folder with --data" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["list", "export", "verify", "erase-claims"])
def test_the_folder_of_the_store_can_be_named_as_for_accounts(broker: Broker, command: str) -> None:
    made = broker("accounts", "create", "nightly", "--data", "elsewhere")
    assert made.returncode == 0, made.stderr
    more = ["--before", "1d"] if command == "erase-claims" else []

    done = broker("audit", command, "--data", "elsewhere", *more)

    assert done.returncode == 0, done.stderr


def test_a_store_of_another_kind_is_refused(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "broker.db").write_text("no database" * 1000)
    assert "is not a SQLite database" in broker("audit", "list").stderr

    (tmp_path / "data" / "broker.db").unlink()
    old = apsw.Connection(str(tmp_path / "data" / "broker.db"))
    old.execute(_STEPS[0] + "PRAGMA user_version = 1;")
    old.close()
    done = broker("audit", "verify")
    assert (done.returncode, done.stdout) == (2, "")
    assert "start its broker once" in done.stderr


# --- erase-claims ---------------------------------------------------------------------------------


def test_claims_are_erased_and_the_chain_still_verifies(own_store: AuditedStore) -> None:
    before = own_store.head()
    done = own_store.audit("erase-claims", "--claim", "actor=octocat", "--yes")

    assert (done.exit_code, done.stdout) == (0, "4 events have no claims any more\n")
    found = own_store.verified("--checkpoint", own_store.checkpoint(before))
    assert (found["ok"], found["claims_erased"]) == (True, 4)
    assert found["events"] == own_store.start + 6
    last = own_store.broker.events()[-1]
    assert (last["type"], last["target"]) == ("audit.claims_erased", "claims")
    assert last["changes"] == {"before": None, "claim": "actor", "events": 4}


def test_what_was_erased_is_in_no_file_once_the_store_was_rewritten(
    own_store: AuditedStore,
) -> None:
    own_store.audit("erase-claims", "--before", "0s", "--yes", "--rewrite")

    files = list(own_store.broker.folder.glob("broker.db*"))
    assert [file.name for file in files if b"octocat" in file.read_bytes()] == []


def test_an_export_of_erased_claims_verifies_line_by_line(own_store: AuditedStore) -> None:
    own_store.audit("erase-claims", "--decision", decision(own_store, 1), "--yes")
    exported = own_store.audit("export").stdout

    events = [json.loads(line) for line in exported.splitlines()]
    first, others = events.pop(own_store.start), events
    assert (first["claims"], len(first["claims_erased"])) == (None, 64)
    assert not any("claims_erased" in event for event in others)
    done = own_store.audit("verify", "-", stdin=exported)
    assert "claims erased: 1 events" in done.stdout
    [_, explained] = lines(own_store, "list", "--json", "--decision", first["id"])
    assert "the claims were erased" in explained["notes"][0]


def test_an_edited_claim_is_found_beside_erased_ones(own_store: AuditedStore) -> None:
    own_store.audit("erase-claims", "--decision", decision(own_store, 1), "--yes")
    own_store.sql(
        "UPDATE events SET claims = replace(claims, 'octocat', 'hubot') WHERE seq = :start + 2"
    )

    assert own_store.verified()["first_broken"] == own_store.start + 2


def test_erasing_asks_first(store: AuditedStore) -> None:
    done = store.audit("erase-claims", "--before", "0s", stdin="n\n")

    assert done.exit_code == 1
    assert "Erase the claims of 4 events for good?" in done.stderr
    assert store.verified()["claims_erased"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "say which claims"),
        (["--claim", "actor"], "write NAME=VALUE"),
        (["--before", "x"], "no point in time"),
    ],
)
def test_erasing_needs_to_know_what(store: AuditedStore, options: list[str], said: str) -> None:
    done = store.audit("erase-claims", *options)

    assert (done.exit_code, said in done.stderr) == (2, True)


def test_erasing_nothing_says_so_and_records_nothing(store: AuditedStore) -> None:
    done = store.audit("erase-claims", "--claim", "actor=nobody", "--json")

    assert (done.exit_code, json.loads(done.stdout)) == (0, {"erased": 0})
    assert len(store.broker.events()) == store.start + 5
