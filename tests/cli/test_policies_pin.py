"""`broker policies pin`: what it proposes, what it writes, and what it refuses to write."""

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from tests.audited_broker import AuditedStore, audited_store
from tests.core.builders import BROKER, NOW, a_policy
from tests.core.simulation.recording import recorded, then
from tests.docs.markdown import ROOT
from tests.recorded_exports import exported
from tests.special_brokers import special_broker

HEAD = """\
# What may be done, and by whom.
issuers:
  github: {preset: github}
services:
  deploy-api:
    audience: https://deploy-api.example
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}
"""
WEB = """\
policies:
  # The one and only.
  web:
    service_account: deploy-web
    issuer: github
    match:
      repository: acme/web   # by name
      ref: refs/heads/main
"""
PINNED = WEB.replace("# by name\n", "# by name\n      repository_id: 456789\n")
TEST = """\
tests:
  - name: main deploys
    issuer: github
    base: push
    claims: {repository: Acme/web, ref: refs/heads/main}
    request: {audience: deploy-api}
    expect: permit
"""
BEFORE = then(a_policy("web", {"repository": "acme/web"}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("policies").mkdir()
    files(WEB)
    audit(recorded(BEFORE), recorded(BEFORE, at=NOW + 90_000))
    return tmp_path


def files(text: str, head: str = HEAD) -> None:
    Path("policies/head.yaml").write_text(head)
    Path("policies/web.yaml").write_text(text)


def web() -> str:
    return Path("policies/web.yaml").read_text()


def audit(*events: dict[str, Any]) -> None:
    Path("audit.jsonl").write_text(exported(events))


def pin(*options: str, against: str | None = "audit.jsonl", stdin: str | None = None) -> Result:
    words = ["policies", "pin", *options]
    words += [] if against is None else ["--against", against]
    return CliRunner().invoke(
        app, words, input=stdin, env={"BROKER_ISSUER": BROKER}, catch_exceptions=False
    )


def as_json(*options: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(pin("--json", *options).stdout)
    return members


DIFF = """\
--- a/policies/web.yaml
+++ b/policies/web.yaml
@@ -4,5 +4,6 @@
     service_account: deploy-web
     issuer: github
     match:
       repository: acme/web   # by name
+      repository_id: 456789
       ref: refs/heads/main
"""


def test_a_proposal_is_a_line_and_a_diff(folder: Path) -> None:
    done = pin()

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        "2 runs of 2 permitted ones count\n"
        "  policy web: repository acme/web has repository_id 456789"
        " (2 runs on 1 ref, 2026-11-21 to 2026-11-22)\n"
        "note: each name stays beside its id; once the ids run, a name may go\n"
        "\n" + DIFF
    )
    assert web() == WEB


def test_git_applies_what_is_printed(folder: Path) -> None:
    done = subprocess.run(
        ["git", "apply"], input=pin().stdout, text=True, check=False, timeout=60, cwd=folder
    )

    assert done.returncode == 0
    assert web() == PINNED


@pytest.mark.parametrize("tool", [["git", "apply"], ["patch", "-p1"]], ids=["git", "patch"])
@pytest.mark.parametrize(
    ("file", "here", "path"),
    [
        ("policies/the web.yaml", ".", "policies"),
        ("policies/the 'w\u00e9b' 2026-01-01 00:00:00 +0000 .yaml", ".", "policies/../policies"),
        ("policies/web.yaml", "policies", "../policies"),
        ("policies/.real/web.yaml", ".", "policies"),
    ],
    ids=["spaces", "odd", "above", "link"],
)
def test_what_is_printed_is_applied_whatever_the_path(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tool: list[str],
    file: str,
    here: str,
    path: str,
) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"there is no {tool[0]} here")
    real = folder / file
    real.parent.mkdir(exist_ok=True)
    Path("policies/web.yaml").rename(real)
    if real.parent.name == ".real":
        Path("policies/web.yaml").symlink_to(".real/web.yaml")
    monkeypatch.chdir(folder / here)
    printed = pin(path, against=str(folder / "audit.jsonl")).stdout
    done = subprocess.run(
        tool, input=printed, text=True, check=False, timeout=60, capture_output=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert real.read_text() == PINNED


def test_what_is_not_below_this_folder_is_named_from_the_root(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    printed = pin(str(folder / "policies"), against=str(folder / "audit.jsonl")).stdout

    name = os.path.realpath(folder / "policies/web.yaml")
    assert f"\n--- a{name}\n+++ b{name}\n" in printed


def test_what_is_written_is_what_was_proposed_and_needs_no_more(folder: Path) -> None:
    done = pin("--write")

    assert (done.exit_code, done.stderr) == (0, "written: policies/web.yaml\n")
    assert done.stdout.endswith(DIFF)
    assert web() == PINNED
    again = pin("--write")
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == "2 runs of 2 permitted ones count\n  nothing is known by name alone\n"


def test_of_two_ids_nothing_is_written_and_both_are_told(folder: Path) -> None:
    audit(recorded(BEFORE), recorded(BEFORE, repository_id="666", at=NOW + 90_000))

    done = pin("--write")

    assert (done.exit_code, web()) == (1, WEB)
    assert "456789 (1 run on 1 ref, on 2026-11-21, by web)" in done.stdout
    assert "666 (1 run on 1 ref, on 2026-11-22, by web)" in done.stdout
    assert "@@" not in done.stdout


def test_two_ids_of_one_policy_keep_no_other_from_its_own(folder: Path) -> None:
    files(WEB + "  api: {service_account: deploy-web, issuer: github, match: {repository: a/b}}\n")
    other = then(a_policy("api", {"repository": "a/b"}))
    audit(
        recorded(BEFORE, repository_id="1"),
        recorded(BEFORE, repository_id="2"),
        recorded(other, repository="a/b", repository_id="3"),
    )

    assert pin("--write").exit_code == 1
    assert web().endswith("match: {repository: a/b, repository_id: 3}}\n")
    assert web().startswith(WEB)


def test_json_says_all_of_it(folder: Path) -> None:
    found = as_json()

    assert found == json.loads(pin("--format", "json").stdout)
    [entry] = found["entries"]
    assert (entry["map"], entry["name"], entry["standing"]) == ("policies", "web", "proposed")
    assert entry["place"] == "policies/web.yaml:3"
    assert entry["pins"][0]["ids"] == ["456789"]
    assert (found["diff"], found["files"], found["written"]) == (DIFF, ["policies/web.yaml"], False)
    assert as_json("--write")["written"] is True
    assert [each["standing"] for each in as_json()["entries"]] == ["pinned"]


def test_markdown_is_for_a_comment(folder: Path) -> None:
    text = pin("--format", "markdown").stdout

    assert text.startswith("### Ids for names\n\n2 runs of 2 permitted ones count.\n\n- policy ")
    assert text.endswith(f"\n```diff\n{DIFF}```\n")
    pin("--write")
    assert pin("--format", "markdown").stdout.endswith("\nNothing is known by name alone.\n")


def test_a_comment_stays_within_its_bound(folder: Path) -> None:
    names = [f"{'r' * 150}{number}" for number in range(900)]
    files("policies:\n" + "".join(
        f"  {name[-90:]}-{name[-3:]}:\n    service_account: deploy-web\n    issuer: github\n"
        f"    match: {{repository: [acme/{name}, 'acme/`````````{name}']}}\n"
        for name in names
    ))  # fmt: skip
    text = pin("--format", "markdown").stdout

    assert len(text) < 65_000
    assert "- and 880 more" in text


def test_tests_of_what_is_pinned_get_the_id_and_hold(folder: Path) -> None:
    files(WEB + TEST)

    done = pin("--write")

    assert done.exit_code == 0, done.stderr
    assert "the id is put into 1 test of such names, too" in done.stdout
    assert "claims: {repository: Acme/web, repository_id: 456789, ref: refs" in web()
    assert as_json()["tests"] == []


def test_a_test_that_names_its_repository_by_base_alone_gets_the_id(folder: Path) -> None:
    audit(recorded(BEFORE, repository_id="77"))
    files(WEB + TEST.replace("repository: Acme/web, ", ""))

    assert pin("--write").exit_code == 0
    assert "claims: {ref: refs/heads/main, repository_id: 77}" in web()


@pytest.mark.parametrize(
    "claims",
    ["repository: acme/web, repository_id: 7", "repository: acme/web, repository_id: null"],
)
def test_a_test_that_would_fail_keeps_all_unwritten(folder: Path, claims: str) -> None:
    files(WEB + TEST.replace("repository: Acme/web", claims))
    before = web()

    done = pin("--write")

    assert (done.exit_code, web()) == (2, before)
    assert "policies/web.yaml:10:5: test `main deploys` fails with the ids: " in done.stderr
    assert "may not be put in force" in done.stderr
    assert pin().exit_code == 0
    assert as_json()["faults"][0]["line"] == 10


def test_a_test_that_failed_before_keeps_nothing_unwritten(folder: Path) -> None:
    files(WEB + TEST.replace("expect: permit", "expect: deny"))

    assert pin("--write").exit_code == 0


def test_other_tests_stay_as_they_are(folder: Path) -> None:
    gitlab = "issuers: {gitlab: {preset: gitlab}, ci: {issuer: https://ci.example, tenant: [o]}}\n"
    other = "".join(
        f"  - {{name: {name}, issuer: {issuer}, claims: {claims}, expect: deny}}\n"
        for name, issuer, claims in (
            ("a", "gitlab", "{project_path: acme/web}"),
            ("b", "ci", "{o: acme/web}"),
            ("c", "github", "{repository: acme/other}"),
            ("d", "github", "{ref: x}"),
            ("e", "github", "{}"),
        )
    )
    files(WEB + "tests:\n" + other, HEAD.replace("issuers:\n  github: {preset: github}\n", "")
          + gitlab.replace("{gitlab", "{github: {preset: github}, gitlab"))  # fmt: skip

    assert pin("--write").exit_code == 0
    assert web() == PINNED + "tests:\n" + other


def test_what_cannot_be_edited_is_told_with_what_to_paste(folder: Path) -> None:
    files(WEB.replace("repository: acme/web   # by name", "repository: |-\n        acme/web"))
    before = web()

    done = pin("--write")

    assert (done.exit_code, web()) == (0, before)
    assert done.stderr == (
        "broker: policies/web.yaml:7: cannot be edited (its value is a block of text); paste into"
        " policies.web.match: repository_id: 456789\n"
    )
    assert as_json()["to_paste"][0]["text"] == "repository_id: 456789"


def test_what_accepted_the_finding_is_told_when_nothing_is_left_to_accept(folder: Path) -> None:
    files(WEB.replace("# by name", "# allow: names-without-ids we know"))

    done = pin()

    assert done.exit_code == 0
    assert "with the ids there is `allow-unused` at policies/web.yaml:7: " in done.stdout
    assert as_json()["findings"][0]["code"] == "allow-unused"


def test_a_delegated_folder_is_edited_like_any_other(folder: Path) -> None:
    Path("broker.yaml").write_text(
        f"issuer: {BROKER}\nfolders: {{teams/: {{maps: [policies], effects: [allow],"
        " service_accounts: [deploy-web], services: [deploy-api]}}\n"
    )
    Path("policies/teams").mkdir()
    Path("policies/web.yaml").rename("policies/teams/web.yaml")

    done = pin("--write")

    assert done.exit_code == 0, done.stderr
    assert Path("policies/teams/web.yaml").read_text() == PINNED


def test_an_issuer_that_requires_a_name_is_pinned_in_its_own_file(folder: Path) -> None:
    files(
        WEB, HEAD.replace("{preset: github}", "{preset: github, require: {repository_owner: acme}}")
    )

    assert pin("--write").exit_code == 0
    head = Path("policies/head.yaml").read_text()
    assert "require: {repository_owner: acme, repository_owner_id: 123456}}" in head
    assert web() == PINNED


def test_rights_and_links_stay(folder: Path) -> None:
    Path("elsewhere").mkdir()
    Path("policies/web.yaml").rename("policies/real.yml")
    Path("policies/real.yml").chmod(0o640)
    Path("policies/.hidden").mkdir()
    Path("policies/real.yml").rename("policies/.hidden/real.yml")
    Path("policies/web.yaml").symlink_to(".hidden/real.yml")

    assert pin("--write").exit_code == 0
    assert Path("policies/web.yaml").is_symlink()
    assert web() == PINNED
    assert stat.S_IMODE(Path("policies/.hidden/real.yml").stat().st_mode) == 0o640
    assert list(Path("policies/.hidden").iterdir()) == [Path("policies/.hidden/real.yml")]


def test_single_files_are_pinned_alone(folder: Path) -> None:
    done = pin("policies/head.yaml", "policies/web.yaml", "--write")

    assert done.exit_code == 0, done.stderr
    assert web() == PINNED


def test_a_span_and_stdin_are_read_as_by_simulate(folder: Path) -> None:
    assert "no permitted exchange is on record" in pin("--since", "2027-01-01").stdout
    text = Path("audit.jsonl").read_text()
    assert "456789" in pin(against="-", stdin=text).stdout


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:-100], "line 2 is not JSON: the export is cut off"),
        (lambda text: text.replace("456789", "666", 1), "line 1 is not the next event"),
        (lambda text: text.split("\n", 1)[1].replace('"seq":2', '"seq":3'), "line 1"),
        (lambda _: '{"eventSource": "s3.amazonaws.com"}\n', "line 1 is no audit event of a broker"),
    ],
)
def test_what_is_no_whole_export_is_refused_at_its_line(
    folder: Path, damage: Any, said: str
) -> None:
    Path("audit.jsonl").write_text(damage(Path("audit.jsonl").read_text()))

    done = pin("--write")

    assert (done.exit_code, done.stdout, web()) == (2, "", WEB)
    assert said in done.stderr


