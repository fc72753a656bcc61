"""`issuers`: defaults of presets, URLs, audiences, algorithms, tenants."""

import pytest

from broker.core.platforms import GITHUB, GITLAB
from broker.core.policy import Issuer, KeySource, Replay
from tests.policy_files.loading import BROKER, assert_refused, load_beside_base


def issuer(fields: str, **settings: object) -> Issuer:
    return load_beside_base(f"issuers: {{corp: {{{fields}}}}}", **settings).policy_set.issuers[
        "corp"
    ]


GITLAB_CORP = "preset: gitlab, issuer: 'https://gitlab.corp.example'"
GITHUB_CORP = "preset: github, issuer: 'https://gh.example/_services/token'"
PLAIN = "issuer: 'https://ci.corp.example', tenant: [organization_id]"


def test_a_preset_brings_its_issuer_and_limits() -> None:
    issuers = load_beside_base("").policy_set.issuers

    assert issuers["github"] == Issuer(
        name="github",
        url="https://token.actions.githubusercontent.com",
        audiences=frozenset({BROKER}),
        platform=GITHUB,
        algorithms=frozenset({"RS256", "ES256"}),
        max_token_lifetime=600,
        replay=Replay.SINGLE_USE,
    )
    assert issuers["gitlab"] == Issuer(
        name="gitlab",
        url="https://gitlab.com",
        audiences=frozenset({BROKER}),
        platform=GITLAB,
        algorithms=frozenset({"RS256", "ES256"}),
        max_token_lifetime=86_400,
        replay=Replay.REUSABLE,
    )


def test_an_issuer_without_preset_is_reusable_for_an_hour() -> None:
    assert issuer(PLAIN) == Issuer(
        name="corp",
        url="https://ci.corp.example",
        audiences=frozenset({BROKER}),
        tenant=("organization_id",),
        max_token_lifetime=3600,
        replay=Replay.REUSABLE,
    )


def test_every_field_of_an_issuer_is_read() -> None:
    found = issuer(
        GITLAB_CORP
        + ", jwks_uri: 'https://keys.corp.example/jwks', proxy: 'http://proxy.corp:3128',"
        " audiences: [broker-a, broker-b], algorithms: [EdDSA], max_token_lifetime: 2h,"
        " replay: per_audience, enabled: false, contact: platform@corp.example"
    )

    assert found.audiences == {"broker-a", "broker-b"}
    assert found.algorithms == {"EdDSA"}
    assert found.max_token_lifetime == 7200
    assert found.replay is Replay.PER_AUDIENCE
    assert not found.enabled
    assert found.contact == "platform@corp.example"
    assert found.keys == KeySource(
        jwks_uri="https://keys.corp.example/jwks", proxy="http://proxy.corp:3128"
    )


