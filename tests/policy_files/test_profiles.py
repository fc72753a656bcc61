"""`profile` of a service: what it sets, and what it refuses when the policies are loaded."""

from typing import Any

import pytest

from broker.core.policy import Service
from broker.core.token_profiles import PROFILES
from tests.policy_files.loading import assert_refused, load_beside_base

AUDIENCES = {"entra": "api://AzureADTokenExchange"}


def text(profile: str, fields: str = "") -> str:
    audience = AUDIENCES.get(profile, "sts.example")
    return f"services: {{s: {{audience: '{audience}', profile: {profile}{fields}}}}}"


def service(profile: str, fields: str = "", **settings: Any) -> Service:
    return load_beside_base(text(profile, fields), **settings).policy_set.services["s"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_sets_type_algorithm_and_life(profile: str) -> None:
    found = service(profile, token_defaults=(600, 86_400))

    assert (found.profile, found.token_typ, found.signing_alg) == (profile, "JWT", "RS256")
    assert (found.ttl, found.max_ttl) == (600, 3600)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_agrees_with_a_profile_may_be_written(profile: str) -> None:
    found = service(profile, ", token_typ: JWT, signing_alg: RS256, ttl: 5m, max_ttl: 30m")

    assert (found.ttl, found.max_ttl) == (300, 1800)


def test_other_systems_have_no_words_of_their_own() -> None:
    assert service("gcp", ", claims: {groups: ['system:x'], access: [{a: b}]}").claims
    assert service("kubernetes", ", claims: {groups: ['x:system:y'], access: [{a: b}]}").claims


def test_a_shorter_life_of_the_configuration_counts() -> None:
    assert service("gcp", token_defaults=(600, 900)).max_ttl == 900


def test_what_is_said_of_a_life_is_never_longer_than_its_bound() -> None:
    """`services list`, the API and snippets show it; a decision cuts it anyway."""
    long = (7200, 86_400)

    assert service("aws", token_defaults=long).ttl == 3600
    assert service("aws", ", max_ttl: 20m", token_defaults=long).ttl == 1200
    plain = "services: {s: {audience: 'https://s.example', max_ttl: 5m}}"
    assert load_beside_base(plain).policy_set.services["s"].ttl == 300


def test_the_first_algorithm_that_the_broker_has_is_taken() -> None:
    assert service("aws", signing_algorithms=["EdDSA", "ES256"]).signing_alg == "ES256"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_needs_a_key_that_it_takes(profile: str) -> None:
    assert_refused(
        text("►" + profile).replace("sts.example", AUDIENCES.get(profile, "sts.example")),
        "the broker has no such key",
        signing_algorithms=["EdDSA"],
    )


@pytest.mark.parametrize(
    ("profile", "fields", "word"),
    [
        ("aws", ", token_typ: ►at+jwt", "are of type JWT"),
        ("kubernetes", ", token_typ: ►at+jwt", "are of type JWT"),
        ("kubernetes", ", signing_alg: ►EdDSA", "kubernetes takes RS256 or ES256 alone"),
        ("entra", ", signing_alg: ►ES256", "entra takes RS256 alone"),
        ("kubernetes", ", claims: {groups: ►[ci, 'system:masters']}", "belongs to kubernetes"),
        ("kubernetes", ", claims: {groups: ►'system:{sub}'}", "belongs to kubernetes"),
        ("gcp", ", max_ttl: ►61m", "live up to 1h"),
        ("gcp", ", ttl: ►2h", "live up to 1h"),
    ],
)
def test_what_contradicts_a_profile_is_refused(profile: str, fields: str, word: str) -> None:
    assert_refused(text(profile, fields), word, signing_algorithms=["RS256", "ES256", "EdDSA"])


@pytest.mark.parametrize("audience", ["api://azureadtokenexchange", "https://sts.example"])
def test_entra_takes_one_audience(audience: str) -> None:
    assert_refused(
        f"services: {{s: {{audience: ►'{audience}', profile: entra}}}}",
        "entra takes one audience: api://AzureADTokenExchange",
    )


def test_there_are_four_profiles() -> None:
    assert_refused("services: {s: {audience: a, profile: ►azure}}", "aws, gcp, entra or kubernetes")


@pytest.mark.parametrize(
    ("issuer", "profiles", "word"),
    [
        ("http://broker.example.com", list(PROFILES), "https issuers"),
        ("https://broker.example.com/?x", list(PROFILES), "https issuers"),
        ("https://broker.example.com/#x", list(PROFILES), "https issuers"),
        ("https://u@broker.example.com", list(PROFILES), "https issuers"),
        ("https://broker.example.com:8443", ["aws"], "has a port"),
    ],
)
def test_an_issuer_that_a_system_would_not_trust_is_refused(
    issuer: str, profiles: list[str], word: str
) -> None:
    for profile in profiles:
        marked = text("PROFILE").replace("PROFILE", "►" + profile)
        marked = marked.replace("sts.example", AUDIENCES.get(profile, "sts.example"))
        assert_refused(marked, word, broker_issuer=issuer)


@pytest.mark.parametrize("profile", ["gcp", "entra", "kubernetes"])
def test_a_port_is_no_matter_to_others(profile: str) -> None:
    service(profile, broker_issuer="https://broker.example.com:8443/path")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_broker_on_loopback_is_for_trying(profile: str) -> None:
    found = service(profile, broker_issuer="http://127.0.0.1:8080", loopback=True)

    assert found.profile == profile
