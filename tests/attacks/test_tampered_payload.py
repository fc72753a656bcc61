"""Attacks row 16: a real token whose payload was edited, its `kid` and signature kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.compact_tokens import base64url, decoded, with_claims, with_header
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import POLICIES, RunningBroker

FIXTURES = Path("../shared/fixtures").resolve()
REAL_TOKEN = FIXTURES / "raw" / "github_real_signed_2026-04-22.jwt"
REAL_KEYS = FIXTURES / "jwks" / "github_2026_four_keys.json"


@pytest.mark.parametrize(
    "changes",
    [
        {"repository_id": "1"},
        {"ref": "refs/heads/main"},
        {"exp": 1_795_300_301},
        {"jti": "fresh"},
        {"added": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_edited_payload_is_refused(live_broker: RunningBroker, changes: dict[str, Any]) -> None:
    token = with_claims(live_broker.github_token(ref="refs/heads/feature"), **changes)

    assert_refused(live_broker, live_broker.exchange(token), "signature_invalid")


def test_an_edited_payload_is_refused_however_it_is_presented(
    live_broker: RunningBroker, present: Present
) -> None:
    token = with_claims(live_broker.gitlab_token(project_id="21"), project_id="20")

    assert_refused(live_broker, present(live_broker, token), "signature_invalid")


def test_the_same_claims_in_other_bytes_are_refused(live_broker: RunningBroker) -> None:
    header, payload, signature = live_broker.github_token().split(".")
    spaced = base64url(decoded(payload).replace(b":", b": ", 1))

    response = live_broker.exchange(f"{header}.{spaced}.{signature}")

    assert_refused(live_broker, response, "signature_invalid")


def test_an_edited_header_is_refused(live_broker: RunningBroker) -> None:
    token = with_header(live_broker.github_token(), {"x5t": "added"})

    assert_refused(live_broker, live_broker.exchange(token), "signature_invalid")


def test_the_payload_of_one_token_does_not_fit_the_signature_of_another(
    live_broker: RunningBroker,
) -> None:
    header, _, signature = live_broker.github_token().split(".")
    payload = live_broker.github_token(run_id="7").split(".")[1]

    response = live_broker.exchange(f"{header}.{payload}.{signature}")

    assert_refused(live_broker, response, "signature_invalid")


@pytest.fixture
def broker_with_githubs_own_keys(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningBroker]:
    if not REAL_TOKEN.exists():
        pytest.skip("the sample tokens are not here")
    policies = POLICIES.replace('jwks_uri: "{github}"', f'jwks_file: "{REAL_KEYS}"')
    with RunningBroker(tmp_path_factory.mktemp("broker"), policies).serving() as broker:
        yield broker


def test_a_token_that_github_really_signed_is_told_from_an_edited_one(
    broker_with_githubs_own_keys: RunningBroker,
) -> None:
    broker = broker_with_githubs_own_keys
    real = REAL_TOKEN.read_text().strip()

    # Its signature holds, and so its age is seen: it is of another year.
    assert_refused(broker, broker.exchange(real), "token_expired")
    edited = with_claims(real, exp=1_795_300_301, iat=1_795_300_001)
    assert_refused(broker, broker.exchange(edited), "signature_invalid")
