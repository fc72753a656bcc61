"""Attacks row 27: whatever tokens say, only the hosts that the configuration names are contacted.

A configured name is trusted wherever it resolves to, private addresses included: GitLab and GitHub
servers stand behind firewalls. That a name may be made to resolve elsewhere (DNS rebinding) gains
an attacker nothing, because no name is contacted that an attacker chose.
"""

from urllib.parse import urlsplit

import pytest

from broker.testing import FakeIssuer, gitlab_claims
from tests.attacks.compact_tokens import octo_claims
from tests.attacks.hostile_issuers import key_of
from tests.attacks.key_publisher import KeyPublisher, document, publishing
from tests.attacks.outbound import watching_outside
from tests.attacks.presenting import WAYS
from tests.running_broker import AUDIENCE, POLICIES, RunningBroker


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
