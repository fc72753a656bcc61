"""`services` and `organizations`: the catalogue, its defaults, and what it refuses."""

import pytest

from broker.core.conditions import Condition, Equals
from broker.core.policy import Service, WorkloadDetail
from tests.policy_files.loading import BROKER, assert_refused, load_beside_base


def service(fields: str, **settings: object) -> Service:
    return load_beside_base(f"services: {{s: {{{fields}}}}}", **settings).policy_set.services["s"]


def test_a_service_that_sets_nothing_has_the_defaults() -> None:
    assert service("audience: a", token_defaults=(300, 900)) == Service(
        name="s",
        audience="a",
        scopes={},
        ttl=300,
        max_ttl=900,
        signing_alg="RS256",
        token_typ="at+jwt",
        workload=WorkloadDetail.FULL,
    )


def test_every_field_of_a_service_is_read() -> None:
    found = service(
        "audience: a, scopes: {x:read: Read}, ttl: 2m, max_ttl: 1h, signing_alg: ES256,"
        " token_typ: JWT, workload: ids, require: {runner_environment: github-hosted},"
        " introspection: [deploy-web, m-generated], organizations: [acme]"
    )

    assert found == Service(
        name="s",
        audience="a",
        scopes={"x:read": "Read"},
        ttl=120,
        max_ttl=3600,
        signing_alg="ES256",
        token_typ="JWT",
        workload=WorkloadDetail.IDS,
        require=(Condition("runner_environment", Equals("github-hosted")),),
        introspection=("deploy-web", "m-generated"),
        organizations=("acme",),
    )


def test_a_service_signs_with_what_the_broker_has_where_that_is_not_rs256() -> None:
    assert service("audience: a", signing_algorithms=["EdDSA", "ES256"]).signing_alg == "EdDSA"


def test_organizations_are_read_with_their_description() -> None:
    assert load_beside_base("").policy_set.organizations == {"acme": "The company"}


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("{audience: ►'https://deploy.example.com'}", "already that of `deploy-api` in base.yaml"),
        (f"{{audience: ►'{BROKER}'}}", "the broker's own audience"),
        ("{audience: ►broker}", "the broker itself"),
        ("{audience: ►plain}", "the name of another service"),
        ("{audience: ►'a b'}", "without spaces"),
        ("{audience: ►'ä'}", "printable ASCII"),
        (f"{{audience: ►{'a' * 256}}}", "255"),
        ("{audience: a, scopes: {►'x y': X}}", "a scope is"),
        ("{audience: a, scopes: {►'deploy:*': X}}", "`*`"),
        ("{audience: a, scopes: {►'': X}}", "empty key"),
        ("{audience: a, scopes: {►'a\"b': X}}", "a scope is"),
        ("{audience: a, scopes: {►'a\\b': X}}", "a scope is"),
        ("{audience: a, scopes: {►ä: X}}", "a scope is"),
        ("{audience: a, scopes: ►[x]}", "must be a mapping"),
        ("{audience: a, signing_alg: ►EdDSA}", "the broker has no key for EdDSA"),
        ("{audience: a, signing_alg: ►HS256}", "RS256, ES256 or EdDSA"),
        ("{audience: a, token_typ: ►jwt}", "at+jwt or JWT"),
        ("{audience: a, workload: ►all}", "full, ids or none"),
        ("{audience: a, organizations: [►acmee]}", "did you mean `acme`?"),
        ("{audience: a, max_ttl: ►2d}", "from 1s to 1d"),
        ("{audience: a, introspection: ►deploy-web}", "must be a list"),
    ],
)
def test_a_service_that_cannot_be_meant_is_refused(marked: str, word: str) -> None:
    assert_refused(f"services: {{s: {marked}}}", word)


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ("{deploy-api: [deploy:read]}", {"deploy-api": {"deploy:read"}}),
        ('{deploy-api: ["deploy:*"]}', {"deploy-api": {"deploy:read", "deploy:write"}}),
        (
            '{deploy-api: ["deploy:*", admin]}',
            {"deploy-api": {"deploy:read", "deploy:write", "admin"}},
        ),
        ("{deploy-api: [admin], plain: []}", {"deploy-api": {"admin"}, "plain": set()}),
        ("{deploy-api: []}", {"deploy-api": set()}),
    ],
)
def test_grants_are_read_against_the_catalogue(grants: str, expected: dict[str, set[str]]) -> None:
    accounts = load_beside_base(
        f"service_accounts: {{web: {{grants: {grants}}}}}"
    ).policy_set.service_accounts

    assert accounts["web"].grants == expected


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("{►deploy-apy: [x]}", "did you mean `deploy-api`?"),
        ("{►nothing: []}", "known: deploy-api, plain"),
        ("{broker: [►broker:everything]}", "no scope `broker:everything`"),
        ("{deploy-api: [►deploy:reed]}", "did you mean `deploy:read`?"),
        ("{deploy-api: [admin, ►sudo]}", "known: admin, deploy:read, deploy:write"),
        ("{deploy-api: [►DEPLOY:READ]}", "has no scope"),
        ("{plain: [►x]}", "has no scopes; write `[]`"),
        ('{deploy-api: [►"*"]}', "only at the end, after a colon"),
        ('{deploy-api: [►"deploy*"]}', "after a colon"),
        ('{deploy-api: [►"deploy:*:x"]}', "after a colon"),
        ('{deploy-api: [►"*:*"]}', "after a colon"),
        ('{deploy-api: [►"audit:*"]}', "no scope that begins with `audit:`"),
        ('{deploy-api: [►"dep:*"]}', "no scope that begins with `dep:`"),
    ],
)
def test_a_grant_outside_the_catalogue_is_refused(marked: str, word: str) -> None:
    assert_refused(f"service_accounts: {{web: {{grants: {marked}}}}}", word)
    assert_refused(
        "policies:\n  p: {issuer: github, service_account: deploy-web,"
        f" match: {{repository: acme/web}}, grants: {marked}}}\n",
        word,
    )


def test_the_broker_is_a_service_of_its_own_catalogue() -> None:
    loaded = load_beside_base(
        'service_accounts: {admin: {grants: {broker: ["broker:policies:*"]}}}'
    ).policy_set

    assert loaded.services["broker"].audience == BROKER
    assert loaded.service_accounts["admin"].grants == {
        "broker": frozenset({"broker:policies:read", "broker:policies:write"})
    }
