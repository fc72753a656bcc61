"""Rows 170, 171, 175: traffic that is made so that somebody else's id is pinned, or something else.

Whoever runs jobs chooses branches, environments and how often; whoever takes over a name has tokens
with that name. What a token that does not verify says is in no event but as a count.
"""

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.core.audit import AuditEvent
from broker.core.pinning.pinning import Pinning
from tests.core.builders import (
    BROKER,
    NOW,
    a_policy,
    a_policy_set,
    an_account,
    an_issuer,
    gitlab_claims,
)
from tests.core.pinning.learning import ids, learned, outcome, told
from tests.core.simulation.recording import recorded, recorded_client
from tests.recorded_exports import exported

if TYPE_CHECKING:
    from broker.core.policy import PolicySet

EVIL = "666"
WEB = a_policy_set(a_policy("web", {"repository": "acme/web", "ref": "refs/heads/main"}))
HOSTILE = (
    "1\n      repository: evil/web",
    "1, repository: evil/web",
    "1}\n  evil: {service_account: deploy-web, issuer: github, match: {repository: evil/web",
    "1 # allow: names-without-ids x",
    "!!python/object/apply:os.system [id]",
    "*all",
    "&a 1",
    "0x1f",
    "1_000",
    "1e3",
    "[1, 666]",
    "{glob: '*'}",
    "-1717",
    "٣",
    "\u202e1",
    "1\x1b[2J",
)


def evil_events() -> Iterator[dict[str, Any]]:
    """Whatever an outsider, or a job of somebody else, can have recorded."""
    wide = a_policy_set(a_policy("web", {"repository": "acme/web"}))
    # Refused by the policy: the branch is another one.
    yield recorded(WEB, ref="refs/heads/x", repository_id=EVIL)
    # Only explained: nothing was granted.
    yield recorded(WEB, explained=True, repository_id=EVIL)
    # Granted by an earlier policy of the same name that was wider.
    yield recorded(wide, ref="refs/heads/x", repository_id=EVIL)
    # Granted by other policies: of another name, and of this name for another account.
    yield recorded(a_policy_set(a_policy("other", {"repository": "acme/web"})), repository_id=EVIL)
    for_other = a_policy("web", {"repository": "acme/web"}, service_account="other")
    yield recorded(a_policy_set(for_other, accounts=[an_account("other")]), repository_id=EVIL)
    # Granted to a token of another issuer, by a policy of the same name, or under the same name.
    gitlab = a_policy_set(a_policy("web", {"project_path": "acme/platform/web"}, issuer="gitlab"))
    claims: dict[str, Any] = {
        "repository": "acme/web",
        "repository_id": EVIL,
        "ref": "refs/heads/main",
    }
    yield recorded(gitlab, issuer="gitlab", **claims)
    event = recorded(WEB, repository_id=EVIL)
    yield {**event, "claims": {**event["claims"], "iss": gitlab_claims()["iss"]}}
    yield {**event, "claims": {**event["claims"], "iss": "https://ghes.example"}}
    # Read by the rules of another platform, or of none.
    yield {**event, "platform": "gitlab"}
    yield {**event, "platform": None}
    # Never granted in the end.
    yield {**event, "type": "token.refused", "outcome": "refused", "reason": "token_already_used"}
    yield {**event, "outcome": "error"}
    # An account with credentials of its own, which may be named as one likes.
    yield recorded_client(WEB, "deploy-web")
    # Tokens that never verified: a count, without claims.
    yield AuditEvent(
        id="c",
        time=NOW,
        type="token.refused",
        outcome="refused",
        reason="signature_invalid",
        client_address="192.0.2.0/24",
        count=1_000_000,
    ).members()


def test_nothing_but_what_the_policy_granted_teaches_an_id() -> None:
    for event in evil_events():
        report = learned(WEB, event)
        assert (ids(report), report.heeded) == ({}, 0)


def test_nothing_else_spoils_what_was_learned() -> None:
    report = learned(WEB, *evil_events(), recorded(WEB), *evil_events())

    assert ids(report) == {"repository_id": ("456789",)}
    assert (report.conflicts, report.heeded) == (False, 1)
    assert EVIL not in json.dumps(report.as_json())


def test_another_policy_can_plant_no_id_for_a_name_that_was_not_seen() -> None:
    own = a_policy("planted", {"repository": "acme/web", "ref": "refs/heads/x"})
    named = a_policy_set(*WEB.policies.values(), own)
    report = learned(named, recorded(named, ref="refs/heads/x", repository_id=EVIL))

    assert ids(report) == {}
    assert ids(report, "planted") == {"repository_id": (EVIL,)}


