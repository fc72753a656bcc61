"""The service token: its claims, its size, its signature (standards AT, attacks rows 130-131)."""

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from broker.core.access_token import MAX_TOKEN_BYTES, claims_for
from broker.core.decision import Permit
from broker.core.platforms import GITHUB, Workload, recognise
from broker.core.policy import WorkloadDetail
from broker.core.signing_keys import SigningKey, SigningKeySet, SigningSchedule
from tests.core.builders import BROKER, NOW, a_service, an_account, github_claims
from tests.core.tokens import service_token

ALWAYS = SigningSchedule(publish_at=0, sign_from=0)
TOKEN_ID = "01999d5e-7c1c-7aaa-8b5a-000000000001"


def a_permit(**changes: Any) -> Permit:
    permit = Permit(
        service=a_service(),
        service_account=an_account(),
        sub="deploy-web",
        scopes=("deploy:read", "deploy:write"),
        ttl=600,
        policies=("web-production",),
    )
    return replace(permit, **changes)


def federated(permit: Permit, **claims: Any) -> dict[str, Any]:
    subject = github_claims(**claims)
    return claims_for(
        permit,
        issuer=BROKER,
        now=NOW + 0.9,
        token_id=TOKEN_ID,
        subject=subject,
        workload=recognise(subject, GITHUB),
    )


def plain(permit: Permit) -> dict[str, Any]:
    return claims_for(permit, issuer=BROKER, now=NOW, token_id=TOKEN_ID)


def part(token: str, place: int) -> dict[str, Any]:
    text = token.split(".")[place]
    members: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return members


def test_a_token_for_a_ci_job_says_who_may_do_what_where_and_by_which_policy() -> None:
    assert federated(a_permit()) == {
        "iss": BROKER,
        "sub": "deploy-web",
        "aud": "https://deploy-api.example",
        "exp": NOW + 600,
        "iat": NOW,
        "nbf": NOW,
        "jti": TOKEN_ID,
        "client_id": "deploy-web",
        "scope": "deploy:read deploy:write",
        "token_type": "service",
        "act": {
            "iss": "https://token.actions.githubusercontent.com",
            "sub": "repo:acme/web:ref:refs/heads/main",
        },
        "policy": "web-production",
        "workload": {"platform": "github", **recognise(github_claims(), GITHUB).full},
    }


def test_a_token_for_client_credentials_names_no_actor() -> None:
    claims = plain(a_permit(policies=()))

    assert claims.keys().isdisjoint({"act", "policy", "workload", "org_id", "metadata"})
    assert claims.keys() >= {"iss", "sub", "aud", "exp", "iat", "jti", "client_id"}


def test_organization_and_metadata_come_from_the_account() -> None:
    account = an_account(organization="acme", metadata={"team": "web", "tier": 1, "on": True})

    claims = plain(a_permit(service_account=account))

    assert claims["org_id"] == "acme"
    assert claims["metadata"] == {"team": "web", "tier": 1, "on": True}


def test_a_token_without_scopes_has_no_scope_claim() -> None:
    assert "scope" not in plain(a_permit(scopes=()))


def test_an_instance_is_the_subject_and_its_account_the_client() -> None:
    claims = federated(a_permit(sub="repo-ci:repository_id:456789"))

    assert claims["sub"] == "repo-ci:repository_id:456789"
    assert claims["client_id"] == "deploy-web"


def test_all_policies_that_permitted_are_named() -> None:
    assert federated(a_permit(policies=("a", "b")))["policy"] == "a b"


@pytest.mark.parametrize(
    ("detail", "members"),
    [
        (WorkloadDetail.FULL, recognise(github_claims(), GITHUB).full),
        (WorkloadDetail.IDS, recognise(github_claims(), GITHUB).ids),
        (WorkloadDetail.NONE, None),
    ],
)
def test_a_service_says_how_much_of_the_job_its_tokens_carry(
    detail: WorkloadDetail, members: dict[str, str] | None
) -> None:
    claims = federated(a_permit(service=a_service(workload=detail)))

    assert claims.get("workload") == (members and {"platform": "github", **members})


def test_nothing_is_said_of_a_job_on_an_unknown_platform() -> None:
    claims = claims_for(
        a_permit(),
        issuer=BROKER,
        now=NOW,
        token_id=TOKEN_ID,
        subject=github_claims(),
        workload=Workload("other", {}),
    )

    assert "workload" not in claims
    assert claims["act"]


def test_no_claim_of_the_job_is_smuggled_in() -> None:
    smuggled = {
        "scope": "admin", "admin": True, "groups": ["root"], "client_id": "root",
        "org_id": "evil", "metadata": {"a": 1}, "platform": "x", "token_type": "x",
    }  # fmt: skip
    honest, hostile = federated(a_permit()), federated(a_permit(), **smuggled)

    assert hostile == honest