@pytest.mark.parametrize(
    "fields",
    [
        "preset: github, issuer: 'https://token.actions.githubusercontent.com/acme'",
        "preset: github, issuer: 'https://token.actions.acme.ghe.com'",
        "preset: github, issuer: 'https://token.actions.acme.ghe.com/acme'",
        "preset: github, issuer: 'https://github.corp.example/_services/token'",
        "preset: gitlab, issuer: 'https://gitlab.corp.example'",
        "preset: gitlab, issuer: 'https://corp.example/gitlab/'",
        "preset: gitlab, issuer: 'https://gitlab.corp.example:8443'",
    ],
)
def test_every_form_of_a_platform_is_an_issuer(fields: str) -> None:
    url = fields.split("'")[1]

    assert issuer(fields).url == url


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        # row 165
        ("{issuer: ►'https://gitlab.com/x', single_tenant: true}", "`preset: gitlab`"),
        (
            "{issuer: ►'https://token.actions.githubusercontent.com/acme', tenant: [a]}",
            "`preset: github`",
        ),
        ("{issuer: ►'https://token.actions.acme.ghe.com', single_tenant: true}", "github"),
        ("{issuer: ►'https://GitLab.com', single_tenant: true}", "`preset: gitlab`"),
        ("{issuer: ►'https://gitlab.com:443', single_tenant: true}", "`preset: gitlab`"),
        ("{preset: ►gitlab, issuer: 'https://token.actions.acme.ghe.com'}", "`preset: github`"),
        # row 155
        (f"{{issuer: ►'{BROKER}', single_tenant: true}}", "the broker itself"),
        (f"{{issuer: ►'{BROKER}/', single_tenant: true}}", "the broker itself"),
        (f"{{issuer: ►'{BROKER.replace('b', 'B')}', single_tenant: true}}", "the broker itself"),
        # URLs
        ("{issuer: ►'http://ci.corp.example', single_tenant: true}", "`https://`"),
        ("{issuer: ►'http://127.0.0.1:8081', single_tenant: true}", "listens on loopback"),
        ("{issuer: ►ci.corp.example, single_tenant: true}", "must be a URL"),
        ("{issuer: ►'ftp://ci.corp.example', single_tenant: true}", "`https://`"),
        ("{issuer: ►'https://', single_tenant: true}", "must be a URL"),
        ("{issuer: ►'https://a b', single_tenant: true}", "must be a URL"),
        ("{issuer: ►'https://ci.corp.example:99999', single_tenant: true}", "must be a URL"),
        ("{issuer: ►'https://[::1', single_tenant: true}", "must be a URL"),
        ("{issuer: ►'https://cї.example', single_tenant: true}", "must be a URL"),
        ("{issuer: ►'https://me:secret@ci.example', single_tenant: true}", "credentials"),
        ("{issuer: ►'https://ci.example?a=b', single_tenant: true}", "no query"),
        ("{issuer: ►'https://ci.example#a', single_tenant: true}", "no query and no fragment"),
        # row 154, 49
        (f"{{{GITLAB_CORP}, audiences: [►sts.amazonaws.com]}}", BROKER),
        (f"{{{GITLAB_CORP}, audiences: [broker, ►sigstore]}}", "another system"),
        (f"{{{GITLAB_CORP}, audiences: ['►api://AzureADTokenExchange']}}", "another system"),
        (f"{{{GITLAB_CORP}, audiences: [►'https://github.com/acme']}}", "another system"),
        (f"{{{GITLAB_CORP}, audiences: [►'https://GitHub.com']}}", "another system"),
        (f"{{{GITLAB_CORP}, audiences: [►'https://acme.ghe.com/acme']}}", "another system"),
        (f"{{{GITLAB_CORP}, audiences: [►'https://gitlab.com']}}", "another system"),
        (f"{{{GITLAB_CORP}, audiences: [►'https://gitlab.corp.example']}}", "another system"),
        (f"{{{GITLAB_CORP}, audiences: [►'https://gitlab.corp.example/']}}", "another system"),
        (
            f"{{{GITHUB_CORP}, audiences: [►'https://gh.example/acme']}}",
            "another system",
        ),
        (
            f"{{{GITLAB_CORP}, audiences: [►'//iam.googleapis.com/projects/1/locations/x']}}",
            "another system",
        ),
        (f"{{{GITLAB_CORP}, audiences: [►'a b']}}", "without spaces"),
        (f"{{{GITLAB_CORP}, audiences: [►'bröker']}}", "printable ASCII"),
        (f"{{{GITLAB_CORP}, audiences: [►'']}}", "must not be empty"),
        # row 3
        (f"{{{GITLAB_CORP}, algorithms: [RS256, ►HS256]}}", "only asymmetric"),
        (f"{{{GITLAB_CORP}, algorithms: [►none]}}", "only asymmetric"),
        (f"{{{GITLAB_CORP}, algorithms: [►RS265]}}", "did you mean `RS256`?"),
        (f"{{{GITLAB_CORP}, algorithms: [►rs256]}}", "there is no algorithm"),
        # tenants
        ("►{issuer: 'https://ci.corp.example'}", "`tenant: [organization_id]`"),
        ("►{issuer: 'https://ci.corp.example', single_tenant: false}", "`single_tenant: true`"),
        (
            "{issuer: 'https://ci.corp.example', tenant: [a], ►single_tenant: true}",
            "either `tenant` or",
        ),
        ("{issuer: 'https://ci.corp.example', tenant: [►aud]}", "names no tenant"),
        ("{issuer: 'https://ci.corp.example', tenant: [►/a/b]}", "a pointer cannot stand here"),
        (f"{{{GITLAB_CORP}, ►tenant: [namespace_id]}}", "no effect beside"),
        (f"{{{GITLAB_CORP}, ►single_tenant: true}}", "no effect beside"),
        # the rest
        ("►{contact: a}", "name a `preset`"),
        (f"{{{GITLAB_CORP}, replay: ►once}}", "single_use, per_audience or reusable"),
        (f"{{{GITLAB_CORP}, max_token_lifetime: ►31d}}", "from 1s to 30d"),
        (f"{{{GITLAB_CORP}, ►ttl: 5m}}", "there is no field `ttl`"),
    ],
)
def test_an_issuer_that_would_trust_too_much_is_refused(marked: str, word: str) -> None:
    text = marked.replace("['►api", "[►'api")
    name = "►corp: " if text.startswith("►") else "corp: "

    assert_refused("issuers: {" + name + text.removeprefix("►") + "}", word)


