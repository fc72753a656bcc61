"""Snippets as they are printed, run: they let in a real token, no near miss and no other service's.

Near misses are signed with the broker's own key; which of them a form does not see stands in
tests/snippets/blind_spots.py. The audience of a service is full of what ends quotes in one language
or another.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.interop.foreign.programs import asking
from tests.interop.foreign.served_broker import ServedBroker, served_broker
from tests.interop.foreign.shaped_services import AUDIENCES, of_every_shape
from tests.interop.foreign.snippet_servers import SERVICES, set_up, spring
from tests.interop.foreign.vault import Vault, running_vault
from tests.snippets.blind_spots import let_in_by
from tests.snippets.presented import near_misses, presented
from tests.snippets.trusts import HOSTILE, files, trust
from tests.verify.publishing import publishing, signing_key

LetsIn = Callable[[str], bool]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBroker]:
    folder = tmp_path_factory.mktemp("broker") / "http"
    with served_broker(folder, policies=of_every_shape()) as served:
        yield served


@pytest.fixture(scope="module")
def broker_by_https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBroker]:
    folder = tmp_path_factory.mktemp("broker") / "https"
    with served_broker(folder, https=True, policies=of_every_shape()) as served:
        yield served


@pytest.fixture(scope="module", params=["vault", "bao"])
def vault(request: pytest.FixtureRequest) -> Iterator[Vault]:
    with running_vault(request.param) as running:
        yield running


def status(http: httpx.Client, token: str, path: str = "/whoami") -> int:
    found = http.get(path, headers={"authorization": f"Bearer {token}"}).status_code
    assert found in {200, 401, 403}
    return found


def assert_it_takes_its_own(
    lets_in: LetsIn, form: str, name: str, broker: ServedBroker, algorithm: str, **changes: Any
) -> None:
    """Show it a token for each service, and then those that nearly count."""
    assert {each for each in AUDIENCES if lets_in(broker.token(each))} == {name}

    key = asyncio.run(broker.signing_key(algorithm))
    header = {"typ": changes["token_type"]}
    assert lets_in(presented(broker.issuer, AUDIENCES[name], key=key, header=header))
    misses = near_misses(broker.issuer, AUDIENCES[name], key, **changes)
    assert {miss for miss, token in misses.items() if lets_in(token)} == let_in_by(form)


@pytest.mark.parametrize("form", SERVICES)
def test_a_service_lets_in_its_own_callers_with_all_scopes(form: str, broker: ServedBroker) -> None:
    with SERVICES[form](broker.snippet("deploy-api", form)) as http:
        assert_it_takes_its_own(
            lambda token: status(http, token) == 200,
            form,
            "deploy-api",
            broker,
            "RS256",
            token_type="at+jwt",
        )
        told = http.get(
            "/whoami", headers={"authorization": f"Bearer {broker.token('deploy-api')}"}
        )
        assert "deploy-web" in told.json().values()
        assert status(http, broker.token("deploy-api", "deploy:read")) == 403
        assert http.get("/whoami").status_code == 401


@pytest.mark.parametrize(
    ("form", "name", "algorithm", "token_type"),
    [
        ("go", "deploy-es", "ES256", "at+jwt"),
        ("go", "deploy-ed", "EdDSA", "JWT"),
        ("spring", "deploy-es", "ES256", "at+jwt"),
        ("spring", "images", "RS256", "JWT"),
    ],
)
def test_a_service_of_another_algorithm_and_type_without_scopes_asks_for_none(
    form: str, name: str, algorithm: str, token_type: str, broker: ServedBroker
) -> None:
    with SERVICES[form](broker.snippet(name, form)) as http:
        assert_it_takes_its_own(
            lambda token: status(http, token) == 200,
            form,
            name,
            broker,
            algorithm,
            token_type=token_type,
        )


def test_a_spring_service_lets_nobody_in_where_it_does_not_find_the_beans(
    broker: ServedBroker,
) -> None:
    with spring(broker.snippet("images", "spring"), package="elsewhere") as http:
        assert [status(http, broker.token(each)) for each in AUDIENCES] == [401] * len(AUDIENCES)


def test_a_go_service_asks_for_keys_once_for_many_tokens_that_do_not_verify() -> None:
    with publishing(signing_key("RS256")) as publisher:
        with SERVICES["go"](files("go", trust(issuer=publisher.url))) as http:
            good = presented(publisher.url, HOSTILE)
            assert status(http, good) == 200
            assert {status(http, f"{good[:-9]}{each:09}") for each in range(20)} == {401}
            assert status(http, good) == 200

        assert len(publisher.requests) == 1


@pytest.mark.parametrize(
    ("name", "algorithm", "token_type"),
    [("cluster", "RS256", "JWT"), ("deploy-api", "RS256", "at+jwt")],
)
def test_an_api_server_lets_in_who_is_for_its_cluster(
    name: str, algorithm: str, token_type: str, broker_by_https: ServedBroker
) -> None:
    broker = broker_by_https
    file = broker.folder / f"{name}.yaml"
    file.write_text(for_the_authority(broker, broker.snippet(name, "kubernetes")))
    with asking("kubernetes", str(file)) as program:
        assert_it_takes_its_own(
            lambda token: bool(program.ask({"token": token})["accepted"]),
            "kubernetes",
            name,
            broker,
            algorithm,
            token_type=token_type,
        )
        told = program.ask({"token": broker.token(name)})

    assert told["username"] == "broker:deploy-web"
    assert told.get("groups", []) == (["broker:ci", "broker:team:web"] if name == "cluster" else [])


def for_the_authority(broker: ServedBroker, files: dict[str, str]) -> str:
    """Add who vouches for the issuer, which is no public authority here."""
    text = files["authentication-config.yaml"]
    certificates = (broker.folder / "authority/ca.pem").read_text()
    indented = "".join(f"        {line}\n" for line in certificates.splitlines())
    before, audiences, rest = text.partition("      audiences:")
    assert audiences
    return f"{before}      certificateAuthority: |\n{indented}{audiences}{rest}"


@pytest.mark.parametrize(
    ("name", "algorithm", "token_type"),
    [("deploy-api", "RS256", "at+jwt"), ("deploy-ed", "EdDSA", "JWT")],
)
def test_vault_lets_in_who_the_role_is_for(
    name: str, algorithm: str, token_type: str, broker: ServedBroker, vault: Vault
) -> None:
    if "jwt/" in vault.command("auth", "list"):
        vault.command("auth", "disable", "jwt")
    set_up(vault, broker.snippet(name, "vault")["vault.sh"])

    assert_it_takes_its_own(
        lambda token: vault.login("deploy-web", token) is not None,
        "vault",
        name,
        broker,
        algorithm,
        token_type=token_type,
    )
    of_another = broker.token(name, ref="refs/heads/else")
    assert vault.login("deploy-web", of_another) is None
    token = vault.login("else", of_another)
    assert token
    known = vault.read("auth/token/lookup-self", token)
    assert known
    assert known["policies"] == ["default", "else"]
