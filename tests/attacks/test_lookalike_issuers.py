"""Attacks rows 18-20: issuers that are nearly a trusted one (CVE-2024-53861)."""

from collections.abc import Iterator

import pytest

from broker.testing import gitlab_claims
from tests.attacks.outbound import watching_outside
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, GITHUB, RunningBroker

NEARLY_GITHUB = [
    # Row 18: before, behind and around it.
    f"{GITHUB}.evil.example",
    f"{GITHUB}@evil.example/",
    f"{GITHUB}#x",
    f"{GITHUB}?x",
    f"{GITHUB};x",
    f"{GITHUB}\\evil",
    f"{GITHUB}\x00",
    f"{GITHUB} ",
    f" {GITHUB}",
    f"{GITHUB}\n",
    GITHUB.replace("https", "http"),
    GITHUB.removeprefix("https://"),
    GITHUB.removeprefix("https:"),
    GITHUB[:-1],
    f"https://evil.example/{GITHUB}",
    f"https://evil.example/?{GITHUB}",
    "https://x" + GITHUB.removeprefix("https://"),
    "https://x." + GITHUB.removeprefix("https://"),
    "https://user@" + GITHUB.removeprefix("https://"),
    # Row 19: an enterprise's own issuer below it.
    f"{GITHUB}/evil-corp",
    f"{GITHUB}/..",
    f"{GITHUB}/./",
    # Row 20: what a browser takes for the same.
    f"{GITHUB}/",
    f"{GITHUB}//",
    f"{GITHUB}.",
    f"{GITHUB}:443",
    GITHUB.upper(),
    GITHUB.replace("https", "HTTPS"),
    GITHUB.replace("token", "TOKEN"),
    GITHUB.replace("token", "%74oken"),
    GITHUB.replace("o", "\u043e", 1),
    GITHUB.replace("g", "\uff47", 1),
    GITHUB.replace("k", "\u212a", 1),
    "https://xn--tken-55d.actions.githubusercontent.com",
]

POLICIES = """\
issuers:
  github-corp:
    preset: github
    issuer: https://token.actions.githubusercontent.com/octo-corp
    audiences: [{audience}]
    jwks_uri: "{github}"
  gitlab-slash:
    preset: gitlab
    issuer: https://gitlab.corp.example/
    audiences: [{audience}]
    jwks_uri: "{gitlab_corp}"
services:
  deploy-api: {{audience: https://deploy.example.com, scopes: {{deploy:read: See}}}}
service_accounts:
  deploy-web: {{grants: {{deploy-api: [deploy:read]}}}}
policies:
  corp: {{service_account: deploy-web, issuer: github-corp, match: {{repository_id: 456789}}}}
  slash: {{service_account: deploy-web, issuer: gitlab-slash, match: {{project_id: 20}}}}
"""
CORP = f"{GITHUB}/octo-corp"
SLASH = "https://gitlab.corp.example/"


@pytest.fixture(scope="module")
def corp_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker that trusts an enterprise's own issuer, and one that ends in a slash."""
    with RunningBroker(tmp_path_factory.mktemp("broker"), POLICIES).serving() as broker:
        yield broker


@pytest.mark.parametrize("issuer", NEARLY_GITHUB, ids=range(len(NEARLY_GITHUB)))
def test_an_issuer_that_is_nearly_trusted_is_refused_without_any_contact(
    live_broker: RunningBroker, issuer: str
) -> None:
    token = live_broker.github_token(iss=issuer)

    with watching_outside(live_broker) as outside:
        response = live_broker.exchange(token)

    assert_refused(live_broker, response, "issuer_not_trusted")
    assert outside.contacted == []


@pytest.mark.parametrize("issuer", [f"{GITHUB}.evil.example", f"{GITHUB}/evil-corp", f"{GITHUB}/"])
def test_a_lookalike_is_refused_however_it_is_presented(
    live_broker: RunningBroker, present: Present, issuer: str
) -> None:
    token = live_broker.github_token(iss=issuer)

    assert_refused(live_broker, present(live_broker, token), "issuer_not_trusted")


def test_the_name_of_an_issuer_in_the_configuration_is_no_issuer(
    live_broker: RunningBroker,
) -> None:
    token = live_broker.github_token(iss="github")

    assert_refused(live_broker, live_broker.exchange(token), "issuer_not_trusted")


@pytest.mark.parametrize(
    "issuer", [GITHUB, f"{CORP}/", f"{CORP}-2", f"{CORP}/..", f"{GITHUB}/Octo-Corp", f"{CORP}/x"]
)
def test_an_enterprises_issuer_trusts_neither_its_parent_nor_its_neighbours(
    corp_broker: RunningBroker, issuer: str
) -> None:
    token = corp_broker.github_token(iss=issuer)

    assert_refused(corp_broker, corp_broker.exchange(token), "issuer_not_trusted")


def test_an_enterprises_own_issuer_is_trusted_where_it_is_configured(
    corp_broker: RunningBroker,
) -> None:
    assert corp_broker.exchange(corp_broker.github_token(iss=CORP)).status_code == 200


def test_an_issuer_that_ends_in_a_slash_is_trusted_with_it_and_refused_without(
    corp_broker: RunningBroker,
) -> None:
    issuer = corp_broker.gitlab_corp
    with_slash, without = (
        issuer.token(gitlab_claims(iss=url), audience=AUDIENCE)
        for url in (SLASH, SLASH.removesuffix("/"))
    )

    assert corp_broker.exchange(with_slash).status_code == 200
    assert_refused(corp_broker, corp_broker.exchange(without), "issuer_not_trusted")
