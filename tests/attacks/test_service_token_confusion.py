"""A token for one audience, type or algorithm, presented to a service it is not for.

Refused by every verifier, set up as its documentation says (attacks rows 114 and 131).
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from broker.settings.model import SigningSettings
from broker.verify import Verifier
from tests.interop.verifiers import VERIFIERS, Presented, Service
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

# Two of each pair differ in nothing but their audience; the rest in type or algorithm.
SERVICES = {
    "deploy": ("https://deploy-here.example", "ES256", "at+jwt"),
    "deploy-lookalike": ("https://deploy-here.example.com", "ES256", "at+jwt"),
    "deploy-path": ("https://deploy-here.example/", "ES256", "at+jwt"),
    "store": ("https://store.example", "RS256", "at+jwt"),
    "cloud": ("sts.cloud.example", "RS256", "JWT"),
    "spring": ("https://spring.example", "ES256", "JWT"),
    "edge": ("https://edge.example", "EdDSA", "at+jwt"),
}
SIGNING = SigningSettings(("RS256", "ES256", "EdDSA"), 90 * 86_400, 86_400)
POLICIES = (
    "services:\n"
    + "".join(
        f"  {name}: {{audience: '{audience}', signing_alg: {algorithm}, token_typ: {typ}}}\n"
        for name, (audience, algorithm, typ) in SERVICES.items()
    )
    + "service_accounts:\n  everywhere: {grants: {"
    + ", ".join(f"{name}: []" for name in [*SERVICES, "broker"]).replace(
        "broker: []", 'broker: ["broker:accounts:read"]'
    )
    + "}}\n"
    + """\
policies:
  everywhere:
    service_account: everywhere
    issuer: github
    match: {repository_id: 456789, environment: everywhere}
"""
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Run one at the time that the verifiers' own clocks show."""
    folder = tmp_path_factory.mktemp("broker")
    with special_broker(folder, POLICIES, now=time.time(), signing=SIGNING) as running:
        yield running


@pytest.fixture(scope="module")
def jwks(broker: RunningBroker) -> Mapping[str, Any]:
    answer = httpx.get(broker.url + "/.well-known/jwks.json", trust_env=False, timeout=60)
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def tokens(broker: RunningBroker) -> dict[str, str]:
    """Every kind of token that goes about: one for each service, and those that are for none."""
    found = {"a CI token": broker.github_token(environment="everywhere")}
    for name in (*SERVICES, "broker"):
        job = broker.github_token(environment="everywhere")
        answer = broker.exchange(job, audience=name)
        assert answer.status_code == 200, answer.text
        found[name] = answer.json()["access_token"]
    return found


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_token_counts_at_the_service_that_it_is_for_and_nowhere_else(
    verifier: str, broker: RunningBroker, jwks: Mapping[str, Any], tokens: Mapping[str, str]
) -> None:
    services = {name: Service(broker.url, *facts) for name, facts in SERVICES.items()}
    if verifier == "Authlib":
        # What it brings is for access tokens of RFC 9068, under what it calls recommended.
        services = {
            name: service
            for name, service in services.items()
            if service.token_type == "at+jwt" and service.algorithm != "EdDSA"
        }
    pairs = [(token, service) for token in tokens for service in services]
    told = VERIFIERS[verifier](
        [Presented(tokens[token], services[service], jwks) for token, service in pairs]
    )

    assert {pair for pair, accepted in zip(pairs, told, strict=True) if accepted} == {
        (name, name) for name in services
    }


def test_no_token_of_a_service_opens_the_broker(
    broker: RunningBroker, tokens: Mapping[str, str]
) -> None:
    for name, token in tokens.items():
        answer = broker.request(
            "GET", "/api/v1/service-accounts", headers={"authorization": f"Bearer {token}"}
        )
        assert answer.status_code == (200 if name == "broker" else 401), name


def test_what_a_ci_token_says_of_scopes_and_audiences_is_nothing_a_service_reads(
    broker: RunningBroker,
) -> None:
    """Claims that a workflow could smuggle: only the broker's own words count (attacks row 131)."""
    job = broker.github_token(
        environment="everywhere",
        scope="deploy:admin",
        client_id="root",
        token_type="admin",
        metadata={"team": "root"},
        org_id="root",
        admin=True,
    )
    answer = broker.exchange(job, audience="deploy")
    assert answer.status_code == 200, answer.text
    verifier = Verifier(broker.url, audience=SERVICES["deploy"][0], clock=broker.clock.now)
    caller = verifier.verify(answer.json()["access_token"])

    assert caller.client_id == "everywhere"
    assert caller.scopes == frozenset()
    assert caller.organization is None
    assert caller.metadata == {}
    assert "root" not in str(caller.claims)
    assert "admin" not in str(caller.claims)