def test_the_export_of_another_broker_is_refused(folder: Path) -> None:
    audit(recorded(BEFORE, iss="https://token.elsewhere.example"))

    done = pin()

    assert done.exit_code == 2
    assert "none of 1 exchanges is of an issuer that these files have" in done.stderr


def test_files_that_do_not_load_end_with_two(folder: Path) -> None:
    files("policies: {x: {issuer: nobody}}\n")

    assert pin().exit_code == 2


def test_what_dev_denies_does_not_count_and_its_tests_do(folder: Path) -> None:
    Path("policies/dev").mkdir()
    Path("policies/dev/dev.yaml").write_text(
        "policies: {no-web: {effect: deny, issuer: github, match: {repository: acme/web}},"
        " dev: {service_account: deploy-web, issuer: dev-github, match: {repository: acme/web}}}\n"
    )

    assert "repository_id 456789" in pin().stdout
    url = "http://127.0.0.1:8081/github"
    named = then(a_policy("dev", {"repository": "acme/web"}))
    audit(recorded(named, iss=url, repository_id="5") | {"issuer": "dev-github"})
    assert "policy dev: repository acme/web has repository_id 5" in pin().stdout


REVIEWER = """\
service_accounts:
  reviewer: {grants: {broker: ["broker:audit:read"]}}
policies:
  reviewer:
    service_account: reviewer
    issuer: github
    match: {repository_id: 456789, environment: review}
"""


