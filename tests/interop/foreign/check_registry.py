"""What distribution's registry lets a token do: what its claim `access` says, and nothing else."""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from tests.interop.foreign.servers import ACCESS, REPOSITORY, begins_upload, lets_pull, registry
from tests.interop.near_misses import ISSUER, at_now
from tests.interop.verifiers import Service
from tests.verify.publishing import AUDIENCE, Publisher, signing_key

KEY: Final = signing_key("ES256")
PUSH: Final[list[dict[str, Any]]] = [{**ACCESS[0], "actions": ["pull", "push"]}]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = Service(ISSUER, AUDIENCE, "ES256")
    with registry(service, Publisher.jwks(KEY).decode()) as running:
        yield running


def test_a_token_that_may_pull_pulls_its_repository_alone(url: str) -> None:
    token = at_now(KEY, access=ACCESS)

    assert lets_pull(url, token)
    assert not lets_pull(url, token, "octo/other")
    assert not lets_pull(url, token, REPOSITORY + "/deeper")
    assert begins_upload(url, token) == 401


def test_a_token_that_may_push_pushes(url: str) -> None:
    assert begins_upload(url, at_now(KEY, access=PUSH)) == 202


@pytest.mark.parametrize(
    "access", [[], [{"type": "registry", "name": REPOSITORY, "actions": ["*"]}]]
)
def test_a_token_without_access_pulls_nothing(url: str, access: list[Any]) -> None:
    assert not lets_pull(url, at_now(KEY, access=access))
    assert not lets_pull(url, at_now(KEY))


def test_who_has_no_token_is_told_where_to_get_one(url: str) -> None:
    answer = httpx.get(f"{url}/v2/{REPOSITORY}/tags/list", trust_env=False, timeout=60)

    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert f'service="{AUDIENCE}"' in challenge
    assert f'scope="repository:{REPOSITORY}:pull"' in challenge
