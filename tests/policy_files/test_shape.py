"""The shape of the files: maps, names, fields, types. Each refusal has its place and mending."""

import pytest

from broker.core.errors import ConfigurationError
from tests.policy_files.loading import assert_refused, load_alone, load_beside_base, policy

SOUND = "{repository: acme/web}"


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        pytest.param("►polices: {a: b}", "did you mean `policies`", id="an unknown map"),
        pytest.param("►folders: {a: b}", "known: issuers, organizations", id="a map of the config"),
        pytest.param("policies: ►[a]", "must be a mapping from names", id="a list of policies"),
        pytest.param("policies: ►web", "must be a mapping from names", id="a text as policies"),
        pytest.param("tests: ►{a: b}", "must be a list", id="a mapping of tests"),
        pytest.param("policies:►", "`policies` is empty", id="nothing as policies"),
        pytest.param("policies: ►{}", "`policies` is empty", id="an empty map"),
        pytest.param("tests: ►[]", "`tests` is empty", id="an empty list of tests"),
        pytest.param("policies: {web: ►}", "`web` is empty", id="a policy without content"),
        pytest.param("policies: {web: ►text}", "mapping of fields", id="a text as policy"),
        pytest.param("tests: [►text]", "mapping of fields", id="a text as test"),
        pytest.param("services: {s: ►[a]}", "mapping of fields", id="a list as service"),
    ],
)
def test_a_map_of_the_wrong_shape_is_refused(marked: str, word: str) -> None:
    assert_refused(marked, word)


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        pytest.param("service_accounts: {►Web: {grants: {plain: []}}}", "`a-z`", id="upper case"),
        pytest.param("service_accounts: {►w: {grants: {plain: []}}}", "2 to 63", id="one letter"),
        pytest.param(
            f"service_accounts: {{►{'w' * 64}: {{grants: {{plain: []}}}}}}", "63", id="64 letters"
        ),
        pytest.param(
            "service_accounts: {►-web: {grants: {plain: []}}}", "`-`", id="a hyphen first"
        ),
        pytest.param("service_accounts: {►w_b: {grants: {plain: []}}}", "`a-z`", id="underscore"),
        pytest.param("service_accounts: {►wéb: {grants: {plain: []}}}", "`a-z`", id="an accent"),
        pytest.param("service_accounts: {►m-web: {grants: {plain: []}}}", "generated", id="m-…"),
        pytest.param("services: {►broker: {audience: a}}", "the broker itself", id="broker"),
        pytest.param("services: {►a b: {audience: a}}", "letters, digits", id="a space"),
        pytest.param("issuers: {►a/b: {preset: github}}", "letters, digits", id="a slash"),
    ],
)
def test_a_name_outside_its_grammar_is_refused(marked: str, word: str) -> None:
    if "preset: github" in marked:
        marked = marked.replace(
            "preset: github", "preset: github, issuer: https://g.example/_services/token"
        )
    assert_refused(marked, word)


@pytest.mark.parametrize("section", ["organizations", "issuers", "services", "service_accounts"])
def test_a_name_stands_once_over_all_files(section: str) -> None:
    entries = {
        "organizations": "acme: {description: Again}",
        "issuers": "github: {preset: github, issuer: 'https://g.example/_services/token'}",
        "services": "plain: {audience: https://other.example}",
        "service_accounts": "deploy-web: {grants: {plain: []}}",
    }
    assert_refused(f"{section}:\n  ►{entries[section]}", "is already defined in base.yaml:")


