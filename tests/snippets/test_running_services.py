"""Snippets that run here: as they are printed, they let in a good token and no near miss.

The audience of the service is full of what ends quotes in one language or another.
"""

from collections.abc import Iterator
from typing import Any

import certifi
import httpx
import pytest

from tests.snippets.blind_spots import let_in_by
from tests.snippets.presented import ALGORITHM, near_misses, presented
from tests.snippets.running import SERVICES, edit, envoy, folder, node, validated_by_envoy
from tests.snippets.trusts import HOSTILE, files, trust
from tests.verify.publishing import Publisher, publishing, signing_key


@pytest.fixture(scope="module")
def publisher() -> Iterator[Publisher]:
    with publishing(signing_key(ALGORITHM)) as served:
        yield served


def ask(http: httpx.Client, *tokens: str, **headers: str) -> httpx.Response:
    values = [("authorization", f"Bearer {each}") for each in tokens]
    return http.get("/", headers=[*values, *headers.items()])


@pytest.mark.parametrize("form", SERVICES)
def test_a_snippet_lets_in_a_good_token_alone(form: str, publisher: Publisher) -> None:
    with SERVICES[form](files(form, trust(issuer=publisher.url))) as http:
        good = presented(publisher.url, HOSTILE)

        answer = ask(http, good, **{"x-caller": "root", "x_caller": "root", "X-CALLER": "root"})
        assert (answer.status_code, answer.json()["caller"]) == (200, "deploy-web"), answer.text
        assert not answer.json().get("token_seen")

        misses = near_misses(publisher.url, HOSTILE)
        let_in = {name for name, text in misses.items() if ask(http, text).is_success}
        assert let_in == let_in_by(form)

        assert ask(http).status_code == 401
        assert ask(http, f"{good} x").status_code in (400, 401)
        assert ask(http, good, "x").status_code in (400, 401, 403)
        assert ask(http, presented(publisher.url, HOSTILE, scope="deploy:read")).status_code == 403
        similar = "deploy:read deploy:writer xdeploy:write deploy.write"
        assert ask(http, presented(publisher.url, HOSTILE, scope=similar)).status_code == 403
        assert ask(http, presented(publisher.url, HOSTILE, without="scope")).status_code == 403


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
@pytest.mark.parametrize("form", SERVICES)
def test_a_service_of_another_algorithm_and_type_without_scopes_asks_for_none(
    form: str, algorithm: str
) -> None:
    with publishing(signing_key(algorithm)) as publisher:
        trusted = trust(issuer=publisher.url, scopes=(), signing_alg=algorithm, token_typ="JWT")
        good: dict[str, Any] = {
            "algorithm": algorithm,
            "without": "scope",
            "header": {"typ": "JWT"},
        }
        other = {**good, "header": {"typ": "at+jwt"}}

        with SERVICES[form](files(form, trusted)) as http:
            assert ask(http, presented(publisher.url, HOSTILE, **good)).status_code == 200
            assert not ask(http, presented(publisher.url, HOSTILE + "x", **good)).is_success
            if "another type" not in let_in_by(form):
                assert not ask(http, presented(publisher.url, HOSTILE, **other)).is_success


def test_a_node_service_lets_nobody_in_while_there_are_no_keys() -> None:
    with publishing(signing_key(ALGORITHM)) as publisher:
        publisher.status = 500
        with node(files("node", trust(issuer=publisher.url))) as http:
            assert ask(http, presented(publisher.url, HOSTILE)).status_code == 503

            publisher.status = 200
            assert ask(http, presented(publisher.url, HOSTILE)).status_code == 200


def test_envoy_does_not_take_orders_from_a_caller(publisher: Publisher) -> None:
    with envoy(files("envoy", trust(issuer=publisher.url))) as http:
        good = presented(publisher.url, HOSTILE)

        assert ask(http, good, **{"x-envoy-original-path": "/admin"}).json()["to_envoy"] == []


def test_envoy_takes_what_is_printed_for_a_public_issuer_without_a_warning() -> None:
    with folder(files("envoy", trust())) as here:
        # Where the certificates of the system are, another system has them.
        edit(here / "envoy.yaml", {"/etc/ssl/certs/ca-certificates.crt": certifi.where()})
        told = validated_by_envoy(here)

    assert told == ["configuration 'envoy.yaml' OK"]
