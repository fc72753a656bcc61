"""What the broker says of itself (RFC 8414, OpenID Connect Discovery 1.0)."""

from collections.abc import Iterator
from typing import Any

import pytest

from broker.core.vocabulary import (
    ASYMMETRIC_ALGORITHMS,
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
)
from tests.running_broker import AUDIENCE, RunningBroker
from tests.special_brokers import special_broker

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def below_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker whose issuer URL has a path."""
    with special_broker(tmp_path_factory.mktemp("broker"), path="/ci/broker") as broker:
        yield broker


def metadata_of(broker: RunningBroker, path: str) -> dict[str, Any]:
    answer = broker.request("GET", path)
    assert answer.status_code == 200, path
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = answer.json()
    return document


def test_the_document_says_only_what_works(broker: RunningBroker) -> None:
    document = metadata_of(broker, OAUTH)
    scopes = document.pop("scopes_supported")

    assert document == {
        "issuer": broker.url,
        "token_endpoint": f"{broker.url}/oauth/token",
        "jwks_uri": f"{broker.url}/.well-known/jwks.json",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        "grant_types_supported": [GRANT_TOKEN_EXCHANGE, GRANT_JWT_BEARER, "client_credentials"],
        "token_endpoint_auth_methods_supported": [
            "none", "client_secret_basic", "client_secret_post", "private_key_jwt",
        ],
        "token_endpoint_auth_signing_alg_values_supported": sorted(ASYMMETRIC_ALGORITHMS),
        "revocation_endpoint": f"{broker.url}/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": [
            "none", "client_secret_basic", "client_secret_post", "private_key_jwt",
        ],
        "revocation_endpoint_auth_signing_alg_values_supported": sorted(ASYMMETRIC_ALGORITHMS),
        "introspection_endpoint": f"{broker.url}/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": [
            "client_secret_basic", "client_secret_post", "private_key_jwt",
        ],
        "introspection_endpoint_auth_signing_alg_values_supported": sorted(ASYMMETRIC_ALGORITHMS),
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "act", "policy",
            "workload",
        ],
        "subject_token_audiences": [AUDIENCE],
    }  # fmt: skip
    assert scopes == sorted(scopes)
    assert [scope for scope in scopes if not scope.startswith("broker:")] == [
        "artifacts:read", "artifacts:write", "billing:read", "deploy:read", "deploy:write",
    ]  # fmt: skip


def test_it_is_the_same_at_both_places(broker: RunningBroker) -> None:
    first, second = (broker.request("GET", path) for path in (OAUTH, OPENID))

    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]


def test_every_endpoint_it_names_answers(broker: RunningBroker) -> None:
    document = metadata_of(broker, OPENID)

    named = {name: url for name, url in document.items() if str(url).startswith(broker.url)}
    assert named.keys() == {
        "issuer", "token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri",
    }  # fmt: skip
    for name in ("token_endpoint", "revocation_endpoint"):
        answer = broker.request("POST", named[name].removeprefix(broker.url), data={"a": ""})
        assert answer.json()["reason"] == "malformed_request"
    assert broker.request("GET", named["jwks_uri"].removeprefix(broker.url)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server/ci/broker",
        "/.well-known/openid-configuration/ci/broker",
        "/ci/broker/.well-known/openid-configuration",
        "/ci/broker/.well-known/oauth-authorization-server",
    ],
)
def test_an_issuer_with_a_path_is_found_at_each_of_its_places(
    below_a_path: RunningBroker, path: str
) -> None:
    document = metadata_of(below_a_path, path)

    issuer = f"{below_a_path.url}/ci/broker"
    assert document["issuer"] == issuer
    assert document["token_endpoint"] == f"{issuer}/oauth/token"
    assert document["jwks_uri"] == f"{issuer}/.well-known/jwks.json"


@pytest.mark.parametrize("prefix", ["", "/ci/broker"])
def test_its_endpoints_answer_below_the_path_and_at_the_root(
    below_a_path: RunningBroker, prefix: str
) -> None:
    token = below_a_path.github_token()

    issued = below_a_path.request(
        "POST",
        f"{prefix}/oauth/token",
        data={"grant_type": GRANT_JWT_BEARER, "assertion": token, "audience": "deploy-api"},
    )

    assert issued.status_code == 200
    for path in ("/.well-known/jwks.json", "/healthz", "/readyz"):
        assert below_a_path.request("GET", prefix + path).status_code == 200


def test_its_answers_do_not_tell_a_path_that_is_not_its_own(below_a_path: RunningBroker) -> None:
    for path in ("/ci", "/ci/", "/ci/broker", "/ci/brokerx/healthz"):
        answer = below_a_path.request("GET", path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_method_that_reads_nothing_is_refused(broker: RunningBroker) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = broker.request(method, OPENID)
        assert answer.status_code == 405
        assert {each.strip() for each in answer.headers["allow"].split(",")} == {"GET", "HEAD"}