@pytest.mark.parametrize("host", ["127.0.0.1:8081", "localhost:8081", "[::1]:8081", "127.9.9.9"])
def test_http_is_for_loopback_while_the_broker_is_on_loopback(host: str) -> None:
    found = issuer(
        f"issuer: 'http://{host}/x', single_tenant: true, jwks_uri: 'http://{host}/jwks'",
        loopback=True,
        broker_issuer="http://127.0.0.1:8080",
    )

    assert found.url == f"http://{host}/x"


@pytest.mark.parametrize("host", ["10.0.0.1", "127.0.0.1.evil.example", "localhost.evil.example"])
def test_http_to_another_host_is_refused_on_loopback_too(host: str) -> None:
    assert_refused(
        f"issuers: {{corp: {{issuer: ►'http://{host}', single_tenant: true}}}}",
        "must begin with `https://`",
        loopback=True,
    )


def test_an_issuer_url_stands_once_over_all_files() -> None:
    assert_refused(
        "issuers:\n  a: {issuer: ►'https://gitlab.com', preset: gitlab, replay: reusable}\n"
        "  ►b: {preset: github}\n",
        "already defined in base.yaml:5",
        "already defined in base.yaml:4",
    )


def test_urls_that_differ_by_a_slash_are_two_issuers() -> None:
    loaded = load_beside_base(
        "issuers:\n  a: {issuer: 'https://c.example', single_tenant: true}\n"
        "  b: {issuer: 'https://c.example/', single_tenant: true}\n"
    )

    assert {"a", "b"} <= loaded.policy_set.issuers.keys()


def test_the_audience_may_be_the_brokers_own_issuer_on_the_platforms_host() -> None:
    found = issuer(
        "preset: github, issuer: 'https://corp.example/_services/token',"
        " audiences: ['https://corp.example/broker']",
        broker_issuer="https://corp.example/broker",
    )

    assert found.audiences == {"https://corp.example/broker"}


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("►jwks_uri: 'https://k.example', jwks_file: ►x.json", "either `jwks_file` or"),
        ("jwks_uri: ►'http://k.example'", "`jwks_uri` must begin with `https://`"),
        ("jwks_uri: ►'file:///etc/passwd'", "`jwks_uri` must be a URL"),
        ("jwks_uri: ►'https://u:p@k.example'", "credentials"),
        ("proxy: ►'socks5://p.example:1080'", "`proxy` must be a URL"),
        ("proxy: ►'http://me:secret@p.example:3128'", "hold no secrets"),
        ("proxy: ►'http://p.example/path'", "no path"),
    ],
)
def test_a_key_source_that_cannot_be_is_refused(marked: str, word: str) -> None:
    assert_refused(f"issuers: {{corp: {{{GITLAB_CORP}, {marked}}}}}", word, "cannot be read")
