"""A token that GitHub itself signed, under the keys that GitHub published, end to end."""

import base64
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.refusals import assert_refused
from tests.real_tokens.published import key_set, needs_published_tokens, signed_token
from tests.running_broker import GITHUB, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

pytestmark = needs_published_tokens

ISSUED_AT = 1_776_844_493
LIFETIME = 300
LEEWAY = 60
REPOSITORY = "marchenko1985/github_oidc_token_demo"
REPOSITORY_ID = "1217768983"

POLICIES = """\
issuers:
  github: {{preset: github, audiences: [demo], jwks_file: github.jwks.json}}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {{deploy:read: See deployments}}
service_accounts:
  demo-reader: {{grants: {{deploy-api: [deploy:read]}}}}
policies:
  demo:
    service_account: demo-reader
    issuer: github
    match: {{repository_id: 1217768983, repository: Marchenko1985/github_oidc_token_demo}}
"""


def broker_at(folder: Path, now: float) -> AbstractContextManager[RunningBroker]:
    """A broker with GitHub's keys, at an instant."""
    (folder / "policies").mkdir()
    (folder / "policies" / "github.jwks.json").write_bytes(key_set("github_2026_four_keys"))
    return special_broker(folder, policies=POLICIES, now=now)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    """The broker a second after GitHub issued the token."""
    with broker_at(tmp_path, ISSUED_AT + 1) as broker:
        yield broker


@pytest.fixture
def token() -> str:
    return signed_token("github_real_signed_2026-04-22")


def with_payload(token: str, payload: bytes) -> str:
    """Put another payload under the same header and signature, in canonical base64url."""
    header, _, signature = token.split(".")
    encoded = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    return f"{header}.{encoded}.{signature}"


def payload_of(token: str) -> bytes:
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_it_buys_a_service_token(broker: RunningBroker, token: str) -> None:
    claims = verified(broker, broker.exchange(token))

    assert claims["sub"] == claims["client_id"] == "demo-reader"
    assert claims["aud"] == "https://deploy.example.com"
    assert claims["scope"] == "deploy:read"
    assert claims["policy"] == "demo"
    assert claims["act"] == {"iss": GITHUB, "sub": f"repo:{REPOSITORY}:ref:refs/heads/main"}
    assert claims["workload"] == {
        "platform": "github",
        "repository": REPOSITORY,
        "repository_id": REPOSITORY_ID,
        "repository_owner": "marchenko1985",
        "repository_owner_id": "88868",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "sha": "a6c5fce977dda2c7d53a29c1ef1744c31bf6d1b4",
        "event_name": "workflow_dispatch",
        "run_id": "24766983965",
        "run_number": "3",
        "run_attempt": "1",
        "job_workflow_ref": f"{REPOSITORY}/.github/workflows/token.yml@refs/heads/main",
        "runner_environment": "github-hosted",
        "actor_id": "88868",
    }
    assert broker.fetches() == 0


def test_it_buys_it_once(broker: RunningBroker, token: str) -> None:
    verified(broker, broker.jwt_bearer(token))

    assert_refused(broker, broker.exchange(token), "token_already_used")


def test_its_record_names_the_job(broker: RunningBroker, token: str) -> None:
    verified(broker, broker.exchange(token))

    (event,) = (event for event in broker.events() if event["type"] == "token.exchanged")
    assert event["subject"] == f"repo:{REPOSITORY}:ref:refs/heads/main"
    assert event["claims"]["repository_id"] == REPOSITORY_ID
    assert event["claims"]["check_run_id"] == "72463523102"


def test_it_counts_until_the_leeway_after_its_expiry_has_passed(tmp_path: Path, token: str) -> None:
    with broker_at(tmp_path, ISSUED_AT + LIFETIME + LEEWAY - 1) as broker:
        verified(broker, broker.exchange(token))


@pytest.mark.parametrize("late", [0, 1, 86_400])
def test_it_is_refused_one_leeway_after_its_expiry(tmp_path: Path, token: str, late: int) -> None:
    with broker_at(tmp_path, ISSUED_AT + LIFETIME + LEEWAY + late) as broker:
        assert_refused(broker, broker.exchange(token), "token_expired")


def test_it_is_refused_before_its_time(tmp_path: Path, token: str) -> None:
    with broker_at(tmp_path, ISSUED_AT - LEEWAY - 1) as broker:
        assert_refused(broker, broker.exchange(token), "token_not_yet_valid")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"1217768983"', b'"1217768984"'),
        (b'"exp":1776844793', b'"exp":1776844794'),
        (b'"actor":"marchenko1985"', b'"actor":"marchenko1986"'),
    ],
)
def test_one_changed_byte_breaks_its_signature(
    broker: RunningBroker, token: str, before: bytes, after: bytes
) -> None:
    payload = payload_of(token)
    assert payload.count(before) == 1

    answer = broker.exchange(with_payload(token, payload.replace(before, after)))

    assert_refused(broker, answer, "signature_invalid")
    verified(broker, broker.exchange(token))


def test_so_does_the_same_json_written_in_another_way(broker: RunningBroker, token: str) -> None:
    written_anew = json.dumps(json.loads(payload_of(token))).encode()

    answer = broker.exchange(with_payload(token, written_anew))

    assert_refused(broker, answer, "signature_invalid")


def test_another_of_githubs_keys_does_not_verify_it(broker: RunningBroker, token: str) -> None:
    header, payload, signature = token.split(".")
    members = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    for key in json.loads(key_set("github_2026_four_keys"))["keys"]:
        if key["kid"] != members["kid"]:
            other = json.dumps(members | {"kid": key["kid"]}).encode()
            forged = base64.urlsafe_b64encode(other).rstrip(b"=").decode()
            answer = broker.exchange(f"{forged}.{payload}.{signature}")
            assert_refused(broker, answer, "signature_invalid")


@pytest.mark.parametrize(
    ("written", "instead", "reason"),
    [
        ("audiences: [demo]", "audiences: [https://broker.example]", "audience_mismatch"),
        ("repository_id: 1217768983", "repository_id: 1217768984", "no_policy_matched"),
        ("algorithms", "algorithms", None),
    ],
)
def test_a_broker_that_means_somebody_else_refuses_it(
    tmp_path: Path, token: str, written: str, instead: str, reason: Any
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "github.jwks.json").write_bytes(key_set("github_2026_four_keys"))
    policies = POLICIES.replace(written, instead)

    with special_broker(tmp_path, policies=policies, now=ISSUED_AT + 1) as broker:
        answer = broker.exchange(token)
        if reason is None:
            verified(broker, answer)
        else:
            assert_refused(broker, answer, reason)
