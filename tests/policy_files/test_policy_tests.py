"""`tests`: shape and values; running them is not the loader's work."""

import pytest

from broker.core.decision import DecisionRequest
from broker.core.errors import Reason
from broker.policy_files import Expectation, PolicyTest
from tests.policy_files.loading import assert_refused, load_alone, load_beside_base


def expectation(text: str) -> Expectation:
    loaded = load_beside_base(f"tests: [{{name: t, issuer: github, expect: {text}}}]")
    return loaded.tests[0].expect


def test_every_field_of_a_test_is_read() -> None:
    loaded = load_beside_base(
        "tests:\n"
        "- name: main deploys\n"
        "  issuer: github\n"
        "  base: push\n"
        "  claims: {repository: acme/web, run_number: 7, groups: [], a: null, b: {c: ''}}\n"
        "  request: {audience: deploy-api, scope: deploy:read admin, client_id: web,"
        " expires_in: 999999}\n"
        "  expect: permit\n"
    )

    assert loaded.tests == (
        PolicyTest(
            name="main deploys",
            issuer="github",
            base="push",
            claims={
                "repository": "acme/web",
                "run_number": 7,
                "groups": [],
                "a": None,
                "b": {"c": ""},
            },
            request=DecisionRequest(
                targets=("deploy-api",),
                scopes=("deploy:read", "admin"),
                client_id="web",
                expires_in=999_999,
            ),
            expect=Expectation("permit"),
            file="test.yaml",
            line=2,
            column=3,
        ),
    )


def test_a_test_that_asks_for_nothing_has_an_empty_request() -> None:
    loaded = load_beside_base("tests: [{name: t, issuer: github, expect: deny, claims: {}}]")

    assert loaded.tests[0].request == DecisionRequest()
    assert loaded.tests[0].claims == {}


def test_a_requested_lifetime_may_be_a_duration() -> None:
    loaded = load_beside_base(
        "tests: [{name: t, issuer: github, expect: deny, request: {expires_in: 2h}}]"
    )

    assert loaded.tests[0].request.expires_in == 7200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("permit", Expectation("permit")),
        ("deny", Expectation("deny")),
        (
            "{permit: {service_account: web, scopes: [a, b], ttl: 5m}}",
            Expectation("permit", None, "web", frozenset({"a", "b"}), 300),
        ),
        ("{permit: {scopes: []}}", Expectation("permit", scopes=frozenset())),
        ("{deny: denied_by_policy}", Expectation("deny", Reason.DENIED_BY_POLICY)),
    ],
)
def test_each_spelling_of_an_expectation_is_read(text: str, expected: Expectation) -> None:
    assert expectation(text) == expected


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("expect: ►allow", "`expect` is `permit`, `deny`"),
        ("expect: ►true", "`expect` is `permit`"),
        ("expect: ►[permit]", "`expect` is `permit`"),
        ("expect: ►{permit: {ttl: 5m}, deny: blocked}", "`expect` is `permit`"),
        ("expect: {deny: ►no_policy_match}", "did you mean `no_policy_matched`?"),
        ("expect: {deny: ►[blocked]}", "there is no reason"),
        ("expect: {permit: ►web}", "mapping of fields"),
        ("expect: {permit: {ttl: ►5}}", "as in `10m`"),
        ("expect: deny, request: ►deploy-api", "mapping of fields"),
        ("expect: deny, claims: ►[a]", "must be a mapping"),
        ("expect: deny, request: {expires_in: ►0}", "as in `10m`"),
        ("expect: deny, request: {expires_in: ►true}", "as in `10m`"),
        ("expect: deny, request: {audience: ►[a]}", "must be text"),
    ],
)
def test_a_test_of_the_wrong_shape_is_refused(marked: str, word: str) -> None:
    assert_refused(f"tests: [{{name: t, issuer: github, {marked}}}]", word)


def test_a_test_of_an_unknown_issuer_is_refused() -> None:
    assert_refused("tests: [{name: t, issuer: ►githup, expect: deny}]", "did you mean `github`?")


@pytest.mark.parametrize(
    ("issuer", "marked", "word"),
    [
        ("github", "base: ►pull_requests", "github has no event `pull_requests`; did you mean"),
        ("gitlab", "base: ►merge_request", "did you mean `merge_request_event`?"),
        ("gitlab", "base: ►release", "gitlab has no event `release`; known: api, chat, "),
        ("buildkite", "►base: push", "needs an issuer with a preset"),
    ],
)
def test_a_base_that_is_no_event_of_the_platform_is_refused(
    issuer: str, marked: str, word: str
) -> None:
    assert_refused(f"tests: [{{name: t, issuer: {issuer}, expect: deny, {marked}}}]", word)


def test_a_base_of_an_issuer_that_does_not_load_is_not_reported_again() -> None:
    assert_refused(
        "issuers: {broken: {preset: ►jenkins}}\n"
        "tests: [{name: t, issuer: broken, base: push, expect: deny}]",
        "must be",
    )


def test_tests_come_in_the_order_of_files_and_lines() -> None:
    one = "tests: [{name: a, issuer: i, expect: deny}, {name: b, issuer: i, expect: deny}]"
    issuer = "issuers: {i: {issuer: 'https://ci.example', single_tenant: true}}"

    loaded = load_alone({"z.yaml": one, "a.yaml": one, "i.yaml": issuer})

    assert [test.place for test in loaded.tests] == ["a.yaml:1", "a.yaml:1", "z.yaml:1", "z.yaml:1"]
    assert [test.name for test in loaded.tests] == ["a", "b", "a", "b"]