def test_a_policy_name_stands_once_over_all_files() -> None:
    texts = {"a.yaml": policy(SOUND), "b.yaml": policy(SOUND)}

    with pytest.raises(Exception, match=r"b\.yaml:2:3: `p` is already defined in a\.yaml:2"):
        load_alone(texts)


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        pytest.param(
            policy(SOUND) + "    ►enviroment: prod\n", "there is no field `enviroment`", id="typo"
        ),
        pytest.param(
            policy(SOUND) + "    ►max_tll: 5m\n", "did you mean `max_ttl`?", id="close to a field"
        ),
        pytest.param(
            "service_accounts:\n  web:\n    grants: {plain: []}\n    ►secret: x\n",
            "did you mean `secrets`?",
            id="an account's",
        ),
        pytest.param(
            "tests:\n- name: t\n  issuer: github\n  expect: deny\n  request: {►audiance: a}\n",
            "did you mean `audience`?",
            id="a test request's",
        ),
        pytest.param(
            "tests:\n- name: t\n  issuer: github\n  expect: {permit: {►scope: a}}\n",
            "did you mean `scopes`?",
            id="an expectation's",
        ),
    ],
)
def test_an_unknown_field_is_refused_with_the_one_that_was_meant(marked: str, word: str) -> None:
    assert_refused(marked, word)


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        pytest.param(
            "policies: {►p: {issuer: github, service_account: deploy-web}}", "`match`", id="match"
        ),
        pytest.param(
            "policies: {►p: {service_account: deploy-web, match: {repository: acme/web}}}",
            "`issuer` is missing",
            id="issuer",
        ),
        pytest.param(
            "policies: {►p: {issuer: github, match: {repository: acme/web}}}",
            "`service_account` is missing",
            id="service_account",
        ),
        pytest.param("services: {►s: {ttl: 5m}}", "`audience` is missing", id="audience"),
        pytest.param("service_accounts: {►web: {ttl: 5m}}", "`grants` is missing", id="grants"),
        pytest.param("tests: [►{issuer: github, expect: deny}]", "`name` is missing", id="name"),
    ],
)
def test_a_missing_field_is_named_at_its_entry(marked: str, word: str) -> None:
    assert_refused(marked, word)


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        pytest.param(policy(SOUND, ttl="►600"), "one number and one of s m h d", id="no unit"),
        pytest.param(policy(SOUND, ttl="►10 m"), "as in `10m`", id="a space"),
        pytest.param(policy(SOUND, ttl="►1h30m"), "as in `10m`", id="two units"),
        pytest.param(policy(SOUND, ttl="►10w"), "as in `10m`", id="weeks"),
        pytest.param(policy(SOUND, ttl="►true"), "as in `10m`", id="true"),
        pytest.param(policy(SOUND, ttl="►[10m]"), "as in `10m`", id="a list"),
        pytest.param(policy(SOUND, ttl="►0s"), "from 1s to 1d", id="nothing"),
        pytest.param(policy(SOUND, max_ttl="►25h"), "from 1s to 1d", id="over 24 hours"),
        pytest.param(policy(SOUND, max_ttl="►٣m"), "as in `10m`", id="other digits"),
        pytest.param(policy(SOUND, expires="►2027-02-30"), "`2027-06-30`", id="no such day"),
        pytest.param(policy(SOUND, expires="►tomorrow"), "must be a date", id="a word as date"),
        pytest.param(policy(SOUND, expires="►20270630"), "must be a date", id="a date's digits"),
        pytest.param(policy(SOUND, expires="►2027-W26-3"), "must be a date", id="a week date"),
        pytest.param(
            policy(SOUND, expires="►2027-06-30T10:00:00Z"), "must be a date", id="instant"
        ),
        pytest.param(policy(SOUND, mode="►dry-run"), "enforce or observe", id="an unknown mode"),
        pytest.param(policy(SOUND, effect="►refuse"), "allow or deny", id="an unknown effect"),
        pytest.param(policy(SOUND, owner="►7"), 'quote it: "7"', id="a number as text"),
        pytest.param(policy(SOUND, ticket="►true"), 'quote it: "true"', id="a boolean as text"),
        pytest.param(policy(SOUND, owner="►[a]"), "must be text", id="a list as text"),
        pytest.param(policy(SOUND, owner='►""'), "must not be empty", id="an empty text"),
        pytest.param(policy(SOUND, owner=f"►{'a' * 1001}"), "1000", id="a long text"),
        pytest.param(policy("►[repository]"), "must be a mapping, as in", id="a list of claims"),
        pytest.param(policy(SOUND, grants="►[plain]"), "must be a mapping", id="a list of grants"),
        pytest.param(
            policy(SOUND, grants="{deploy-api: ►deploy:read}"), "must be a list", id="one scope"
        ),
        pytest.param(
            "service_accounts: {web: {grants: {plain: []}, enabled: ►1}}",
            "`enabled` must be true or false",
            id="a number as boolean",
        ),
        pytest.param(
            'service_accounts: {web: {grants: {plain: []}, enabled: ►"false"}}',
            "must be true or false",
            id="a text as boolean",
        ),
        pytest.param(
            "issuers: {►gh: {preset: ►gitea}}", "github or gitlab", id="an unknown preset"
        ),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(marked: str, word: str) -> None:
    assert_refused(marked.replace("{►gh:", "{gh:"), word)


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param(policy("►{}"), id="no conditions"),
        pytest.param(policy("►"), id="nothing as conditions"),
        pytest.param(policy("{repository: acme/web, ref: ►}"), id="a condition without value"),
        pytest.param(policy("{repository: acme/web, ref: ►[]}"), id="an empty any-of"),
        pytest.param(policy("{repository: acme/web, ref: ►{}}"), id="an empty operator"),
        pytest.param(policy("{repository: acme/web, ref: {glob: ►}}"), id="a glob without text"),
        pytest.param(policy("{repository: acme/web, ref: {not: ►[]}}"), id="an empty negation"),
        pytest.param(policy("{repository: acme/web, ref: [a, ►null]}"), id="null in an any-of"),
        pytest.param(policy(SOUND, grants="►{}"), id="empty grants"),
        pytest.param(policy(SOUND, grants="{deploy-api: ►}"), id="a grant without list"),
        pytest.param(policy(SOUND, ttl="►"), id="a duration without value"),
        pytest.param("services: {s: {audience: a, scopes: ►{}}}", id="an empty catalogue"),
        pytest.param("services: {s: {audience: ►}}", id="no audience"),
        pytest.param("services: {s: {audience: a, scopes: {x: ►}}}", id="a scope without words"),
        pytest.param("service_accounts: {web: {grants: ►{}}}", id="an account without grants"),
        pytest.param(
            "service_accounts: {web: {grants: {plain: []}, metadata: {a: ►}}}", id="empty metadata"
        ),
        pytest.param(
            "service_accounts: {web: {grants: {plain: []}, instances: ►[]}}", id="no instances"
        ),
        pytest.param("issuers: {gh: ►{}}", id="an issuer without content"),
        pytest.param("issuers: {gl: {issuer: 'https://c.example', tenant: ►[]}}", id="no tenant"),
        pytest.param("tests: [{name: t, issuer: github, expect: ►}]", id="no expectation"),
        pytest.param("tests: [►~]", id="a test without content"),
    ],
)
def test_what_is_empty_is_refused_not_passed_over(marked: str) -> None:
    if "tenant: ►[]" in marked:
        marked = marked.replace("{gl:", "{►gl:")
        assert_refused(marked, "tenants are", "is empty; give it a value or delete it")
    else:
        assert_refused(marked, "is empty; give it a value or delete it")


