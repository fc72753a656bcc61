"""`/api/v1/issuers`: whose CI tokens are trusted, and how it stands with their keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.operators import OPERATORS, bearer, get, refused
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

ISSUERS = "/api/v1/issuers"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, OPERATORS) as running:
        yield running


def issuers(broker: RunningBroker) -> dict[str, dict[str, Any]]:
    answer = get(broker, "issuer-reader", ISSUERS)
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["items"]}


def test_an_issuer_is_shown_as_it_is_configured(broker: RunningBroker) -> None:
    listed = issuers(broker)

    assert list(listed) == ["buildkite", "github", "gitlab", "gitlab-corp"]
    keys = listed["gitlab-corp"].pop("keys")
    assert listed["gitlab-corp"] == {
        "name": "gitlab-corp",
        "issuer": "https://gitlab.corp.example",
        "preset": "gitlab",
        "audiences": ["https://broker.example"],
        "algorithms": ["ES256", "RS256"],
        "max_token_lifetime": 86_400,
        "replay": "per_audience",
        "tenant": ["project_id", "namespace_id", "project_path", "namespace_path"],
        "single_tenant": False,
        "enabled": True,
        "contact": None,
    }
    assert keys == {
        "source": broker.issuer_servers["gitlab_corp"].jwks_uri,
        "in_use": False,
        "usable": False,
        "uploaded": False,
        "kids": [],
        "age": None,
        "failure": None,
        "failures": 0,
        "skipped": [],
    }


def test_it_is_told_which_keys_are_held_and_since_when(broker: RunningBroker) -> None:
    bearer(broker, "issuer-reader")
    broker.clock.advance(7)

    keys = issuers(broker)["github"]["keys"]
    assert (keys["in_use"], keys["usable"], keys["age"]) == (True, True, 7.0)
    assert len(keys["kids"]) == 1


def test_it_is_told_why_an_issuers_keys_cannot_be_had(broker: RunningBroker) -> None:
    broker.issuer_servers["gitlab"].status = 500
    assert broker.exchange(broker.gitlab_token()).status_code == 503

    keys = issuers(broker)["gitlab"]["keys"]
    assert (keys["usable"], keys["kids"], keys["failures"]) == (False, [], 1)
    assert "500" in keys["failure"]


def test_it_is_for_the_whole_broker_and_for_readers_alone(broker: RunningBroker) -> None:
    for account in ("auditor", "org-admin"):
        answer = get(broker, account, ISSUERS)
        assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert broker.request("GET", ISSUERS).status_code == 401
    assert refused(get(broker, "issuer-reader", ISSUERS, name="github"), "name")
