"""Servers that take the broker's tokens, each configured as its documentation says."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import yaml

from broker.testing.loopback import free_port
from tests.interop.foreign.programs import built, serving
from tests.interop.verifiers import Service

REPOSITORY: Final = "octo/app"
ACCESS: Final = [{"type": "repository", "name": REPOSITORY, "actions": ["pull"]}]


@contextmanager
def resource_server(service: Service, jwks_url: str = "") -> Iterator[str]:
    """Run the Spring Boot application for a service; gives its URL.

    Without a JWKS URL it discovers the keys at the issuer. Services of `at+jwt` need the profile
    that has a decoder of its own, those of `JWT` nothing but properties.
    """
    url = f"http://127.0.0.1:{free_port()}"
    jwt = {
        "issuer-uri": service.issuer,
        "audiences": service.audience,
        "jws-algorithms": service.algorithm,
        **({"jwk-set-uri": jwks_url} if jwks_url else {}),
    }
    properties = {
        "server.address": "127.0.0.1",
        "server.port": url.rpartition(":")[2],
        "spring.profiles.active": "at-jwt" if service.token_type == "at+jwt" else "default",
        **{f"spring.security.oauth2.resourceserver.jwt.{name}": jwt[name] for name in jwt},
    }
    with tempfile.TemporaryDirectory() as folder:
        command = ["java", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-jar"]
        command.append(built("spring/resource-server.jar"))
        command += [f"--{name}={value}" for name, value in properties.items()]
        with serving(command, Path(folder, "log"), url):
            yield url


@contextmanager
def registry(service: Service, jwks: str) -> Iterator[str]:
    """Run distribution's registry for a service with a file of keys; gives its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "jwks.json")
        keys.write_text(jwks)
        token = {
            "realm": f"{service.issuer}/oauth/token",
            "service": service.audience,
            "issuer": service.issuer,
            "jwks": str(keys),
            "signingalgorithms": [service.algorithm],
        }
        configuration = Path(folder, "config.yaml")
        configuration.write_text(
            yaml.safe_dump(
                {
                    "version": 0.1,
                    "storage": {"inmemory": {}},
                    "http": {"addr": url.removeprefix("http://")},
                    "auth": {"token": token},
                }
            )
        )
        command = [built("registry"), "serve", str(configuration)]
        with serving(command, Path(folder, "log"), url):
            yield url


def lets_pull(url: str, token: str, repository: str = REPOSITORY) -> bool:
    """Tell whether a registry lets a token list a repository; none is there, which is a 404."""
    answer = httpx.get(
        f"{url}/v2/{repository}/tags/list",
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code in {401, 404}, answer.text
    return answer.status_code == 404


def begins_upload(url: str, token: str, repository: str = REPOSITORY) -> int:
    """Ask a registry to take a layer; gives the status of its answer."""
    return httpx.post(
        f"{url}/v2/{repository}/blobs/uploads/",
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=60,
    ).status_code


def lets_call(url: str, token: str) -> bool:
    """Tell whether the Spring application answers a token."""
    answer = httpx.get(
        f"{url}/whoami", headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=60
    )
    assert answer.status_code in {200, 401}, answer.text
    return answer.status_code == 200