def test_a_service_without_scopes_is_granted_as_an_empty_list() -> None:
    loaded = load_beside_base("service_accounts: {web: {grants: {plain: []}}}")

    assert loaded.policy_set.service_accounts["web"].grants == {"plain": frozenset()}


def reported(texts: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_alone(texts)
    return [str(problem).split(" ")[0] for problem in caught.value.problems]


def test_all_problems_of_all_files_are_reported_at_once_and_in_order() -> None:
    texts = {
        "b.yaml": "policies: {p: {issuer: nowhere, match: {ref: ''}, service_account: nobody}}",
        "a.yaml": "services: {t: {audience: 012, ttl: 1}}\nno: 1\n",
        "c.yaml": "services: {s: {audience: 7, ttl: 1}}\nnothing: 1\n",
    }

    assert reported(texts) == [
        "a.yaml:1:26:",
        "a.yaml:1:36:",
        "a.yaml:2:1:",
        "b.yaml:1:24:",
        "b.yaml:1:46:",
        "b.yaml:1:68:",
        "c.yaml:1:26:",
        "c.yaml:1:34:",
        "c.yaml:2:1:",
    ]


def test_of_a_word_that_yaml_readers_disagree_on_nothing_else_is_told() -> None:
    assert_refused(
        "issuers: {gh: {preset: ►on, enabled: ►no}}\n"
        "policies: {p: {issuer: gh, service_account: deploy-web, match:"
        " {►y: x, ref: ►1:30, environment: ►''}}}\n",
        *("true to many", "false to many", "not text", "base 60", "empty text"),
    )


def test_what_an_unreadable_file_may_define_is_not_called_missing() -> None:
    texts = {
        "a.yaml": "issuers: {github: {preset: github}}\nservices: [",
        "b.yaml": (
            "policies: {p: {issuer: github, service_account: web, match: {repository_id: 1}}}\n"
            "services: {s: {audience: 'https://s.example', organizations: [acme]}}\n"
            "service_accounts: {web: {grants: {deploy-api: [x]}, ttl: 1}}\n"
            "tests: [{name: t, issuer: github, expect: deny}]\n"
        ),
        "c.yaml": "policies: {q: {issuer: github, effect: deny, match: {a: ''}, services: [x]}}",
    }

    assert reported(texts) == ["a.yaml:3:1:", "b.yaml:3:58:", "c.yaml:1:57:"]


def test_a_broken_entry_causes_no_problems_where_it_is_named() -> None:
    assert_refused(
        "issuers: {gh: {preset: ►gitea}}\n"
        "services: {s: {audience: ►7}}\n"
        "service_accounts: {web: {grants: {s: [x]}, ttl: ►1}}\n"
        "policies: {p: {issuer: gh, match: {ref: x}, service_account: web}}\n"
        "tests: [{name: t, issuer: gh, expect: deny}]\n",
        "github or gitlab",
        "must be text",
        "`ttl`",
    )
