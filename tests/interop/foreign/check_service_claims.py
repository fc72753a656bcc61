"""Claims of a service's own, from policy files by a real exchange to what a party makes of them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.interop.foreign.parties import authentication_configuration
from tests.interop.foreign.programs import Asking, asking
from tests.interop.foreign.served_broker import ServedBroker, served_broker
from tests.interop.foreign.servers import REPOSITORY, begins_upload, lets_pull, registry
from tests.interop.foreign.shaped_services import AUDIENCES, of_every_shape
from tests.interop.verifiers import Service


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBroker]:
    folder = tmp_path_factory.mktemp("broker") / "https"
    with served_broker(folder, https=True, policies=of_every_shape()) as served:
        yield served


@pytest.fixture(scope="module")
def api_server(broker: ServedBroker) -> Iterator[Asking]:
    """An API server that trusts the broker for the service `cluster`."""
    file = broker.folder / "authentication-config.yaml"
    certificates = (broker.folder / "authority/ca.pem").read_text()
    service = Service(broker.issuer, AUDIENCES["cluster"], "RS256", "JWT")
    file.write_text(authentication_configuration(service, certificates))
    with asking("kubernetes", str(file)) as program:
        yield program


@pytest.fixture(scope="module")
def images(broker: ServedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry for the service `images`, with the key set that `keys publish` writes."""
    public = tmp_path_factory.mktemp("public")
    broker.command("keys", "publish", str(public))
    jwks = Path(public, ".well-known/jwks.json").read_text()
    service = Service(broker.issuer, AUDIENCES["images"], "RS256", "JWT")
    with registry(service, jwks) as url:
        yield url


def test_a_job_is_in_the_groups_that_the_service_says(
    api_server: Asking, broker: ServedBroker
) -> None:
    told = api_server.ask({"token": broker.token("cluster", run_id="4711")})

    assert told["username"] == "broker:deploy-web"
    assert told["groups"] == ["broker:ci", "broker:team:web"]
    assert told["extra"]["broker.example.com/run"] == ["4711"]


@pytest.mark.parametrize("name", sorted(AUDIENCES.keys() - {"cluster"}))
def test_a_token_for_another_cluster_or_system_is_no_user(
    name: str, api_server: Asking, broker: ServedBroker
) -> None:
    told = api_server.ask({"token": broker.token(name)})

    assert not told["accepted"]
    assert ("unsupported algorithm" if name == "deploy-ed" else "expected audience") in told["why"]


def test_a_job_pulls_the_image_of_its_account_alone(images: str, broker: ServedBroker) -> None:
    token = broker.token("images")

    assert lets_pull(images, token)
    assert begins_upload(images, token) == 401
    assert not lets_pull(images, token, "octo/other")
    assert not lets_pull(images, token, REPOSITORY + "/deeper")
    catalogue = httpx.get(
        f"{images}/v2/_catalog",
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=60,
    )
    assert catalogue.status_code == 401


@pytest.mark.parametrize("name", sorted(AUDIENCES.keys() - {"images"}))
def test_a_token_for_another_registry_or_system_pulls_nothing(
    name: str, images: str, broker: ServedBroker
) -> None:
    assert not lets_pull(images, broker.token(name))
