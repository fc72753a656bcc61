"""Attacks row 27: whatever tokens say, only the hosts that the configuration names are contacted.

A configured name is trusted wherever it resolves to, private addresses included: GitLab and GitHub
servers stand behind firewalls. That a name may be made to resolve elsewhere (DNS rebinding) gains
an attacker nothing, because no name is contacted that an attacker chose.
"""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from broker.settings import Settings
from broker.testing import FakeIssuer, gitlab_claims
from tests.attacks.compact_tokens import octo_claims
from tests.attacks.hostile_issuers import key_of
from tests.attacks.key_publisher import KeyPublisher, document, publishing
from tests.attacks.outbound import WatchedBroker, watching_outside
from tests.attacks.presenting import WAYS
from tests.running_broker import AUDIENCE, POLICIES, RunningBroker
from tests.traces.collector import collecting


def every_kind_of_token(broker: RunningBroker, attacker: KeyPublisher) -> list[str]:
    """Good tokens of every issuer, and lures to the attacker's server."""
    lure = FakeIssuer(attacker.url, key=key_of("RS256", "attacker"), clock=broker.clock)
    buildkite = {"sub": "organization:octo", "organization_id": "1"}
    return [
        broker.github_token(),
        broker.gitlab_token(),
        broker.gitlab_corp.token(gitlab_claims(), audience=AUDIENCE),
        broker.buildkite.token(buildkite, audience=AUDIENCE),
        broker.github_token(header={"kid": "unheard-of"}),
        broker.github_token(header={"jku": f"{attacker.url}/keys"}),
        broker.github_token(iss=attacker.url),
        broker.github_token(iss=f"{broker.github.url}@127.0.0.1:{attacker.port}"),
        broker.github_token(sub=attacker.url, aud=attacker.url, jwks_uri=attacker.url),
        lure.token(octo_claims(), audience=AUDIENCE),
        lure.token(octo_claims(), audience=attacker.url),
    ]


def test_nothing_but_the_configured_hosts_is_contacted(
    own_broker: RunningBroker, attacker: KeyPublisher
) -> None:
    with watching_outside(own_broker) as outside:
        for token in every_kind_of_token(own_broker, attacker):
            for present in WAYS.values():
                present(own_broker, token)
            own_broker.exchange(token, resource=attacker.url, audience=attacker.url)

    configured = {urlsplit(server.url).netloc for server in own_broker.issuer_servers.values()}
    assert set(outside.contacted) == configured
    assert attacker.connections == 0


class TracedBroker(WatchedBroker):
    """A broker that exports spans."""

    endpoint = ""

    def settings(self) -> Settings:
        return replace(super().settings(), traces_endpoint=self.endpoint)


def test_of_a_broker_that_traces_the_collector_is_contacted_beside_them(
    tmp_path: Path, attacker: KeyPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "30")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    with collecting() as collector:
        broker = TracedBroker(tmp_path)
        broker.endpoint = collector.endpoint
        with broker.serving(), watching_outside(broker) as outside:
            headers = {"traceparent": f"{attacker.url}", "tracestate": f"a={attacker.url}"}
            broker.request("GET", "/healthz", headers=headers)
            collector.wait_for(1)

    assert set(outside.contacted) == {urlsplit(collector.url).netloc}
    assert attacker.connections == 0


def test_a_configured_name_is_contacted_though_it_resolves_to_an_address_within(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with publishing() as publisher:
        named = POLICIES.replace("{github}", f"http://localhost:{publisher.port}/keys")
        with RunningBroker(tmp_path_factory.mktemp("broker"), named).serving() as broker:
            publisher.answers["/keys"] = document(*broker.github.jwks()["keys"])

            response = broker.exchange(broker.github_token())

    assert response.status_code == 200
    assert publisher.requests == ["GET /keys"]
