"""What the API server makes of a token: names, groups, and the rules that refuse."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.interop.foreign.parties import authentication_configuration, published
from tests.interop.foreign.programs import asking
from tests.interop.near_misses import ISSUER, at_now
from tests.interop.verifiers import Service
from tests.verify.publishing import AUDIENCE, Publisher, signing_key

KEY: Final = signing_key("ES256")
PREFIX: Final = 'prefix: "broker:"'


@pytest.fixture
def jwks_url() -> Iterator[str]:
    with published(json.loads(Publisher.jwks(KEY))) as url:
        yield url


def authenticate(folder: Path, jwks_url: str, configuration: str, token: str) -> dict[str, Any]:
    file = folder / "authentication-config.yaml"
    file.write_text(configuration)
    with asking("kubernetes", str(file), jwks_url) as program:
        return program.ask({"token": token})


def example() -> str:
    return authentication_configuration(Service(ISSUER, AUDIENCE, "ES256"))


def test_names_and_groups_are_told_from_those_of_others(tmp_path: Path, jwks_url: str) -> None:
    token = at_now(KEY, groups=["ci", "team:web", "system:masters"])

    told = authenticate(tmp_path, jwks_url, example(), token)

    assert told["username"] == "broker:deploy-web"
    assert told["groups"] == ["broker:ci", "broker:team:web", "broker:system:masters"]


def test_a_token_without_groups_is_in_none(tmp_path: Path, jwks_url: str) -> None:
    told = authenticate(tmp_path, jwks_url, example(), at_now(KEY))

    assert told["accepted"]
    assert "groups" not in told


@pytest.mark.parametrize(
    "claims", [{"groups": ["system:masters"]}, {"sub": "system:admin", "client_id": "x"}]
)
def test_without_the_prefixes_nobody_is_of_the_system(
    claims: dict[str, Any], tmp_path: Path, jwks_url: str
) -> None:
    configuration = example().replace(PREFIX, 'prefix: ""')

    told = authenticate(tmp_path, jwks_url, configuration, at_now(KEY, **claims))

    assert not told["accepted"]
    assert "of the system" in told["why"]


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"aud": [AUDIENCE, "https://other.example.com"]}, "for this cluster alone"),
        ({"without": "client_id"}, "not a service token"),
        ({"token_type": "other"}, "not a service token"),
    ],
)
def test_a_rule_says_why_it_refuses(
    claims: dict[str, Any], message: str, tmp_path: Path, jwks_url: str
) -> None:
    told = authenticate(tmp_path, jwks_url, example(), at_now(KEY, **claims))

    assert not told["accepted"]
    assert message in told["why"]


def test_without_the_rules_a_list_of_audiences_is_let_in(tmp_path: Path, jwks_url: str) -> None:
    before, _, rest = example().partition("    claimValidationRules:")
    configuration = before + "    claimMappings:" + rest.partition("    claimMappings:")[2]
    token = at_now(KEY, aud=[AUDIENCE, "https://other.example.com"])

    assert authenticate(tmp_path, jwks_url, configuration, token)["accepted"]
