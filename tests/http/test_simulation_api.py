"""`POST /api/v1/policies/simulate`: other files, tried on what a running broker has decided."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from broker.cli.app import app
from broker.core.redis_address import read_redis_address
from tests.audited_broker import AuditedStore
from tests.redis_server import RedisServer
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

OPERATORS = """\
service_accounts:
  simulator: {grants: {broker: ["broker:policies:read", "broker:audit:read"]}}
  reader: {grants: {broker: [broker:policies:read]}}
policies:
  simulates:
    service_account: simulator
    issuer: github
    match: {repository_id: 456789, environment: simulates}
  reads:
    service_account: reader
    issuer: github
    match: {repository_id: 456789, environment: reads}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        for _ in range(3):
            assert running.exchange(running.github_token()).status_code == 200
        assert running.exchange(running.github_token(ref="refs/heads/x")).status_code == 400
        yield running


def bearer(broker: RunningBroker, environment: str) -> dict[str, str]:
    ci_token = broker.github_token(environment=environment, ref="refs/heads/ops")
    token = broker.exchange(ci_token, audience="broker").json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def simulate(
    broker: RunningBroker, body: Any = None, environment: str = "simulates", **more: Any
) -> httpx.Response:
    headers = bearer(broker, environment)
    sent = {"json": body} if body is not None else more
    return broker.request("POST", "/api/v1/policies/simulate", headers=headers, **sent)


def usual_file(broker: RunningBroker) -> Path:
    """Find the file of the usual policies."""
    files = (broker.folder / "policies").glob("*.yaml")
    [usual] = [each for each in files if each.name != "more.yaml"]
    return usual


def test_what_is_in_force_changes_nothing(broker: RunningBroker) -> None:
    answer = simulate(broker)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["complete"] is True
    assert found["decisions"] == found["unchanged"] >= 4
    assert found["groups"] == []
    assert found["policy_set"] == broker.in_force().version


def test_a_changed_file_says_who_loses_what(broker: RunningBroker) -> None:
    usual = usual_file(broker)
    text = usual.read_text().replace("refs/heads/main", "refs/heads/release")

    found = simulate(broker, {"files": {usual.name: text}, "since": "30d"}).json()

    assert found["newly_denied"] == 3
    [group] = [each for each in found["groups"] if each["kind"] == "newly_denied"]
    assert (group["tenant"], group["refs"]) == ("octo-org/octo-repo", ["main"])
    assert [each["what"] for each in group["causes"]] == ["ref: refs/heads/release"]
    assert broker.in_force().version != found["policy_set"]
    assert broker.exchange(broker.github_token()).status_code == 200


def test_it_is_on_record_who_simulated_what(broker: RunningBroker) -> None:
    simulate(broker, {"files": {"more.yaml": OPERATORS + "\n"}})

    event = broker.events()[-1]
    assert (event["type"], event["actor"]) == ("policy.simulated", "simulator")
    assert event["changes"]["files"] == ["more.yaml"]
    assert event["changes"]["decisions"] >= 4


def test_a_span_bounds_what_is_decided(broker: RunningBroker) -> None:
    assert simulate(broker, {"until": "2020-01-01"}).json()["decisions"] == 0


def test_files_that_would_not_load_are_told_with_their_places(broker: RunningBroker) -> None:
    answer = simulate(broker, {"files": {"bad.yaml": "policies: {x: {issuer: nobody}}"}})

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert answer.json()["problems"][0]["file"].endswith("policies/bad.yaml")
    assert broker.events()[-1]["outcome"] == "refused"


def test_tests_in_the_files_must_hold(broker: RunningBroker) -> None:
    failing = (
        "tests:\n  - {name: x, issuer: github, claims: {repository: a/b}, expect: permit,"
        " request: {audience: deploy-api}}\n"
    )

    assert simulate(broker, {"files": {"tests.yaml": failing}}).status_code == 409


