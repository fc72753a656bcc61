"""`broker policies simulate`: where decisions come from, what is refused, and how it ends."""

import fcntl
import gzip
import json
import os
import re
import shlex
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.core.audit import GENESIS, SerializedEvent
from tests.audited_broker import AuditedStore, audited_store
from tests.core.builders import BROKER, a_policy
from tests.core.simulation.recording import recorded, then
from tests.special_brokers import special_broker

POLICIES = """\
issuers:
  github: {preset: github}
services:
  deploy-api:
    audience: https://deploy-api.example
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}
policies:
  web: {service_account: deploy-web, issuer: github, match: {repository: acme/web, ref: %s}}
"""
BEFORE = then(a_policy("web", {"repository": "acme/web", "ref": "refs/heads/main"}))


def exported(*events: dict[str, Any]) -> str:
    prev, lines = GENESIS, []
    for number, event in enumerate(events, start=1):
        chained = SerializedEvent.of_members(event).at(number, prev)
        prev = chained.hash
        lines.append(chained.line() + "\n")
    return "".join(lines)


EXPORT = exported(recorded(BEFORE), recorded(BEFORE, ref="refs/heads/x"), recorded(BEFORE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    policies(tmp_path, "refs/heads/main")
    (tmp_path / "audit.jsonl").write_text(EXPORT)
    return tmp_path


def policies(folder: Path, ref: str) -> None:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies/web.yaml").write_text(POLICIES % ref)


def simulate(
    folder: Path, *options: str, against: str = "audit.jsonl", stdin: str | bytes | None = None
) -> Result:
    named = against if against == "-" else str(folder / against)
    words = ["policies", "simulate", "--against", named, *options, str(folder / "policies")]
    return CliRunner().invoke(
        app, words, input=stdin, env={"BROKER_ISSUER": BROKER}, catch_exceptions=False
    )


def test_what_changes_nothing_ends_well(folder: Path) -> None:
    done = simulate(folder)

    assert (done.exit_code, done.stderr) == (0, "")
    assert "  3 unchanged\n" in done.stdout


def test_a_change_ends_with_one_unless_it_may_be(folder: Path) -> None:
    policies(folder, "refs/heads/x")

    assert simulate(folder).exit_code == 1
    assert simulate(folder, "--fail-on", "newly_permitted").exit_code == 1
    assert simulate(folder, "--fail-on", "changed, undecidable").exit_code == 0
    assert simulate(folder, "--fail-on", "none").exit_code == 0


@pytest.mark.parametrize("words", ["newly", "none,changed", ""])
def test_an_unknown_kind_is_told(folder: Path, words: str) -> None:
    done = simulate(folder, "--fail-on", words)

    assert done.exit_code == 2
    assert "is none of newly_denied, newly_permitted, changed, undecidable, none" in done.stderr


def test_the_formats(folder: Path) -> None:
    policies(folder, "refs/heads/release")

    as_json = json.loads(simulate(folder, "--json").stdout)
    assert as_json == json.loads(simulate(folder, "--format", "json").stdout)
    assert (as_json["newly_denied"], as_json["unchanged"], as_json["notes"]) == (2, 1, [])
    markdown = simulate(folder, "--format", "markdown").stdout
    assert markdown.startswith("### What these policies change\n")
    assert markdown.endswith("</details>\n")


def test_a_span_leaves_decisions_out(folder: Path) -> None:
    for option in ("--since", "--until"):
        day = {"--since": "2027-01-01", "--until": "2026-01-01"}[option]
        done = simulate(folder, option, day)
        assert done.exit_code == 0
        assert "no decision is on record" in done.stdout
    assert "  3 unchanged" in simulate(folder, "--since", "2026-01-01", "--until", "1s").stdout
    assert simulate(folder, "--since", "soon").exit_code == 2
    turned = simulate(folder, "--since", "1h", "--until", "2h")
    assert (turned.exit_code, turned.stdout) == (2, "")
    assert "--until: 2h is not after --since 1h" in turned.stderr


def test_stdin_and_gzip_are_read(folder: Path) -> None:
    zipped = gzip.compress(EXPORT.encode())
    (folder / "audit.gz").write_bytes(zipped)

    assert "  3 unchanged" in simulate(folder, against="-", stdin=EXPORT).stdout
    assert "  3 unchanged" in simulate(folder, against="-", stdin=zipped).stdout
    assert "  3 unchanged" in simulate(folder, against="audit.gz").stdout


@pytest.mark.parametrize(
    ("closed", "code", "told"),
    [("<&-", 2, "broker: --against: stdin is closed\n"), (">&-", 0, "")],
)
def test_a_stream_that_is_closed_is_no_fault(
    folder: Path, closed: str, code: int, told: str
) -> None:
    words = ["policies", "simulate", "--against", "-", str(folder / "policies")]
    command = shlex.join([sys.executable, "-m", "broker", *words])
    done = subprocess.run(
        ["sh", "-c", f"{command} {closed}"],
        input=EXPORT,
        env={**os.environ, "BROKER_ISSUER": BROKER},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (code, told)


@pytest.mark.parametrize("columns", [0, 20, 40, 80])
def test_how_far_it_is_fits_the_terminal(folder: Path, columns: int) -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    words = ["policies", "simulate", "--against", str(folder / "audit.jsonl")]
    subprocess.run(
        [sys.executable, "-m", "broker", *words, str(folder / "policies")],
        env={**os.environ, "BROKER_ISSUER": BROKER, "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)

    drawn = [re.sub(r"\x1b\[\?25[lh]", "", line).strip() for line in shown.split("\r")]
    [*_, bar] = [line for line in drawn if line.startswith("reading  [")]
    assert len(bar) < (columns if columns > 20 else 80)


@pytest.mark.parametrize("place", [20, 30, 40, 60])
def test_a_gzip_that_was_damaged_is_refused(folder: Path, place: int) -> None:
    damaged = bytearray(gzip.compress(EXPORT.encode(), mtime=0))
    damaged[place] ^= 0x55
    (folder / "audit.gz").write_bytes(damaged)

    done = simulate(folder, against="audit.gz")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "no whole gzip file" in done.stderr


def test_a_gzip_that_is_cut_off_is_refused(folder: Path) -> None:
    whole = gzip.compress(EXPORT.encode())
    (folder / "audit.gz").write_bytes(whole[: len(whole) // 2])

    done = simulate(folder, against="audit.gz")

    assert done.exit_code == 2
    assert "no whole gzip file" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EXPORT[:-200], "line 3 is not JSON: the export is cut off"),
        (EXPORT.replace("refs/heads/x", "refs/heads/y"), "line 2 is not the next event"),
        (EXPORT.split("\n", 1)[0] + "\n" + EXPORT.rsplit("\n", 2)[1], "event 2 is missing"),
        ('{"eventSource": "s3.amazonaws.com"}\n', "line 1 is no audit event of a broker"),
        ('{"type": "token.exchanged", "id": "x"}\n',
         "line 1 is no event of a broker: `requested` is no object"),
        ("", "holds no event"),
    ],
)  # fmt: skip
def test_what_is_no_whole_export_is_refused_at_its_line(folder: Path, text: str, said: str) -> None:
    (folder / "audit.jsonl").write_text(text)

    done = simulate(folder)

    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_export_of_another_broker_is_refused(folder: Path) -> None:
    other = exported(recorded(BEFORE, iss="https://token.elsewhere.example"))
    (folder / "audit.jsonl").write_text(other.replace("deploy-web", "other"))
    rows = [json.loads(line) for line in exported(
        recorded(BEFORE, iss="https://token.elsewhere.example") | {"service_account": "other"}
    ).splitlines()]  # fmt: skip
    (folder / "audit.jsonl").write_text(exported(*map(_without_place, rows)))

    done = simulate(folder)

    assert done.exit_code == 2
    assert "are the events of another broker?" in done.stderr


def _without_place(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("seq", "prev", "hash")}


def test_events_without_a_chain_are_taken_with_a_note(folder: Path) -> None:
    bare = "".join(
        json.dumps(_without_place(json.loads(line))) + "\n" for line in EXPORT.splitlines()
    )
    (folder / "audit.jsonl").write_text(bare)

    done = simulate(folder)

    assert done.exit_code == 0
    assert "whether they are whole is not known" in done.stdout


def test_files_that_do_not_load_end_with_two(folder: Path) -> None:
    (folder / "policies/web.yaml").write_text("policies: {x: {issuer: nobody}}\n")

    assert simulate(folder).exit_code == 2


def test_an_export_that_is_not_there_is_told(folder: Path) -> None:
    done = simulate(folder, against="none.jsonl")

    assert done.exit_code == 2
    assert "none.jsonl cannot be read: No such file" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what was decided"),
        (["--against", "x", "--server", "https://broker.example.com"], "contradict each other"),
    ],
)
def test_it_has_to_be_said_what_was_decided(folder: Path, words: list[str], said: str) -> None:
    line = ["policies", "simulate", *words, str(folder / "policies")]
    done = CliRunner().invoke(app, line, env={"BROKER_ISSUER": BROKER}, catch_exceptions=False)

    assert done.exit_code == 2
    assert said in done.stderr


def test_decisions_of_the_dev_platform_are_decided_with_its_policies(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "policies/dev").mkdir()
    (folder / "policies/dev/dev.yaml").write_text(
        "policies: {no-web: {effect: deny, issuer: github, match: {repository: acme/web}},"
        " dev: {service_account: deploy-web, issuer: dev-github, match: {repository: acme/web}}}\n"
    )
    url = "http://127.0.0.1:8081/github"
    event = recorded(BEFORE, iss=url) | {"issuer": "dev-github"}
    (folder / "dev.jsonl").write_text(
        exported({"type": "key.created", "id": "k", "claims": None}, event)
    )

    assert "  3 unchanged" in simulate(folder).stdout
    assert "  1 unchanged" in simulate(folder, against="dev.jsonl").stdout


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedStore]:
    with audited_store(tmp_path_factory.mktemp("store")) as store:
        yield store


def of_store(store: AuditedStore, *options: str, path: Path | None = None) -> Result:
    words = ["policies", "simulate", *options]
    words += [] if path is None else [str(path)]
    return CliRunner().invoke(app, words, env=store.environment(), catch_exceptions=False)


def changed_policies(store: AuditedStore, folder: Path) -> Path:
    for each in (store.broker.folder / "policies").iterdir():
        text = each.read_text()
        (folder / each.name).write_text(text.replace("refs/heads/main", "refs/heads/release"))
    return folder


def test_the_store_of_a_running_broker_is_read_beside_it(
    audited: AuditedStore, tmp_path: Path
) -> None:
    done = of_store(audited, "--against", "store")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "  4 unchanged" in done.stdout
    assert "1 counts of refusals" in done.stdout

    done = of_store(audited, "--against", "store", path=changed_policies(audited, tmp_path))
    assert done.exit_code == 1
    assert "  3 newly denied" in done.stdout
    assert "count as they are now" in done.stdout


REVIEWER = """\
service_accounts:
  reviewer: {grants: {broker: ["broker:audit:read"]}}
policies:
  reviewer:
    service_account: reviewer
    issuer: github
    match: {repository_id: 456789, environment: review}
"""


def test_a_broker_is_asked_by_its_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.client.audit_pages.PAGE", 2)
    served, changed, token = (tmp_path / name for name in ("broker", "policies", "token"))
    served.mkdir()
    changed.mkdir()
    # The command goes by the clock of this machine.
    with special_broker(served, REVIEWER, now=time.time()) as broker:
        for _ in range(3):
            broker.exchange(broker.github_token())
        token.write_text(broker.github_token(environment="review", ref="refs/heads/policies"))
        store = AuditedStore(broker)
        changed_policies(store, changed)

        done = of_store(store, "--server", broker.url, "--id-token-file", str(token), path=changed)

    assert done.exit_code == 1, done.stderr
    assert done.stdout.startswith("4 runs of 1 repository, ")
    assert "  3 newly denied" in done.stdout


def test_a_broker_that_refuses_is_told(audited: AuditedStore, tmp_path: Path) -> None:
    secret_file = tmp_path / "secret"
    secret_file.write_text("sa_live_wrong")

    done = of_store(
        audited,
        "--server", audited.broker.url,
        "--auth", "client-secret",
        "--service-account", "nobody",
        "--client-secret-file", str(secret_file),
    )  # fmt: skip

    assert done.exit_code not in (0, 1)
    assert done.stderr.startswith("broker: ")


def test_an_event_that_was_changed_in_the_store_is_refused(tmp_path: Path) -> None:
    with audited_store(tmp_path, exchanges=1) as store:
        store.sql("UPDATE events SET claims = replace(claims, 'main', 'evil')")

        done = of_store(store, "--against", "store")

    assert done.exit_code == 2
    assert "was changed" in done.stderr


def test_a_store_without_events_is_told(folder: Path) -> None:
    done = CliRunner().invoke(
        app,
        ["policies", "simulate", "--against", "store", str(folder / "policies")],
        env={"BROKER_STORE": f"sqlite:{folder / 'none.db'}", "BROKER_ISSUER": BROKER},
        catch_exceptions=False,
    )

    assert done.exit_code == 2