def test_a_broker_is_asked_by_its_api(tmp_path: Path) -> None:
    token = tmp_path / "token"
    # The command goes by the clock of this machine.
    with special_broker(tmp_path, REVIEWER, now=time.time()) as broker:
        for _ in range(3):
            broker.exchange(broker.github_token())
        token.write_text(broker.github_token(environment="review", ref="refs/heads/policies"))
        words = ["--json", "--server", broker.url, "--id-token-file", str(token)]
        done = CliRunner().invoke(
            app,
            ["policies", "pin", *words],
            env=AuditedStore(broker).environment(),
            catch_exceptions=False,
        )

    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["exchanges"] == 4


def test_the_store_is_read_when_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with audited_store(tmp_path) as store:
        done = CliRunner().invoke(
            app, ["policies", "pin", "--json"], env=store.environment(), catch_exceptions=False
        )

    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["exchanges"] == 3


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("policies/web.yaml", WEB + "# mine\n"),
        ("policies/more.yaml", TEST),
        ("policies/head.yaml", HEAD + "# mine\n"),
    ],
)
def test_what_is_changed_meanwhile_keeps_all_unwritten(folder: Path, file: str, text: str) -> None:
    words = [sys.executable, "-m", "broker", "policies", "pin", "--write", "--against", "-"]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"BROKER_ISSUER": BROKER, "PYTHONPATH": str(ROOT)},
    ) as process:
        overdue = threading.Timer(120, process.kill)
        overdue.start()
        assert process.stdin is not None
        # More than a pipe holds: once it is written, events are read, and the files were before.
        process.stdin.write(b"\n" * 300_000)
        process.stdin.flush()
        Path(file).write_text(text)
        _, told = process.communicate(Path("audit.jsonl").read_bytes(), timeout=120)
        overdue.cancel()

    assert (process.returncode, Path(file).read_text()) == (2, text)
    assert PINNED not in web()
    assert f"{file}: was changed while this ran; run it again" in told.decode()
