"""Looking things up in a policy set: exact, by name or by address (attacks rows 18-20, 150)."""

import pytest

from broker.core.platforms import GITHUB
from tests.core.builders import a_policy_set, a_service, an_issuer

SET = a_policy_set(issuers=[an_issuer("github"), an_issuer("ci")])


def test_an_issuer_is_found_by_its_exact_url() -> None:
    assert SET.issuer_by_url("https://token.actions.githubusercontent.com") == an_issuer("github")
    assert SET.issuer_by_url("https://ci.example") == an_issuer("ci")


def test_an_issuer_configured_with_a_slash_is_found_with_it_alone() -> None:
    with_slash = an_issuer("ci", url="https://ci.example/")
    policy_set = a_policy_set(issuers=[with_slash])

    assert policy_set.issuer_by_url("https://ci.example/") == with_slash
    assert policy_set.issuer_by_url("https://ci.example") is None


@pytest.mark.parametrize(
    "url",
    [
        "https://token.actions.githubusercontent.com/",
        "https://token.actions.githubusercontent.com/evil-corp",
        "https://token.actions.githubusercontent.com.evil.example",
        "https://token.actions.githubusercontent.com@evil.example/",
        "https://token.actions.githubusercontent.com#x",
        "https://token.actions.githubusercontent.com?x",
        "https://token.actions.githubusercontent.com:443",
        "https://TOKEN.actions.githubusercontent.com",
        "http://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.co",
        "http://169.254.169.254/latest",
        "github",
        "",
    ],
)
def test_nothing_but_the_exact_url_finds_an_issuer(url: str) -> None:
    assert SET.issuer_by_url(url) is None


def test_a_service_is_found_by_name_or_audience() -> None:
    policy_set = a_policy_set(services=[a_service("deploy-api"), a_service("artifacts")])

    assert policy_set.service("deploy-api") == a_service("deploy-api")
    assert policy_set.service("https://deploy-api.example") == a_service("deploy-api")
    assert policy_set.service("https://artifacts.example") == a_service("artifacts")


@pytest.mark.parametrize(
    "target",
    ["Deploy-api", "deploy", "https://deploy-api.example/", "https://deploy-api.example#f", ""],
)
def test_nothing_but_the_exact_spelling_finds_a_service(target: str) -> None:
    assert a_policy_set().service(target) is None


def test_a_preset_or_the_issuer_itself_says_which_claims_pin_a_tenant() -> None:
    assert an_issuer("github").tenant_claims == GITHUB.tenant_claims
    assert an_issuer("ci").tenant_claims == ("organization_id",)
