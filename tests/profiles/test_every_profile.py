"""Whatever service with a profile loads, each of its tokens is one that the profile takes."""

import json
import re
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import event, given, settings
from hypothesis import strategies as st

from broker.core.access_token import claims_for
from broker.core.decision import Permit
from broker.core.errors import ConfigurationError
from broker.core.platforms import recognise
from broker.core.policy import PolicySet
from broker.core.signing_keys import SigningKey, SigningSchedule
from broker.core.token_profiles import PROFILES
from tests.core.builders import NOW, github_claims, the_decision
from tests.core.tokens import service_token
from tests.policy_files.loading import load_alone
from tests.profiles.validators import AWS_TAGS, faults, parts_of

ALWAYS = SigningSchedule(publish_at=0, sign_from=0)
ISSUER = "https://broker.example.com"
METADATA = {"team": "web", "image": "acme/web", "tier": 7}
ORGANIZATION = "acme"
FILLED_IN = {
    "{metadata.team}": "web",
    "{metadata.image}": "acme/web",
    "{metadata.tier}": "7",
    "{workload.repository_id}": "456789",
    "{workload.repository}": "acme/web",
    "{service_account}": "deploy-web",
    "{organization}": ORGANIZATION,
}
PIECES = st.sampled_from([*FILLED_IN, "ci", "team:", "/", "@", " "])
TEXTS = st.lists(PIECES, min_size=1, max_size=4).map("".join)
OBJECTS = st.dictionaries(
    st.sampled_from(["type", "name", "actions"]),
    TEXTS | st.lists(TEXTS, min_size=1, max_size=2),
    min_size=1,
)
CLAIMS = st.dictionaries(
    st.sampled_from(["groups_of_ci", "roles", "access", "https://app.example.com/team"]),
    TEXTS | st.lists(TEXTS, min_size=1, max_size=4) | st.lists(OBJECTS, min_size=1, max_size=2),
    max_size=3,
)
GROUPS = st.lists(TEXTS, min_size=1, max_size=4)
TAGS = st.dictionaries(st.sampled_from(["team", "cost center", "Project:x"]), TEXTS, min_size=1)


@pytest.fixture(scope="module")
def keys() -> dict[str, SigningKey]:
    of_rsa = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    of_curve = ec.generate_private_key(ec.SECP256R1())
    return {
        "RS256": SigningKey.of(of_rsa, "RS256", ALWAYS),
        "ES256": SigningKey.of(of_curve, "ES256", ALWAYS),
    }


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    """An entry of `services`, most of which load."""
    profile = draw(st.sampled_from([*PROFILES]))
    entra = profile == "entra"
    optional: dict[str, Any] = {
        "claims": draw(CLAIMS),
        "scopes": draw(st.sampled_from([{}, {"x:read": "Read"}])),
        "ttl": draw(st.sampled_from([None, "1s", "10m", "1h"])),
        "max_ttl": draw(st.sampled_from([None, "1m", "1h"])),
        "signing_alg": draw(st.sampled_from([None, "RS256", "RS256" if entra else "ES256"])),
        "token_typ": draw(st.sampled_from([None, "JWT"])),
        "workload": draw(st.sampled_from([None, "full", "ids", "none"])),
        "organizations": draw(st.sampled_from([None, ["acme"]])),
    }
    if profile == "kubernetes" and draw(st.booleans()):
        optional["claims"] = {**optional["claims"], "groups": draw(GROUPS)}
    if profile == "aws" and draw(st.booleans()):
        optional["session_tags"] = draw(TAGS)
        if draw(st.booleans()):
            optional["transitive_tags"] = [*optional["session_tags"]][:1]
    audience = "api://AzureADTokenExchange" if entra else draw(
        st.sampled_from(["sts.amazonaws.com", "https://a.example", "a" * 255])
    )  # fmt: skip
    stated = {name: value for name, value in optional.items() if value}
    return {"audience": audience, "profile": profile, **stated}


@st.composite
def accounts(draw: st.DrawFn) -> dict[str, Any]:
    """An entry of `service_accounts` that fills every template in."""
    optional: dict[str, Any] = {
        "ttl": draw(st.sampled_from([None, "5m", "24h"])),
        "max_ttl": draw(st.sampled_from([None, "1m", "24h"])),
        "instances": draw(st.sampled_from([None, ["repository_id"], ["repository_owner_id"]])),
        "description": draw(st.sampled_from([None, "Deploys"])),
    }
    stated = {name: value for name, value in optional.items() if value}
    return {"metadata": METADATA, "organization": ORGANIZATION, **stated}


def loaded(service: dict[str, Any], account: dict[str, Any]) -> PolicySet | None:
    """Load a service and an account that is granted it, None where they do not."""
    content = {
        "organizations": {"acme": {"description": "The company"}},
        "issuers": {"github": {"preset": "github"}},
        "services": {"target": service},
        "service_accounts": {
            "deploy-web": {**account, "grants": {"target": list(service.get("scopes", {}))}}
        },
        "policies": {
            "web": {
                "issuer": "github",
                "service_account": "deploy-web",
                "match": {"repository": "acme/web"},
            }
        },
    }
    try:
        return load_alone({"test.yaml": json.dumps(content)}).policy_set
    except ConfigurationError as error:
        told = error.problems
    # What templates may say is tested elsewhere; here it is enough that nothing else is refused.
    assert [each for each in told if not re.search("value of a tag|could have", each.message)] == []
    return None


