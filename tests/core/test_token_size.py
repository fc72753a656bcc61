"""No token of a service that loads is too large, whatever fills its templates in."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.access_token import claims_for
from broker.core.decision import Permit
from broker.core.platforms import recognise
from broker.core.policy import Service
from broker.core.signing_keys import SigningKey, SigningSchedule
from broker.core.token_size import largest_token
from tests.core.builders import BROKER, NOW, a_policy, a_policy_set, an_account, github_claims
from tests.core.builders import the_decision as decided
from tests.core.shaped_services import a_shaped_service
from tests.core.tokens import service_token

ALWAYS = SigningSchedule(publish_at=0, sign_from=0)
PATH = "/".join(["r" * 100, "w" * 100])
PIECES = [
    "x", '"', "\\", " ", "literal text", "{service_account}", "{sub}", "{organization}",
    "{metadata.team}", "{metadata.image}", "{workload.repository_id}", "{workload.repository}",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join)
OBJECTS = st.dictionaries(st.sampled_from("abc"), TEXTS | st.lists(TEXTS, min_size=1, max_size=3),
                          min_size=1)  # fmt: skip
CLAIMS = st.dictionaries(
    st.sampled_from(["groups", "roles", "access"]),
    TEXTS | st.lists(TEXTS, min_size=1, max_size=4) | st.lists(OBJECTS, min_size=1, max_size=2),
)
TAGS = st.dictionaries(st.sampled_from(["team", "cost center", "project"]), TEXTS)


@pytest.fixture(scope="module")
def keys(rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey) -> dict[str, SigningKey]:
    return {
        "RS256": SigningKey.of(rsa_key, "RS256", ALWAYS),
        "ES256": SigningKey.of(ec_key, "ES256", ALWAYS),
    }


def issued(service: Service, key: SigningKey, metadata: dict[str, Any], repository_id: str) -> Any:
    """Issue the token of the account with the longest names, None where it is refused."""
    client_id = "a" * 63
    account = an_account(
        client_id,
        {service.name: list(service.scopes)},
        metadata=metadata,
        organization="o" * 100,
        # As long as a `sub` may be.
        instances=("repository_id",) if len(repository_id) <= 49 else (),
    )
    policy = a_policy("p" * 100, {"repository": PATH}, service_account=client_id)
    claims = github_claims(repository=PATH, repository_id=repository_id)
    policy_set = a_policy_set(policy, services=[service], accounts=[account])
    permit = decided(policy_set, claims, targets=(service.name,))
    if not isinstance(permit, Permit):
        return None
    members = claims_for(
        permit, issuer=BROKER, now=NOW, token_id="0" * 36, subject=claims,
        workload=recognise(claims, policy_set.issuers["github"].platform),
    )  # fmt: skip
    return permit, service_token(members, key, service.token_typ)


@settings(max_examples=200, deadline=None)
@given(
    claims=CLAIMS,
    tags=TAGS,
    transitive=st.booleans(),
    algorithm=st.sampled_from(["RS256", "ES256"]),
    team=st.sampled_from(["t", "t" * 100, PATH]),
    image=st.sampled_from(["i", PATH, "/".join("i" * 100)]),
    repository_id=st.sampled_from(["1", "9" * 49, "9" * 100]),
    scopes=st.integers(0, 5),
)
def test_no_token_is_larger_than_the_largest(  # noqa: PLR0917 - as many as a token depends on
    keys: dict[str, SigningKey],
    claims: dict[str, Any],
    tags: dict[str, str],
    transitive: bool,
    algorithm: str,
    team: str,
    image: str,
    repository_id: str,
    scopes: int,
) -> None:
    service = a_shaped_service(
        claims,
        tags,
        transitive_tags=tuple(tags) if transitive else (),
        signing_alg=algorithm,
        scopes={f"deploy:{number}": "x" for number in range(scopes)},
    )
    found = issued(service, keys[algorithm], {"team": team, "image": image}, repository_id)
    if found is None or service.shape is None:
        return
    permit, token = found
    largest = largest_token(service, service.shape, BROKER)
    bare = {"workload", "act", "policy", "metadata"}
    members = claims_for(permit, issuer=BROKER, now=NOW, token_id="0" * 36)
    required = {name: value for name, value in members.items() if name not in bare}

    assert len(service_token(required, keys[algorithm], service.token_typ)) <= largest
    if largest <= 4096:
        assert len(token) <= 4096


def test_the_bound_is_reached_and_not_far_above(keys: dict[str, SigningKey]) -> None:
    service = a_shaped_service({"groups": ["{metadata.team}:{workload.repository_id}"]})
    assert service.shape is not None
    found = issued(service, keys["RS256"], {"team": PATH[:155]}, "9" * 100)

    _, token = found
    assert len(token) > 1000
    largest = largest_token(service, service.shape, BROKER)
    required = claims_for(found[0], issuer=BROKER, now=NOW, token_id="0" * 36)
    required.pop("metadata")
    # The `sub` of this account is its name alone.
    assert 0 <= largest - len(service_token(required, keys["RS256"], "at+jwt")) <= 100


def test_metadata_counts_no_more_than_an_account_may_have() -> None:
    many = a_shaped_service({"groups": [f"{{metadata.m{number}}}" for number in range(50)]})
    few = a_shaped_service({"groups": [f"{{metadata.m{number}}}" for number in range(4)]})
    same = a_shaped_service({"groups": ["{metadata.m}"] * 8})
    assert many.shape
    assert few.shape
    assert same.shape
    issuer = "https://b.example"

    of_few = largest_token(few, few.shape, issuer)
    # What is more are quotes and commas.
    assert largest_token(many, many.shape, issuer) - of_few < 250
    assert largest_token(same, same.shape, issuer) - of_few > 1300
