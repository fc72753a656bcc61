"""Rows 114, 131, 152: tokens for clouds, for services and for the broker pass for one another.

A token for one audience, type or profile is refused by every other verifier.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import httpx
import pytest

from broker.core.vocabulary import TOKEN_TYPE_ACCESS_TOKEN, TOKEN_TYPE_JWT
from broker.verify import TokenError, Verifier
from tests.attacks.refusals import assert_nothing_was_minted
from tests.client_secrets import an_account, give, give_to_file_account
from tests.interop.verifiers import VERIFIERS, Presented, Service
from tests.profiles.validators import AWS_TAGS, faults, parts_of
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

PROFILES = {
    "aws": "sts.amazonaws.com",
    "gcp": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/b",
    "entra": "api://AzureADTokenExchange",
    "kubernetes": "https://kubernetes.example",
}
INTERNAL = {"internal": "https://internal.example", "typed": "https://typed.example"}
AUDIENCES = PROFILES | INTERNAL
POLICIES = (
    "services:\n"
    + "".join(
        f"  {name}: {{audience: '{audience}', profile: {name},"
        f" introspection: [gateway], claims: {{for: {name}}}}}\n"
        for name, audience in PROFILES.items()
    )
    + """\
  internal: {audience: https://internal.example}
  typed: {audience: https://typed.example, token_typ: JWT}
service_accounts:
  everywhere:
    grants: {aws: [], gcp: [], entra: [], kubernetes: [], internal: [], typed: [],
             broker: ["broker:accounts:read"]}
  gateway: {grants: {internal: []}, secrets: allowed}
policies:
  everywhere:
    service_account: everywhere
    issuer: github
    match: {repository_id: 456789, environment: everywhere}
"""
)
SMUGGLED: dict[str, Any] = {
    "scope": "admin", "Scope": "admin", "aud_": "x", "admin": True, "groups": ["system:masters"],
    "Groups": ["system:masters"], "for": "all", "FOR": "all", "roles": ["owner"], "role": "root",
    AWS_TAGS: {"principal_tags": {"team": ["root"]}, "transitive_tag_keys": ["team"]},
    AWS_TAGS + "/principal_tags/team": "root", "https://aws.amazon.com/source_identity": "root",
    "kubernetes.io": {"serviceaccount": {"name": "root"}}, "google": {"root": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Run one at the time that the verifiers' own clocks show."""
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES, now=time.time()) as running:
        yield running


def issued(broker: RunningBroker, service: str, **form: Any) -> httpx.Response:
    job = broker.github_token(environment="everywhere", **form.pop("claims", {}))
    return broker.exchange(job, audience=service, **form)


@pytest.fixture(scope="module")
def tokens(broker: RunningBroker) -> dict[str, str]:
    """One of each kind: for every service, for the broker itself, and a job's own."""
    found = {name: issued(broker, name).json()["access_token"] for name in (*AUDIENCES, "broker")}
    job = broker.github_token(environment="everywhere")
    forged = broker.github_token(iss=broker.url, aud=PROFILES["aws"], environment="everywhere")
    return {**found, "a CI token": job, "a CI token in disguise": forged}


def test_each_token_fits_its_own_profile_and_no_other(tokens: Mapping[str, str]) -> None:
    fitting = {
        (name, profile)
        for name, profile in product(tokens, PROFILES)
        if not faults(profile, tokens[name], on_loopback=True)
        and parts_of(tokens[name])[1]["aud"] == PROFILES[profile]
    }

    assert {pair for pair in fitting if not pair[0].startswith("a CI")} == {
        (name, name) for name in PROFILES
    }


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_token_counts_where_it_is_for_and_nowhere_else(
    verifier: str, broker: RunningBroker, tokens: Mapping[str, str]
) -> None:
    jwks = httpx.get(broker.url + "/.well-known/jwks.json", trust_env=False, timeout=60).json()
    services = {
        name: Service(broker.url, audience, "RS256", "at+jwt" if name == "internal" else "JWT")
        for name, audience in AUDIENCES.items()
        # What Authlib brings is for access tokens of RFC 9068.
        if verifier != "Authlib" or name == "internal"
    }
    pairs = list(product(tokens, services))

    told = VERIFIERS[verifier](
        [Presented(tokens[token], services[service], jwks) for token, service in pairs]
    )

    accepted = {pair for pair, holds in zip(pairs, told, strict=True) if holds}
    assert accepted == {(name, name) for name in services}


def test_a_verifier_of_access_tokens_refuses_those_for_clouds_whatever_their_audience(
    broker: RunningBroker, tokens: Mapping[str, str]
) -> None:
    for name, audience in PROFILES.items():
        verifier = Verifier(broker.url, audience=audience, clock=broker.clock.now)
        with pytest.raises(TokenError):
            verifier.verify(tokens[name])


def test_none_of_them_opens_the_broker(broker: RunningBroker, tokens: Mapping[str, str]) -> None:
    for name, token in tokens.items():
        headers = {"authorization": f"Bearer {token}"}
        answer = broker.request("GET", "/api/v1/service-accounts", headers=headers)
        assert answer.status_code == (200 if name == "broker" else 401), name


def test_none_of_them_buys_another(broker: RunningBroker, tokens: Mapping[str, str]) -> None:
    for name in (*AUDIENCES, "broker"):
        answer = broker.exchange(tokens[name], audience="internal")
        assert answer.status_code == 400, name
        assert answer.json()["reason"] == "issuer_not_trusted"


def test_who_may_introspect_a_token_for_a_cloud_still_may_and_nobody_else(
    broker: RunningBroker, tokens: Mapping[str, str]
) -> None:
    stranger = an_account(grants={"internal": ()})
    callers = {
        "gateway": give_to_file_account(broker, "gateway"),
        stranger.client_id: give(broker, stranger),
    }
    for client_id, secret in callers.items():
        for name in PROFILES:
            form = {"token": tokens[name], "client_id": client_id, "client_secret": secret}
            told = broker.request("POST", "/oauth/introspect", data=form).json()
            assert told["active"] == (client_id == "gateway"), name


@pytest.mark.parametrize("service", AUDIENCES)
def test_nothing_that_a_job_says_of_itself_enters_by_another_name(
    broker: RunningBroker, service: str
) -> None:
    honest, hostile = (
        parts_of(issued(broker, service, claims=claims).json()["access_token"])[1]
        for claims in ({}, SMUGGLED)
    )

    assert set(hostile) == set(honest)
    own = {"jti", "iat", "nbf", "exp"}
    assert {name: hostile[name] for name in set(hostile) - own} == {
        name: honest[name] for name in set(honest) - own
    }


# --- what is asked for (standards TX-06) ----------------------------------------------------------


@pytest.mark.parametrize("service", PROFILES)
def test_a_jwt_is_issued_by_name_where_the_service_has_a_profile(
    broker: RunningBroker, service: str
) -> None:
    named = issued(broker, service, requested_token_type=TOKEN_TYPE_JWT).json()
    usual = issued(broker, service).json()

    assert named["issued_token_type"] == TOKEN_TYPE_JWT
    assert usual["issued_token_type"] == TOKEN_TYPE_ACCESS_TOKEN
    assert named["token_type"] == usual["token_type"] == "Bearer"


@pytest.mark.parametrize("service", [*INTERNAL, "broker"])
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/explain"])
def test_and_refused_elsewhere_without_being_spent(
    broker: RunningBroker, service: str, path: str
) -> None:
    job = broker.github_token(environment="everywhere")
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": job,
        "subject_token_type": TOKEN_TYPE_JWT,
        "requested_token_type": TOKEN_TYPE_JWT,
        "audience": service,
    }

    answer = broker.request("POST", path, data=form)

    told = answer.json()
    assert (answer.status_code, told["error"]) == (400, "invalid_request")
    assert told["reason"] == "unsupported_token_type"
    assert f"service '{service}' has no profile" in told["error_description"]
    events = broker.events()
    [event] = [each for each in events if each["id"] == told["decision_id"]]
    assert (event["type"], event["reason"]) == ("token.refused", "unsupported_token_type")
    assert event["issuer"] == "github"
    assert_nothing_was_minted(events, answer.headers["x-request-id"])
    assert broker.exchange(job, audience=service).status_code == 200