def expected(value: Any, sub: str) -> Any:
    """Fill a template in as a reader of the page would."""
    if isinstance(value, list):
        return [expected(item, sub) for item in value]
    if isinstance(value, dict):
        return {name: expected(item, sub) for name, item in value.items()}
    for placeholder, text in {**FILLED_IN, "{sub}": sub}.items():
        value = value.replace(placeholder, text)
    return value


@settings(max_examples=200, deadline=None)
@given(service=services(), account=accounts(), asked=st.sampled_from([None, 1, 600, 10**6]))
def test_every_token_fits_its_profile_and_carries_what_was_asked_for(
    keys: dict[str, SigningKey],
    service: dict[str, Any],
    account: dict[str, Any],
    asked: int | None,
) -> None:
    policy_set = loaded(service, account)
    if policy_set is None:
        event("does not load")
        return
    claims = github_claims(aud=ISSUER, repository="Acme/Web", sub="repo:acme/web:" + "x" * 2000)
    permit = the_decision(policy_set, claims, targets=("target",), expires_in=asked)
    assert isinstance(permit, Permit), permit
    members = claims_for(
        permit, issuer=ISSUER, now=NOW, token_id="0" * 36, subject=claims,
        workload=recognise(claims, policy_set.issuers["github"].platform),
    )  # fmt: skip

    token = service_token(members, keys[permit.service.signing_alg], permit.service.token_typ)

    event(service["profile"])
    assert faults(service["profile"], token) == []
    _, found = parts_of(token)
    for name, template in service.get("claims", {}).items():
        assert found[name] == expected(template, permit.sub)
    if "session_tags" in service:
        assert found[AWS_TAGS]["principal_tags"] == {
            key: [expected(text, permit.sub)] for key, text in service["session_tags"].items()
        }
        transitive = found[AWS_TAGS].get("transitive_tag_keys")
        assert transitive == service.get("transitive_tags")


# --- the validators themselves --------------------------------------------------------------------


def a_token(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = [urlsafe_b64encode(json.dumps(each).encode()).decode() for each in (header, claims)]
    return ".".join([*(part.rstrip("=") for part in parts), "c2ln"])


HEADER = {"typ": "JWT", "alg": "RS256", "kid": "k"}
GOOD = {
    "iss": ISSUER, "aud": "a", "sub": "s", "iat": NOW, "nbf": NOW, "exp": NOW + 600, "jti": "j",
}  # fmt: skip
ENTRA = {**GOOD, "aud": "api://AzureADTokenExchange"}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_good_token_has_no_fault(profile: str) -> None:
    assert faults(profile, a_token(HEADER, ENTRA if profile == "entra" else GOOD)) == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "at+jwt"}, {}),
        ({"alg": "EdDSA"}, {}),
        ({"kid": ""}, {}),
        ({"jku": "https://x.example"}, {}),
        ({}, {"aud": ["a"]}),
        ({}, {"aud": ISSUER}),
        ({}, {"aud": "a" * 601}),
        ({}, {"sub": "s" * 128}),
        ({}, {"sub": None}),
        ({}, {"exp": NOW + 3601}),
        ({}, {"exp": float(NOW + 600)}),
        ({}, {"iat": True}),
        ({}, {"nbf": NOW + 1}),
        ({}, {"Sub": "x"}),
        ({}, {"iss": "http://broker.example.com"}),
        ({}, {"iss": ISSUER + "?x"}),
        ({}, {AWS_TAGS: {"principal_tags": {}}}),
        ({}, {"x": "y" * 5000}),
    ],
)
def test_a_near_miss_has_one(profile: str, header: dict[str, Any], claims: dict[str, Any]) -> None:
    good = ENTRA if profile == "entra" else GOOD

    assert faults(profile, a_token({**HEADER, **header}, {**good, **claims})) != []


@pytest.mark.parametrize(
    ("profile", "claims"),
    [
        ("aws", {"iss": ISSUER + ":8443"}),
        ("aws", {"https://aws.amazon.com/tags/principal_tags/team": "x"}),
        ("aws", {AWS_TAGS: {"principal_tags": {"aws:x": ["y"]}}}),
        ("aws", {AWS_TAGS: {"principal_tags": {"x": ["a", "b"]}}}),
        ("aws", {AWS_TAGS: {"principal_tags": {"x": ["a*"]}}}),
        ("aws", {AWS_TAGS: {"principal_tags": {"x": ["a"], "X": ["b"]}}}),
        ("aws", {AWS_TAGS: {"principal_tags": {"x": ["a"]}, "transitive_tag_keys": ["y"]}}),
        ("aws", {AWS_TAGS: {"principal_tags": {"x": ["a"]}, "more": 1}}),
        ("entra", {"aud": "api://azureadtokenexchange"}),
        ("kubernetes", {"groups": {"ci": True}}),
        ("kubernetes", {"groups": [1]}),
        ("kubernetes", {"groups": ["system:masters"]}),
    ],
)
def test_so_has_what_one_of_them_alone_refuses(profile: str, claims: dict[str, Any]) -> None:
    good = ENTRA if profile == "entra" else GOOD

    assert faults(profile, a_token(HEADER, {**good, **claims})) != []
