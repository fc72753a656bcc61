"""Policies that only observe, on a running broker of either store: recorded, counted, told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.core.redis_address import read_redis_address
from tests.audited_broker import AuditedStore
from tests.http.test_explain import explain
from tests.metrics.scraping import figures, value
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

OBSERVED = """\
policies:
  octo-next:
    service_account: deploy-web
    issuer: github
    match: {repository: octo-org/octo-repo, repository_id: 456789}
    grants: {deploy-api: [deploy:read]}
    mode: observe
  no-bots: {effect: deny, issuer: github, match: {actor_id: 666}, mode: observe}
  never: {service_account: deploy-web, issuer: github, match: {repository_id: 1}, mode: observe}
"""


@pytest.fixture(params=["sqlite", "redis"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[AuditedStore]:
    settings: dict[str, Any] = {}
    environment: dict[str, str] = {}
    if request.param == "redis":
        url = request.getfixturevalue("redis").url
        settings, environment = {"store": read_redis_address(url)}, {"BROKER_STORE": url}
    with special_broker(tmp_path, OBSERVED, **settings) as broker:
        yield _Store(broker, environment)


class _Store(AuditedStore):
    def __init__(self, broker: RunningBroker, environment: dict[str, str]) -> None:
        super().__init__(broker)
        self._environment = environment

    def environment(self) -> dict[str, str]:
        return super().environment() | self._environment


def report(store: AuditedStore, *options: str) -> Result:
    return CliRunner().invoke(
        app,
        ["policies", "observed", *options],
        env=store.environment(),
        catch_exceptions=False,
    )


def test_what_is_observed_is_recorded_counted_told_and_decides_nothing(
    store: AuditedStore, tmp_path: Path
) -> None:
    broker = store.broker
    before = figures(broker)
    same = broker.exchange(broker.github_token())
    denied = broker.exchange(broker.github_token(actor_id="666"))
    topic = broker.exchange(broker.github_token(ref="refs/heads/topic"))
    elsewhere = broker.exchange(broker.github_token(repository_id="2", repository="octo-org/b"))

    assert [each.status_code for each in (same, denied, topic, elsewhere)] == [200, 200, 400, 400]
    assert [same.json()["scope"], denied.json()["scope"]] == ["deploy:read deploy:write"] * 2
    assert topic.json().keys().isdisjoint({"observed", "would"})
    recorded = [each for each in broker.decisions() if each["type"] != "token.explained"]
    assert [each["observed"] for each in recorded] == [
        ["octo-next"], ["no-bots", "octo-next"], ["octo-next"], [],
    ]  # fmt: skip
    assert [each.get("would", {}).get("kind") for each in recorded] == [
        "same", "would_deny", "would_permit", None,
    ]  # fmt: skip
    permitted = recorded[2]["would"]
    assert (permitted["policies"], permitted["scopes"]) == (["octo-next"], ["deploy:read"])

    after = figures(broker)
    name = "broker_observed_decisions_total"
    for kind, grown in (("same", 1), ("would_deny", 1), ("would_permit", 1), ("would_change", 0)):
        assert value(after, name, kind=kind) - value(before, name, kind=kind) == grown

    done = report(store, "--against", "store", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    members = json.loads(done.stdout)
    assert members["notes"] == []
    kinds = ("would_permit", "would_deny", "would_change", "same", "undecidable")
    assert [members[kind] for kind in kinds] == [1, 1, 0, 2, 0]
    assert [each["policy"] for each in members["policies"] if not each["runs"]] == ["never"]
    [group] = [group for each in members["policies"] for group in each["groups"]
               if group["kind"] == "would_permit"]  # fmt: skip
    assert (group["decision_id"], group["refs"]) == (topic.json()["decision_id"], ["topic"])

    told = store.audit("explain", topic.json()["decision_id"])
    assert told.exit_code == 0
    assert "observed:   it would be permitted by octo-next, were it enforced" in told.stdout
    assert store.audit("verify").exit_code == 0
    export = tmp_path / "audit.jsonl"
    export.write_text(store.audit("export").stdout)
    again = report(store, "--against", str(export), "--json")
    assert {**json.loads(again.stdout), "notes": []} == {**members, "notes": []}


def test_alone_the_observed_ones_decide_every_run_again(store: AuditedStore) -> None:
    broker = store.broker
    broker.exchange(broker.github_token())
    broker.exchange(broker.github_token(ref="refs/heads/topic"))
    broker.exchange(broker.gitlab_token())
    broker.events()

    done = report(store, "--against", "store", "--alone", "--fail-on", "would_deny")

    assert done.exit_code == 1, done.stderr
    assert "  1 would permit\n  1 would deny\n  1 would change\n" in done.stdout
    assert "no observed policy holds: 1 run of 1 repository" in done.stdout
    assert "note: accounts made or switched off through the API count as they" in done.stdout


def test_a_caller_is_told_of_no_observation(store: AuditedStore) -> None:
    broker = store.broker
    told = explain(broker, broker.github_token(ref="refs/heads/topic"))

    assert told.json().keys().isdisjoint({"observed", "would"})
    [event] = [each for each in broker.decisions() if each["type"] == "token.explained"]
    assert event["would"]["kind"] == "would_permit"


def test_the_api_gives_what_its_description_says(store: AuditedStore) -> None:
    broker = store.broker
    broker.exchange(broker.github_token())
    schema = broker.request("GET", "/openapi.json").json()["components"]["schemas"]["Observation"]
    [event] = broker.decisions()

    assert set(schema["required"]) == set(event["would"])
