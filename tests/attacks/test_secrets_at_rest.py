"""Row 136: a client secret is found afterwards, in the store, the log, the audit or on a screen."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from broker.cli.app import app
from broker.core import client_secret
from broker.core.managed_account import ClientSecret
from broker.core.registry.plan import NewSecret
from broker.core.subject_token import parse
from broker.grants.request import AssertedCredentials, Caller, Credentials
from broker.ports import SecretRow
from tests.attacks.refusals import LOG
from tests.audited_broker import AuditedStore
from tests.client_keys import KeyPair, asserting
from tests.client_secrets import ask, basic_header
from tests.registry_api import OPERATORS, calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

FORM = {"grant_type": "client_credentials", "audience": "deploy-api"}


@dataclass
class Told:
    """What a broker told while secrets were used; the answers that show one are left out."""

    broker: RunningBroker
    secrets: list[str]
    answers: list[httpx.Response]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with special_broker(tmp_path, OPERATORS) as broker:
        admin = calling(broker, "admin")
        made = admin.create(name="nightly", grants={"deploy-api": ["deploy:read"], "broker": []})
        path = f"/{made['id']}"
        second = admin("POST", f"{path}/secrets").json()
        admin("DELETE", f"{path}/secrets/{second['id']}")
        rotated = admin("POST", f"{path}/secrets/rotate").json()
        secrets = [each["client_secret"] for each in (made, second, rotated)]
        answers = [admin("GET"), admin("GET", path), admin("GET", f"{path}/secrets")]
        for secret in (*secrets, secrets[0][:-1] + "~"):
            answers += _used(broker, made["id"], secret)
        answers.append(admin("DELETE", path))
        yield Told(broker, secrets, answers)


def _used(broker: RunningBroker, client_id: str, secret: str) -> list[httpx.Response]:
    """Use a secret in every way, also in those that are refused."""
    bearer = {"authorization": f"Bearer {secret}"}
    both = FORM | {"client_id": client_id, "client_secret": secret}
    members = both | {"client_secret": [secret, secret]}
    return [
        ask(broker, client_id, secret),
        ask(broker, client_id, secret, basic=True),
        ask(broker, client_id, secret, scope="deploy:write"),
        ask(broker, "nobody", secret),
        ask(broker, secret, secret),
        broker.post(both, headers=basic_header(client_id, secret)),
        broker.post(FORM | {"grant_type": secret}),
        broker.exchange(secret, client_secret=secret),
        broker.request("POST", f"/oauth/token?client_secret={secret}", data=FORM),
        broker.request("POST", "/api/v1/auth/token", json=both),
        broker.request("POST", "/api/v1/auth/token", json=members),
        broker.request("GET", "/api/v1/service-accounts", headers=bearer),
        broker.request("GET", f"/api/v1/service-accounts?cursor={secret}", headers=bearer),
        broker.request("POST", "/oauth/token", headers=bearer, data=FORM),
    ]


def pieces(secret: str) -> list[str]:
    """What of a secret must be nowhere: its random part, whole and halved."""
    random = secret[len("sa_live_") :]
    return [random, random[: len(random) // 2], random[len(random) // 2 :]]


def test_no_secret_is_in_an_answer_a_log_line_or_an_event(told: Told) -> None:
    audited = AuditedStore(told.broker)
    shown = audited.audit("list", "--json").stdout + audited.audit("export").stdout
    listed = CliRunner().invoke(app, ["accounts", "list", "--json"], env=audited.environment())
    texts = {
        "answers": "".join(f"{each.headers!r} {each.text}" for each in told.answers),
        "log": LOG.text(),
        "events": str(told.broker.events()),
        "audit commands": shown,
        "account commands": listed.output,
    }

    assert {each.status_code for each in told.answers} >= {200, 204, 400, 401}
    for secret in told.secrets:
        for piece in pieces(secret):
            assert [place for place, text in texts.items() if piece in text] == []


def test_no_secret_is_in_a_file(told: Told) -> None:
    files = [each for each in told.broker.folder.rglob("*") if each.is_file()]
    content = {each.name: each.read_bytes() for each in files}

    assert {"broker.db", "broker.db-wal", "master.key"} <= content.keys()
    for secret in told.secrets:
        for piece in pieces(secret):
            assert [name for name, text in content.items() if piece.encode() in text] == []
            assert [
                name for name, text in content.items() if piece.encode().hex().encode() in text
            ] == []


def test_a_digest_or_assertion_is_in_no_event_either(told: Told) -> None:
    pair = KeyPair.made()
    admin = calling(told.broker, "admin")
    made = admin.create(name="signer", grants={"deploy-api": []}, jwks=pair.jwks())
    assertion = pair.assertion(told.broker, made["id"])
    for _ in range(2):
        asserting(told.broker, assertion)

    text = f"{told.broker.events()} {LOG.text()}"
    assert assertion.rpartition(".")[2] not in text
    assert assertion.split(".")[1] not in text
    assert "digest" not in text


def test_no_repr_shows_a_secret() -> None:
    secret = client_secret.generate("live", os.urandom)
    digest = client_secret.digest(secret, bytes(32))
    credentials = Credentials("nightly", secret)
    assertion = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJleHAiOjEsImlhdCI6MX0.AAAA"
    asserted = AssertedCredentials(assertion, parse(assertion), "nightly")
    shown = [
        credentials,
        asserted,
        Caller("r", None, credentials),
        Caller("r", None, asserted),
        ClientSecret("s-1", "nightly", "i-1", digest, 0.0),
        NewSecret("s-1", digest),
        SecretRow("s-1", "nightly", digest, digest),
    ]

    for each in map(repr, shown):
        assert secret not in each
        assert repr(digest)[2:20] not in each
        assert "AAAA" not in each
        assert "eyJ" not in each