def test_a_file_that_is_gone_is_null(broker: RunningBroker) -> None:
    found = simulate(broker, {"files": {"more.yaml": None}}).json()

    # The exchanges for the broker itself, of those who ask here.
    assert found["newly_denied"] >= 1
    assert {each["policy"] for each in found["conditions"]} <= {"simulates", "reads"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../x.yaml": ""}, "lead out of the folder"),
        ({"/etc/x.yaml": ""}, "below the policy folder"),
        ({"a//x.yaml": ""}, "below the policy folder"),
        ({".hidden.yaml": ""}, "hidden files"),
        ({"x.txt": ""}, "ends in .yaml or .yml"),
        ({"x\n.yaml": ""}, "below the policy folder"),
        ({"dev/x.yaml": ""}, "with --dev only"),
        ({"none.yaml": None}, "no such file in force"),
        ({f"{number}.yaml": "" for number in range(1001)}, "more than 1000 files"),
        ({"x.yaml": 7}, "'files' must be an object"),
        ([], "'files' must be an object"),
    ],
)
def test_a_file_must_be_one_of_the_policies(broker: RunningBroker, files: Any, said: str) -> None:
    answer = simulate(broker, {"files": files})

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"since": 7}, "'since' must be a text"),
        ({"since": "soon"}, "'soon' is no point in time"),
        ({"since": "1h", "until": "2h"}, "'until' must be after 'since'"),
        ({"policies": {}}, "unknown member 'policies'"),
    ],
)
def test_the_form_of_a_request_is_checked(broker: RunningBroker, body: Any, said: str) -> None:
    answer = simulate(broker, body)

    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_a_body_of_more_than_a_mebibyte_is_refused(broker: RunningBroker) -> None:
    answer = simulate(broker, {"files": {"x.yaml": "#" * (1 << 20)}})

    assert answer.status_code == 413


def test_a_body_that_is_no_json_is_refused(broker: RunningBroker) -> None:
    headers = {"content-type": "application/json"} | bearer(broker, "simulates")
    answer = broker.request(
        "POST", "/api/v1/policies/simulate", headers=headers, content=b'{"files": {}, "files": {}}'
    )

    assert answer.status_code == 400
    lone = b'{"files": {"x.yaml": "\\ud800"}}'
    answer = broker.request("POST", "/api/v1/policies/simulate", headers=headers, content=lone)
    assert answer.status_code == 400


def test_the_policies_scope_alone_is_not_enough(broker: RunningBroker) -> None:
    answer = simulate(broker, {}, environment="reads")

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert "broker:audit:read as well" in answer.json()["detail"]


@pytest.fixture
def short(tmp_path: Path) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, OPERATORS) as running:
        yield running


def test_beyond_the_bound_the_newest_are_decided(
    short: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        short.exchange(short.github_token())
    monkeypatch.setattr("broker.reload.candidate.PAGE", 3)
    monkeypatch.setattr("broker.reload.candidate.MAX_SECONDS", 0.0)

    found = simulate(short).json()

    # The time is kept within a page as well.
    assert (found["complete"], found["decisions"]) == (False, 1)


def test_events_in_redis_are_decided_again_by_the_api_and_the_command(
    tmp_path: Path, redis: RedisServer
) -> None:
    with special_broker(tmp_path, OPERATORS, store=read_redis_address(redis.url)) as running:
        for _ in range(3):
            running.exchange(running.github_token())
        usual = usual_file(running)
        text = usual.read_text().replace("refs/heads/main", "refs/heads/release")
        found = simulate(running, {"files": {usual.name: text}}).json()

        done = CliRunner().invoke(
            app,
            ["policies", "simulate", "--against", "store", "--json"],
            env=AuditedStore(running).environment() | {"BROKER_STORE": redis.url},
            catch_exceptions=False,
        )

    assert found["newly_denied"] == 3
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["unchanged"] == 4
