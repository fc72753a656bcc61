"""The broker's own tokens at its own API (contract §5, attacks rows 113, 152, 153)."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from broker.core.access_token import claims_for
from broker.core.broker_service import BROKER_SCOPES, BROKER_SERVICE, broker_service
from broker.core.decision import Permit
from broker.core.own_token import OwnToken, OwnTokenRefused, read, read_for_any
from broker.core.policy import WorkloadDetail
from broker.core.signing_keys import SigningKey, SigningKeySet, SigningSchedule
from tests.core.builders import BROKER, NOW, an_account
from tests.core.tokens import TokenMaker, service_token

ALWAYS = SigningSchedule(publish_at=0, sign_from=0)
SERVICE = broker_service(BROKER, ttl=600, max_ttl=3600, signing_alg="ES256")


@pytest.fixture(scope="session")
def own_key(ec_key: ec.EllipticCurvePrivateKey) -> SigningKey:
    return SigningKey.of(ec_key, "ES256", ALWAYS)


def claims(**changes: Any) -> dict[str, Any]:
    permit = Permit(
        service=SERVICE,
        service_account=an_account("admin", {BROKER_SERVICE: ["broker:audit:read"]}),
        sub="admin",
        scopes=("broker:accounts:read", "broker:audit:read"),
        ttl=600,
        policies=(),
    )
    whole = claims_for(permit, issuer=BROKER, now=NOW, token_id="t-1") | changes
    return {name: value for name, value in whole.items() if value is not ...}


def refused(token: str, *keys: SigningKey, now: float = NOW) -> str:
    with pytest.raises(OwnTokenRefused) as refusal:
        read(token, SigningKeySet(keys), BROKER, now)
    return str(refusal.value)


def test_a_token_for_the_broker_s_api_says_who_may_do_what(own_key: SigningKey) -> None:
    said = claims(org_id="acme")
    token = service_token(said, own_key, "at+jwt")

    assert read(token, SigningKeySet((own_key,)), BROKER, NOW) == OwnToken(
        token_id="t-1",
        client_id="admin",
        audience=BROKER,
        sub="admin",
        issued_at=int(NOW),
        expires_at=int(NOW) + 600,
        scopes=frozenset({"broker:accounts:read", "broker:audit:read"}),
        organization="acme",
        typ="at+jwt",
        claims=said,
    )


def test_a_token_for_another_service_is_the_broker_s_own_too(own_key: SigningKey) -> None:
    token = service_token(claims(aud="https://deploy.example", org_id=...), own_key, "JWT")

    own = read_for_any(token, SigningKeySet((own_key,)), BROKER, NOW)

    assert (own.audience, own.typ, own.token_id) == ("https://deploy.example", "JWT", "t-1")


def test_scope_and_organization_may_be_absent(own_key: SigningKey) -> None:
    own = read(
        service_token(claims(scope=...), own_key, "at+jwt"), SigningKeySet((own_key,)), BROKER, NOW
    )

    assert (own.scopes, own.organization) == (frozenset(), None)


@pytest.mark.parametrize(
    ("changes", "typ", "why"),
    [
        pytest.param({}, "JWT", "another type", id="typ JWT"),
        pytest.param({"token_type": ...}, "at+jwt", "another type", id="no token_type"),
        pytest.param({"token_type": "user"}, "at+jwt", "another type", id="another token_type"),
        pytest.param({"aud": "https://x.example"}, "at+jwt", "not for", id="another service's"),
        pytest.param({"aud": [BROKER]}, "at+jwt", "not for", id="a list as audience"),
        pytest.param({"aud": f"{BROKER}/"}, "at+jwt", "not for", id="a slash"),
        pytest.param({"iss": "https://x.example"}, "at+jwt", "not for", id="another issuer's"),
        pytest.param({"exp": NOW}, "at+jwt", "not valid now", id="over at this instant"),
        pytest.param({"iat": NOW + 1}, "at+jwt", "not valid now", id="not yet issued"),
    ],
)
def test_any_other_token_of_the_broker_is_refused(
    changes: dict[str, Any], typ: str, why: str, own_key: SigningKey
) -> None:
    assert why in refused(service_token(claims(**changes), own_key, typ), own_key)


def test_a_key_counts_while_it_is_published(own_key: SigningKey) -> None:
    token = service_token(claims(), own_key, "at+jwt")
    removed = replace(own_key, schedule=SigningSchedule(0, 0, NOW - 1, NOW))
    retired = replace(own_key, schedule=SigningSchedule(0, 0, NOW - 1, NOW + 600))

    assert "none of the broker's keys" in refused(token, removed)
    assert "none of the broker's keys" in refused(token)
    assert read(token, SigningKeySet((removed, retired)), BROKER, NOW).client_id == "admin"


def test_a_key_serves_its_own_algorithm_alone(
    own_key: SigningKey, rsa_key: rsa.RSAPrivateKey
) -> None:
    forged = TokenMaker(rsa_key).of(claims(), {"kid": own_key.key_id, "typ": "at+jwt"})

    assert "none of the broker's keys" in refused(forged, own_key)


def test_a_forged_or_edited_token_is_refused(own_key: SigningKey) -> None:
    stranger = TokenMaker(ec.generate_private_key(ec.SECP256R1()), "ES256")
    forged = stranger.of(claims(), {"kid": own_key.key_id, "typ": "at+jwt"})

    assert "signature" in refused(forged, own_key)
    assert "malformed" in refused(service_token(claims(), own_key, "at+jwt") + "==", own_key)
    assert "asymmetric" in refused(
        stranger.of(claims(), {"alg": "none", "kid": own_key.key_id}), own_key
    )


def test_the_broker_is_a_service_whose_audience_is_its_issuer() -> None:
    assert (SERVICE.name, SERVICE.audience) == ("broker", BROKER)
    assert (SERVICE.ttl, SERVICE.max_ttl, SERVICE.signing_alg) == (600, 3600, "ES256")
    assert SERVICE.token_typ == "at+jwt"
    assert SERVICE.workload is WorkloadDetail.IDS


def test_every_scope_of_the_broker_is_its_own_and_no_wildcard() -> None:
    assert all(scope.startswith("broker:") and "*" not in scope for scope in BROKER_SCOPES)
