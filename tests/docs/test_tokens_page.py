"""docs/reference/tokens.md, the tokens that a broker issues and its program say the same."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest

from broker.core import access_token
from broker.core.decision import Permit
from broker.core.platforms import PRESETS
from broker.core.policy import Service, ServiceAccount
from broker.testing import github_claims
from tests.docs.markdown import Page, code, rows
from tests.running_broker import AUDIENCE, OCTO_REPO, RunningBroker

PAGE = Page("docs/reference/tokens.md")
CLAIMS = {code(row[0]): row for row in rows(PAGE.section("Claims")) if len(row) == 4}
JSON_TYPES = {str: "string", int: "integer", dict: "object"}
Verify = Callable[[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def today_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Run a broker at the time that PyJWT's own clock shows."""
    folder = tmp_path_factory.mktemp("broker")
    with RunningBroker(folder, now=time.time()).serving() as broker:
        yield broker


@pytest.fixture(scope="module")
def verify(today_broker: RunningBroker) -> Verify:
    """The function of the page, for the service `artifacts`, which is signed for with RS256."""
    (program,) = PAGE.blocks("python")
    text = program.text.replace("https://broker.example.com", today_broker.url)
    text = text.replace("https://deploy.example.com", "https://artifacts.example.com")
    names: dict[str, Any] = {}
    exec(compile(text, PAGE.path, "exec"), names)  # noqa: S102 - the program of our own page
    found: Verify = names["verify"]
    return found


def issued(broker: RunningBroker, service: str) -> str:
    answer = broker.exchange(broker.github_token(), audience=service)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def test_every_claim_of_a_token_has_a_row(today_broker: RunningBroker) -> None:
    claims = jwt.decode(issued(today_broker, "artifacts"), options={"verify_signature": False})

    assert set(claims) == set(CLAIMS)
    assert {name: JSON_TYPES[type(value)] for name, value in claims.items()} == {
        name: row[1] for name, row in CLAIMS.items()
    }


def test_the_claims_that_are_always_there_are_those_of_a_bare_token() -> None:
    permit = Permit(
        service=Service("x", "https://x.example"),
        service_account=ServiceAccount("x", {}),
        sub="x",
        scopes=(),
        ttl=60,
        policies=(),
    )

    bare = access_token.claims_for(permit, issuer="https://b.example", now=0, token_id="x")

    assert [name for name, row in CLAIMS.items() if row[2] == "always"] == list(bare)


def test_every_member_of_the_header_has_a_row(today_broker: RunningBroker) -> None:
    header = jwt.get_unverified_header(issued(today_broker, "artifacts"))

    assert [code(row[0]) for row in rows(PAGE.section("Header"))] == list(header)


@pytest.mark.parametrize("name", PRESETS)
def test_the_workload_is_that_of_the_platform(name: str) -> None:
    platform = PRESETS[name]
    title = {"github": "GitHub", "gitlab": "GitLab"}[name]
    table = (
        PAGE.section("Workload").partition(f"| {title} | From the claim")[2].partition("\n\n")[0]
    )
    documented = rows(f"| {title} | From the claim{table}")

    assert {code(row[0]): code(row[1]) for row in documented} == dict(platform.workload)
    assert {code(row[0]) for row in documented if row[2] == "yes"} == platform.workload_ids


def test_what_is_left_out_first_is_named_first() -> None:
    section = PAGE.section("Size")
    (order,) = re.findall(r"until it fits: (.+?)\.", section)

    assert tuple(re.findall(r"`(\w+)`", order)) == access_token._OPTIONAL
    assert f"at most {access_token.MAX_TOKEN_BYTES:,} bytes" in section


def test_the_program_accepts_a_token(today_broker: RunningBroker, verify: Verify) -> None:
    claims = verify(issued(today_broker, "artifacts"), "artifacts:read")

    assert claims["client_id"] == "deploy-web"


def test_the_program_wants_the_scope(today_broker: RunningBroker, verify: Verify) -> None:
    with pytest.raises(jwt.InvalidTokenError, match="artifacts:write is missing"):
        verify(issued(today_broker, "artifacts"), "artifacts:write")


def test_the_program_refuses_a_token_for_another_service(
    today_broker: RunningBroker, verify: Verify
) -> None:
    with pytest.raises(jwt.PyJWTError):
        verify(issued(today_broker, "deploy-api"), "deploy:read")


def test_the_program_refuses_a_token_that_the_broker_did_not_sign(
    today_broker: RunningBroker, verify: Verify
) -> None:
    head, claims, signature = issued(today_broker, "artifacts").split(".")
    forged = f"{head}.{claims}.{signature[:-8]}{'A' * 8}"

    with pytest.raises(jwt.PyJWTError):
        verify(forged, "artifacts:read")


def test_the_program_refuses_a_ci_token(today_broker: RunningBroker, verify: Verify) -> None:
    facts: dict[str, Any] = {**OCTO_REPO}
    token = today_broker.github.token(github_claims(**facts), audience=AUDIENCE)

    with pytest.raises(jwt.InvalidTokenError, match="not an access token"):
        verify(token, "artifacts:read")
