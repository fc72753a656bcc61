"""Attacks rows 24 and 25: what a discovery document may not say, and a configuration neither."""

import json
from typing import Any

import pytest

from broker.issuer_keys import key_urls
from broker.issuer_keys.key_fetch import FetchFailed
from tests.attacks.configuration import load_policies, problem_of
from tests.attacks.hostile_issuers import HostileIssuer, HostileIssuers
from tests.attacks.key_publisher import Answer, KeyPublisher
from tests.attacks.outbound import watching_outside
from tests.attacks.refusals import LOG, assert_refused

ISSUER = """\
issuers:
  corp:
    preset: gitlab
    issuer: https://gitlab.corp.example
    jwks_uri: "{jwks_uri}"
"""


def discovery(of: HostileIssuer, **changes: Any) -> Answer:
    """Its honest discovery document, but for these members; None leaves one out."""
    members = {"issuer": of.url, "jwks_uri": of.publisher.url + of.jwks_path} | changes
    return Answer(json.dumps({k: v for k, v in members.items() if v is not None}).encode())


def assert_keys_unavailable(issuer: HostileIssuer) -> None:
    """Assert that nothing but the discovery document was asked for, and that it was not used."""
    broker = issuer.broker
    with watching_outside(broker) as outside:
        response = broker.exchange(issuer.token())

    assert_refused(broker, response, "issuer_unavailable")
    assert issuer.requests() == [f"GET {issuer.discovery_path}"]
    own = f"127.0.0.1:{issuer.publisher.port}"
    assert set(outside.contacted) == {own}
    assert "/etc/passwd" not in outside.opened


def test_keys_are_found_through_an_honest_discovery_document(
    hostile_issuers: HostileIssuers,
) -> None:
    issuer = hostile_issuers.fresh(discovered=True)
    issuer.discover(discovery(issuer))
    issuer.publish_well()

    assert issuer.broker.exchange(issuer.token()).status_code == 200


@pytest.mark.parametrize(
    "named",
    [
        "https://evil.example",
        "{url}/",
        "{url}/evil",
        "{url}.evil.example",
        "{upper}",
        "",
        1,
        [],
        None,
    ],
    ids=range(9),
)
def test_the_discovery_document_of_another_issuer_is_refused(
    hostile_issuers: HostileIssuers, named: Any
) -> None:
    issuer = hostile_issuers.fresh(discovered=True)
    issuer.publish_well()
    if isinstance(named, str):
        named = named.format(url=issuer.url, upper=issuer.url.upper())
    issuer.discover(discovery(issuer, issuer=named))

    assert_keys_unavailable(issuer)
    assert "its 'issuer' differs" in LOG.text()


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "http://10.0.0.5/jwks",
        "https://10.0.0.5/jwks",
        "http://169.254.169.254/latest/meta-data",
        "https://evil.example/keys",
        "https://127.0.0.1.evil.example/keys",
        "https://127.0.0.1@evil.example/keys",
        "http://localhost/keys",
        "http://[::1]/keys",
        "http://2130706433/keys",
        "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "ftp://127.0.0.1/keys",
        "data:application/json,{}",
        "gopher://127.0.0.1/x",
        "//127.0.0.1/keys",
        "/keys",
        "",
        1,
        ["http://127.0.0.1/keys"],
        None,
    ],
    ids=range(20),
)
def test_keys_elsewhere_are_not_fetched(hostile_issuers: HostileIssuers, jwks_uri: object) -> None:
    issuer = hostile_issuers.fresh(discovered=True)
    issuer.discover(discovery(issuer, jwks_uri=jwks_uri))

    assert_keys_unavailable(issuer)


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "https://evilgitlab.corp.example/keys",
        "https://keys.gitlab.corp.example/keys",
        "https://corp.example/keys",
        "https://gitlab.corp.example.evil.example/keys",
        "https://gitlab.corp.example./keys",
        "https://gitlab.corp.example@evil.example/keys",
        "https://evil.example#@gitlab.corp.example/keys",
        "https://evil.example?@gitlab.corp.example/keys",
        "https://evil.example/@gitlab.corp.example/keys",
        "https://user:hunter2@gitlab.corp.example/keys",
        "https://evil.example\\@gitlab.corp.example/keys",
        "https://gitlab.corp.example%2eevil.example/keys",
        "https://gitlab.corp.example\t.evil.example/keys",
        "https://gitlab\u3002corp.example/keys",
        "http://gitlab.corp.example/keys",
    ],
)
def test_a_host_that_only_looks_like_the_issuers_is_another(jwks_uri: str) -> None:
    with pytest.raises(FetchFailed) as failed:
        key_urls.discovered(jwks_uri, "https://gitlab.corp.example", broker_on_loopback=False)

    assert "hunter2" not in str(failed.value)


def test_the_case_of_the_issuers_host_and_its_port_are_free() -> None:
    for jwks_uri in ("https://GitLab.Corp.Example/keys", "https://gitlab.corp.example:8443/keys"):
        read = key_urls.discovered(
            jwks_uri, "https://gitlab.corp.example", broker_on_loopback=False
        )
        assert read.host == "gitlab.corp.example"


def test_an_attackers_keys_are_not_fetched_for_a_trusted_issuer(
    hostile_issuers: HostileIssuers, attacker: KeyPublisher
) -> None:
    issuer = hostile_issuers.fresh(discovered=True)
    jwks_uri = f"http://localhost:{attacker.port}/keys"
    attacker.answers["/keys"] = Answer(json.dumps({"keys": [issuer.jwk()]}).encode())
    issuer.discover(discovery(issuer, jwks_uri=jwks_uri))

    assert_keys_unavailable(issuer)
    assert attacker.connections == 0


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "http://10.0.0.5/jwks",
        "http://gitlab.corp.example/keys",
        "http://169.254.169.254/keys",
        "file:///etc/passwd",
        "ftp://gitlab.corp.example/keys",
        "gitlab.corp.example/keys",
        "/keys",
        "https:///keys",
        "https://user:password@gitlab.corp.example/keys",
        "https://gitlab.corp.example\\\\@evil.example/keys",
        "javascript:alert(1)",
    ],
)
def test_a_configured_url_is_https(jwks_uri: str) -> None:
    problem = problem_of(ISSUER.format(jwks_uri=jwks_uri))

    assert problem.startswith("policies.yaml:5:15: `jwks_uri` must")
    assert "password" not in problem


def test_plain_http_is_for_a_broker_on_loopback_alone() -> None:
    text = ISSUER.format(jwks_uri="http://127.0.0.1:9999/keys")

    assert load_policies(text, loopback=True).policy_set.issuers.keys() == {"corp"}
    assert "http is only for a broker that listens on loopback" in problem_of(text, loopback=False)


@pytest.mark.parametrize("host", ["10.0.0.5", "keys.internal", "other.example", "[fd00::1]"])
def test_any_host_may_be_configured(host: str) -> None:
    text = ISSUER.format(jwks_uri=f"https://{host}/keys")

    issuer = load_policies(text, loopback=False).policy_set.issuers["corp"]
    assert issuer.keys.jwks_uri == f"https://{host}/keys"
