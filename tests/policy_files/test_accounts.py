"""`service_accounts`: what is read, and what is refused."""

import json

import pytest

from broker.core.policy import ServiceAccount
from broker.testing.jws import generate_key, public_jwk
from tests.policy_files.loading import assert_refused, load_beside_base, policy

KEY = public_jwk(generate_key("ES256"), "ES256", "key-1")
KEYS = json.dumps({"keys": [KEY]})
SECRET_KEY = json.dumps({"keys": [KEY | {"d": "x"}]})
GOOD_AND_BAD = json.dumps({"keys": [KEY, KEY | {"kid": "2", "use": "enc"}]})


def account(fields: str) -> ServiceAccount:
    text = f"service_accounts: {{web: {{grants: {{plain: []}}, {fields}}}}}"
    return load_beside_base(text).policy_set.service_accounts["web"]


def test_an_account_that_sets_nothing_is_enabled_and_plain() -> None:
    assert account("enabled: true") == ServiceAccount("web", {"plain": frozenset()})


def test_every_field_of_an_account_is_read() -> None:
    found = account(
        "description: Deploys, owner: team-web, organization: acme, ttl: 5m, max_ttl: 24h,"
        " metadata: {team: web, tier: 1, gold: true}, secrets: allowed, enabled: false,"
        " instances: [repository_id, environment]"
    )

    assert found == ServiceAccount(
        client_id="web",
        grants={"plain": frozenset()},
        description="Deploys",
        owner="team-web",
        organization="acme",
        ttl=300,
        max_ttl=86_400,
        metadata={"team": "web", "tier": 1, "gold": True},
        enabled=False,
        instances=("repository_id", "environment"),
        secrets_allowed=True,
    )


def test_an_account_may_have_keys_or_say_where_they_are() -> None:
    stated = account(f"secrets: allowed, jwks: {KEYS}")
    published = account("secrets: allowed, jwks_uri: 'https://keys.example/jwks'")

    assert (stated.jwks, stated.jwks_uri) == ({"keys": [KEY]}, None)
    assert (published.jwks, published.jwks_uri) == (None, "https://keys.example/jwks")


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("►jwks_uri: 'https://k.example'", "registered keys need `secrets: allowed`"),
        ("secrets: allowed, jwks: ►{keys: [a]}", "an entry is not an object"),
        ("secrets: allowed, jwks: ►{keys: a}", "no list 'keys'"),
        (f"secrets: allowed, jwks: ►{{keys: [{'x' * 16_500}]}}", "larger than 16384 bytes"),
        (f"secrets: allowed, jwks: ►{SECRET_KEY}", "published with its private part"),
        (f"secrets: allowed, jwks: ►{GOOD_AND_BAD}", "is not for signatures"),
        (f"secrets: allowed, jwks: {KEYS}, ►jwks_uri: 'https://k.example'", "not both"),
        ("secrets: allowed, jwks_uri: ►'http://k.example'", "must begin with `https://`"),
        ("secrets: allowed, jwks_uri: ►keys", "must be a URL"),
        ("secrets: ►maybe", "forbidden or allowed"),
        ("organization: ►acne", "did you mean `acme`?"),
        ("metadata: {a: ►[b]}", "a text, a whole number, true or false"),
        ("metadata: {a: ►{b: c}}", "a text, a whole number, true or false"),
        ("metadata: {a: ►12345678901234567890}", 'quote it: "12345678901234567890"'),
        (f"metadata: ►{{a: {'x' * 1100}}}", "larger than 1024 bytes"),
        (f"metadata: ►{{a: {'ä' * 600}}}", "larger than 1024 bytes"),
        ("metadata: ►web", "must be a mapping"),
        ("instances: [repository_id, ►repository_id]", "here twice"),
        ("instances: [►/a/b]", "name a claim"),
        ("instances: [►'a:b']", "no colon"),
        ("instances: ►repository_id", "must be a list, as in"),
        ("ttl: ►2d", "from 1s to 1d"),
    ],
)
def test_an_account_that_cannot_be_meant_is_refused(marked: str, word: str) -> None:
    assert_refused(f"service_accounts: {{web: {{grants: {{plain: []}}, {marked}}}}}", word)


@pytest.mark.parametrize(
    ("match", "issuer", "name"),
    [
        ("{repository_owner_id: 1}", "github", "repo-ci"),
        ("{repository_owner_id: 1, ref: refs/heads/main}", "github", "per-branch"),
        (
            "{repository_owner_id: 1, ref: [refs/heads/main, refs/heads/next]}",
            "github",
            "per-branch",
        ),
        ("{organization_id: a, repository_id: 7}", "buildkite", "repo-ci"),
    ],
)
def test_an_instance_claim_is_an_immutable_id_or_pinned(match: str, issuer: str, name: str) -> None:
    assert load_beside_base(policy(match, issuer, service_account=name)).policy_set.policies


@pytest.mark.parametrize(
    ("match", "issuer", "name"),
    [
        ("{repository_owner_id: 1}", "github", "per-branch"),
        ('{repository_owner_id: 1, ref: {glob: "refs/heads/*"}}', "github", "per-branch"),
        ('{repository_owner_id: 1, ref: [a, {glob: "b*"}]}', "github", "per-branch"),
        ("{repository_owner_id: 1, ref: {not: a}}", "github", "per-branch"),
        ("{project_id: 1}", "gitlab", "repo-ci"),
        ("{organization_id: a}", "buildkite", "repo-ci"),
    ],
)
def test_an_instance_claim_that_strangers_could_choose_is_refused(
    match: str, issuer: str, name: str
) -> None:
    assert_refused(policy(match, issuer, service_account=f"►{name}"), "pin it in `match`")
