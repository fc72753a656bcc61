"""Relying parties discover `broker serve`, take its tokens for them alone, and its next keys."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import jwt
import pytest

from tests.interop.foreign.parties import authentication_configuration, role
from tests.interop.foreign.programs import PATIENCE, Asking, asking
from tests.interop.foreign.served_broker import SERVICES, ServedBroker, served_broker
from tests.interop.foreign.servers import registry, resource_server
from tests.interop.foreign.vault import Vault
from tests.interop.verifiers import Service

LetsIn = Callable[[str], bool]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBroker]:
    with served_broker(tmp_path_factory.mktemp("broker") / "http") as served:
        yield served


@contextmanager
def go(library: str, service: Service) -> Iterator[LetsIn]:
    asked = {"jwks": "", **vars(service)}
    with asking("verifiers", library) as program:
        yield lambda token: bool(program.ask({"token": token, **asked})["accepted"])


def api_server(broker: ServedBroker) -> list[str]:
    """Write the configuration of an API server that trusts the broker; gives its arguments."""
    file = broker.folder / "authentication-config.yaml"
    certificates = (broker.folder / "authority/ca.pem").read_text()
    file.write_text(authentication_configuration(broker.service("kubernetes"), certificates))
    return [str(file)]


def by_program(program: Asking) -> LetsIn:
    return lambda token: bool(program.ask({"token": token})["accepted"])


@contextmanager
def spring(service: Service) -> Iterator[LetsIn]:
    with resource_server(service) as url:
        yield lambda token: _status(f"{url}/whoami", token) == 200


def discovering(vault: Vault, broker: ServedBroker) -> LetsIn:
    service = broker.service("vault")
    config = {"oidc_discovery_url": broker.issuer, "bound_issuer": broker.issuer}
    vault.write("auth/jwt/config", config | {"jwt_supported_algs": [service.algorithm]})
    vault.write("auth/jwt/role/interop", role(service.audience, "everywhere"))
    return lambda token: vault.login("interop", token) is not None


@pytest.mark.parametrize("library", ["go-oidc", "cap"])
def test_a_go_service_discovers_the_broker(library: str, broker: ServedBroker) -> None:
    with go(library, broker.service(library)) as lets_in:
        assert_it_takes_its_own(lets_in, library, broker)


@pytest.mark.parametrize("name", ["spring", "spring-jwt"])
def test_a_spring_application_discovers_the_broker(name: str, broker: ServedBroker) -> None:
    with spring(broker.service(name)) as lets_in:
        assert_it_takes_its_own(lets_in, name, broker)


@pytest.mark.parametrize("name", ["Vault", "OpenBao"])
def test_vault_discovers_the_broker(
    name: str, broker: ServedBroker, vaults: dict[str, Vault]
) -> None:
    assert_it_takes_its_own(discovering(vaults[name], broker), "vault", broker)


def test_the_api_server_takes_what_is_for_its_cluster_alone(tmp_path: Path) -> None:
    with (
        served_broker(tmp_path / "https", https=True) as broker,
        asking("kubernetes", *api_server(broker)) as program,
    ):
        assert_it_takes_its_own(by_program(program), "kubernetes", broker)
        told = program.ask({"token": broker.token("kubernetes", run_id="4711")})

    assert told["username"] == "broker:everywhere"
    assert told["extra"]["broker.example.com/repository"] == ["acme/web"]
    assert told["extra"]["broker.example.com/run"] == ["4711"]
    assert "authentication.kubernetes.io/credential-id" in told["extra"]


def test_a_registry_reads_the_keys_of_the_broker_from_a_file(broker: ServedBroker) -> None:
    answer = httpx.get(f"{broker.url}/.well-known/jwks.json", trust_env=False, timeout=60)

    with registry(broker.service("registry"), answer.text) as url:
        assert let_in(lambda token: _status(f"{url}/v2/", token) == 200, broker) == {"registry"}


@pytest.mark.parametrize("party", ["go-oidc", "cap", "OpenBao", "Kubernetes"])
def test_a_retired_key_counts_until_one_signs_that_the_party_has_not_seen(
    party: str, vaults: dict[str, Vault], tmp_path: Path
) -> None:
    """Hence the advice in docs/guides/keys.md for a key that has leaked."""
    with ExitStack() as stack:
        https = party == "Kubernetes"
        broker = stack.enter_context(served_broker(tmp_path / "broker", https=https))
        name = {"OpenBao": "vault", "Kubernetes": "kubernetes"}.get(party, party)
        if party == "OpenBao":
            lets_in = discovering(vaults[party], broker)
        elif party == "Kubernetes":
            program = stack.enter_context(asking("kubernetes", *api_server(broker)))
            lets_in = by_program(program)
        else:
            lets_in = stack.enter_context(go(party, broker.service(name)))
        old = broker.token(name)
        assert lets_in(old)

        broker.command("keys", "retire", key_id(old))
        wait_until(lambda: key_id(old) not in _published(broker))
        assert lets_in(broker.token(name))
        assert lets_in(old)

        rotate(broker, name)
        assert lets_in(broker.token(name))
        assert not lets_in(old)


def assert_it_takes_its_own(lets_in: LetsIn, name: str, broker: ServedBroker) -> None:
    """Now, and after rotations until a key signs that it cannot have fetched before."""
    assert let_in(lets_in, broker) == {name}
    published = _published(broker)
    while key_id(broker.token(name)) in published:
        rotate(broker, name)
        assert lets_in(broker.token(name))


def let_in(lets_in: LetsIn, broker: ServedBroker) -> set[str]:
    """Present a token for each service."""
    return {name for name in SERVICES if lets_in(broker.token(name))}


def rotate(broker: ServedBroker, name: str) -> None:
    """Let the next keys sign, and wait until they do."""
    before = key_id(broker.token(name))
    broker.command("keys", "rotate", "--now")
    wait_until(lambda: key_id(broker.token(name)) != before)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.2)


def _published(broker: ServedBroker) -> set[str]:
    answer = httpx.get(f"{broker.url}/.well-known/jwks.json", trust_env=False, timeout=60)
    return {key["kid"] for key in answer.json()["keys"]}


def key_id(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def _status(url: str, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    status = httpx.get(url, headers=headers, trust_env=False, timeout=60).status_code
    assert status in {200, 401}
    return status
