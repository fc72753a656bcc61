"""Traces leave the broker: no token, secret, claim or word of a stranger is in them."""

import re
from pathlib import Path

import pytest

from broker.core.vocabulary import TOKEN_TYPE_JWT
from tests import client_secrets
from tests.attacks.hand_made_tokens import payload_of
from tests.registry_api import OPERATORS, calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker
from tests.traces.collector import collecting


def ask_for_everything(broker: RunningBroker) -> list[str]:
    """Send tokens, secrets and words wherever a request has room for them; give them all."""
    admin = calling(broker, "admin")
    made = admin.create(grants={"plain": []})
    issued = client_secrets.ask(broker, made["id"], made["client_secret"], audience=None)
    token = broker.github_token()
    answer = broker.exchange(token)
    words = [f"stranger{number}" for number in range(7)]
    headers = {
        "User-Agent": words[0],
        "tracestate": f"vendor={words[1]}",
        "baggage": f"key={words[2]}",
        "traceparent": f"00-{words[3]}-b-01",
        "X-Request-Id": f"{words[4]} with spaces",
    }
    broker.request("GET", f"/{words[5]}?{words[6]}={token}", headers=headers)
    broker.request("POST", f"/oauth/token?subject_token={token}")
    form = {"subject_token": token, "subject_token_type": TOKEN_TYPE_JWT}
    broker.request("POST", "/oauth/explain", data=form)
    own = {"client_id": made["id"], "client_secret": made["client_secret"]}
    for path in ("/oauth/introspect", "/oauth/revoke"):
        broker.request("POST", path, data={"token": answer.json()["access_token"], **own})
    tokens = [token, answer.json()["access_token"], issued.json()["access_token"]]
    return [*words, made["client_secret"], *(part for each in tokens for part in each.split("."))]


def test_nothing_of_them_is_in_a_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    with collecting() as collector:
        with special_broker(tmp_path, OPERATORS, traces_endpoint=collector.endpoint) as broker:
            hidden = ask_for_everything(broker)
            claims = {str(each) for each in payload_of(broker).values() if len(str(each)) > 6}

        sent = b"".join(collector.bodies).decode("latin-1")
    assert len(collector.spans()) > 8
    assert [each for each in hidden if each in sent] == []
    assert [each for each in claims if re.search(rf"\b{re.escape(each)}\b", sent)] == []