def test_whoever_takes_over_a_name_does_not_get_its_policy() -> None:
    taken = recorded(WEB, repository_id=EVIL, at=NOW + 86_400)
    report = learned(WEB, recorded(WEB), *[taken] * 10_000)

    assert (ids(report), report.conflicts) == ({}, True)
    assert "456789 (1 run on 1 ref, on 2026-11-21" in told(report)[0]
    assert "666 (10,000 runs on 1 ref, on 2026-11-22" in told(report)[0]


def test_a_list_that_is_contested_in_one_name_is_not_pinned_in_another() -> None:
    named = a_policy_set(a_policy("web", {"repository": ["acme/web", "acme/api"]}))
    report = learned(
        named,
        recorded(named),
        recorded(named, repository="acme/api", repository_id="7"),
        recorded(named, repository="ACME/api", repository_id=EVIL),
    )

    assert (ids(report), report.conflicts) == ({}, True)


@pytest.mark.parametrize("text", HOSTILE)
def test_an_id_that_is_none_is_written_nowhere(text: str) -> None:
    report = learned(WEB, recorded(WEB), recorded(WEB, repository_id=text))

    assert ids(report) == {}
    assert text not in json.dumps(report.as_json(), ensure_ascii=False)
    assert all(line.isprintable() for line in told(report))


def test_traffic_takes_no_memory() -> None:
    pinning = Pinning(WEB)

    def flood(count: int) -> None:
        event = recorded(WEB)
        for number in range(count):
            claims = {**event["claims"], "repository_id": str(number), "run_id": str(number)}
            pinning.take({**event, "id": f"{number}", "claims": claims})

    flood(500)
    tracemalloc.start()
    flood(500)
    before, _ = tracemalloc.get_traced_memory()
    flood(5_000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert after - before < 100_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("policies").mkdir()
    return tmp_path


def pin(name: str, *events: dict[str, Any], options: tuple[str, ...] = ("--write",)) -> Result:
    """Pin a policy that is about a repository with a name."""
    Path("policies/web.yaml").write_text(
        "issuers: {github: {preset: github}}\n"
        "services: {deploy-api: {audience: https://deploy-api.example, scopes: {d: Deploy}}}\n"
        "service_accounts: {deploy-web: {grants: {deploy-api: [d]}}}\n"
        "policies:\n  web:\n    service_account: deploy-web\n    issuer: github\n    match:\n"
        f"      repository: {json.dumps(name)}\n"
    )
    Path("audit.jsonl").write_text(exported(events))
    return CliRunner().invoke(
        app,
        ["policies", "pin", "--against", "audit.jsonl", *options],
        env={"BROKER_ISSUER": BROKER},
        catch_exceptions=False,
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_id_of_an_event_writes_yaml(folder: Path, text: str) -> None:
    named = a_policy_set(a_policy("web", {"repository": "acme/web"}))
    done = pin("acme/web", recorded(named, repository_id=text))

    assert done.exit_code == 0, done.stderr
    assert "repository_id" not in Path("policies/web.yaml").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "acme/web: x",
        "acme/web # allow: names-without-ids x",
        "acme/web, repository_id: 1}",
        "`](https://evil.example)<img src=x>@acme/admins",
        "::error::x",
        "acme/%0A::add-mask::x",
        '"quoted"',
    ],
)
def test_no_name_leaves_its_place(folder: Path, name: str) -> None:
    named = a_policy_set(a_policy("web", {"repository": name}))
    event = recorded(named, repository=name)

    text = pin(name, event, options=()).stdout
    assert not any(line.startswith(("::", "`]")) for line in text.splitlines())
    comment = pin(name, event, options=("--format", "markdown")).stdout
    prose, _, _ = comment.partition("```diff")
    assert f"`{name}`" in prose or "`` " in prose
    done = pin(name, event)
    assert done.exit_code == 0, done.stderr
    assert (
        Path("policies/web.yaml")
        .read_text()
        .endswith(f"      repository: {json.dumps(name)}\n      repository_id: 456789\n")
    )


def test_a_forged_event_breaks_the_chain(folder: Path) -> None:
    named = a_policy_set(a_policy("web", {"repository": "acme/web"}))
    pin("acme/web", recorded(named), recorded(named))
    lines = Path("audit.jsonl").read_text().replace("456789", EVIL)
    Path("audit.jsonl").write_text(lines)

    done = CliRunner().invoke(
        app,
        ["policies", "pin", "--against", "audit.jsonl"],
        env={"BROKER_ISSUER": BROKER},
        catch_exceptions=False,
    )

    assert (done.exit_code, done.stdout) == (2, "")
    assert "line 1 is not the next event" in done.stderr


def test_pinning_by_the_events_of_a_look_alike_issuer_is_refused() -> None:
    other: PolicySet = replace(WEB, issuers={"github": an_issuer(url="https://evil.example")})

    assert learned(other, recorded(WEB)).known == 0
    assert outcome(learned(other, recorded(WEB))).proposed == ()