@pytest.fixture(scope="session")
def signing_keys(
    rsa_key: rsa.RSAPrivateKey,
    ec_key: ec.EllipticCurvePrivateKey,
    ed25519_key: ed25519.Ed25519PrivateKey,
) -> dict[str, SigningKey]:
    return {
        "RS256": SigningKey.of(rsa_key, "RS256", ALWAYS),
        "ES256": SigningKey.of(ec_key, "ES256", ALWAYS),
        "EdDSA": SigningKey.of(ed25519_key, "EdDSA", ALWAYS),
    }


@pytest.mark.parametrize("typ", ["at+jwt", "JWT"])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_pyjwt_verifies_a_token_by_the_published_keys(
    algorithm: str, typ: str, signing_keys: dict[str, SigningKey]
) -> None:
    key = signing_keys[algorithm]
    published: Any = SigningKeySet(tuple(signing_keys.values())).jwks(NOW)
    claims = federated(a_permit())

    token = service_token(claims, key, typ)

    assert part(token, 0) == {"typ": typ, "alg": algorithm, "kid": key.key_id}
    decoded = jwt.decode(
        token,
        {each.key_id: each for each in jwt.PyJWKSet.from_dict(published).keys}[key.key_id],
        algorithms=[algorithm],
        audience="https://deploy-api.example",
        issuer=BROKER,
        options={"strict_aud": True, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert decoded == claims


@pytest.mark.parametrize("typ", ["at+jwt", "JWT"])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_joserfc_verifies_a_token_by_the_published_keys(
    algorithm: str, typ: str, signing_keys: dict[str, SigningKey]
) -> None:
    published: Any = SigningKeySet(tuple(signing_keys.values())).jwks(NOW)
    claims = federated(a_permit())

    token = service_token(claims, signing_keys[algorithm], typ)

    decoded = joserfc_jwt.decode(token, KeySet.import_key_set(published), algorithms=[algorithm])
    assert decoded.claims == claims


def test_whatever_a_token_holds_it_is_ascii_without_padding(
    signing_keys: dict[str, SigningKey],
) -> None:
    token = service_token(
        federated(a_permit(), ref="refs/heads/fête\u202e😀"), signing_keys["ES256"], "JWT"
    )

    assert token.isascii()
    assert "=" not in token
    assert part(token, 1)["workload"]["ref"] == "refs/heads/fête\u202e😀"


def optional_members(token: str) -> list[str]:
    return [name for name in ("workload", "act", "policy", "metadata") if name in part(token, 1)]


@pytest.mark.parametrize(
    ("claims", "policies", "metadata", "kept"),
    [
        pytest.param({}, ["p"], {"a": "b"}, ["workload", "act", "policy", "metadata"], id="small"),
        pytest.param(
            {"ref": "x" * 2500}, ["p"], {"a": "b"}, ["act", "policy", "metadata"], id="a large job"
        ),
        pytest.param(
            {"sub": "é" * 2000}, ["p"], {"a": "b"}, ["policy", "metadata"], id="a large subject"
        ),
        pytest.param({}, ["p" * 3000], {"a": "b"}, ["metadata"], id="many policies"),
        pytest.param({}, ["p"], {"a": "b" * 3000}, [], id="a large account"),
    ],
)
def test_optional_members_are_dropped_whole_and_those_that_a_job_can_inflate_first(
    claims: dict[str, str],
    policies: list[str],
    metadata: dict[str, str],
    kept: list[str],
    signing_keys: dict[str, SigningKey],
) -> None:
    account = an_account(metadata=metadata)
    whole = federated(a_permit(service_account=account, policies=tuple(policies)), **claims)

    token = service_token(whole, signing_keys["RS256"], "at+jwt")

    assert len(token) <= MAX_TOKEN_BYTES
    assert optional_members(token) == kept
    rest = part(token, 1)
    assert rest == {name: whole[name] for name in rest}
    assert whole.keys() - rest.keys() == {"workload", "act", "policy", "metadata"} - set(kept)


@pytest.mark.parametrize("character", ["a", "é", "中", "😀", '"'])
def test_metadata_of_the_greatest_size_stays_in_whatever_script_it_is(
    character: str, signing_keys: dict[str, SigningKey]
) -> None:
    small = len(json.dumps({"note": ""}))
    each = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    account = an_account(metadata={"note": character * ((1024 - small) // each)})

    token = service_token(plain(a_permit(service_account=account)), signing_keys["RS256"], "at+jwt")

    assert optional_members(token) == ["metadata"]


@pytest.mark.parametrize(("algorithm", "from_"), [("RS256", 1800), ("ES256", 2000)])
def test_a_token_of_exactly_the_greatest_size_keeps_everything(
    algorithm: str, from_: int, signing_keys: dict[str, SigningKey]
) -> None:
    tokens = [
        service_token(federated(a_permit(), ref="x" * length), signing_keys[algorithm], typ)
        for length in range(from_, from_ + 300)
        for typ in ("JWT", "at+jwt", "x+jwt")
    ]

    whole = [len(token) for token in tokens if "workload" in part(token, 1)]
    assert max(whole) == MAX_TOKEN_BYTES
    assert len(whole) < len(tokens)
