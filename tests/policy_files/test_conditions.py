"""From `match` to conditions: what each spelling means, and which spellings are refused."""

import pytest

from broker.core.conditions import AnyOf, Condition, Equals, Glob, Matcher, Not, Present, Regex
from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.indexed_policies import IndexedPolicies
from tests.policy_files.loading import assert_refused, load_beside_base, policy


def conditions(match: str, issuer: str = "github") -> tuple[Condition, ...]:
    return load_beside_base(policy(match, issuer)).policy_set.policies["p"].conditions


def matcher(text: str) -> Matcher:
    return conditions(f"{{repository: acme/web, ref: {text}}}")[1].matcher


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("refs/heads/main", Equals("refs/heads/main")),
        ("42", Equals("42")),
        ("true", Equals("true")),
        ('"true"', Equals("true")),
        ('"012"', Equals("012")),
        ("[a, 7, false]", AnyOf((Equals("a"), Equals("7"), Equals("false")))),
        ("[a]", AnyOf((Equals("a"),))),
        ('{glob: "refs/heads/*"}', Glob("refs/heads/*")),
        ("{glob: '[ab]'}", Glob("[ab]")),
        ("[a, {glob: b*}, {regex: c+}]", AnyOf((Equals("a"), Glob("b*"), Regex("c+")))),
        ("{regex: '(a+)+$'}", Regex("(a+)+$")),
        ("{not: dev}", Not(Equals("dev"))),
        ("{not: [dev, test]}", Not(AnyOf((Equals("dev"), Equals("test"))))),
        ("{not: {glob: dev*}}", Not(Glob("dev*"))),
        ("{not: [{regex: d}]}", Not(AnyOf((Regex("d"),)))),
        ("{present: true}", Present()),
    ],
)
def test_each_spelling_of_a_condition_means_one_matcher(text: str, expected: Matcher) -> None:
    assert matcher(text) == expected


def test_literals_that_read_alike_are_told_apart() -> None:
    texts = ("1", "true", '"True"')

    assert [matcher(text) for text in texts] == [Equals("1"), Equals("true"), Equals("True")]


def test_what_several_policies_say_is_one_condition() -> None:
    first = conditions("{repository: acme/web, ref: refs/heads/main}")
    second = conditions("{repository: acme/api, ref: refs/heads/main}")

    assert first[1] is second[1]


def test_claims_ignore_case_where_their_platform_does() -> None:
    github = conditions("{repository: acme/web, environment: Prod, ref: x}")
    gitlab = conditions("{project_path: acme/web, environment: Prod}", "gitlab")

    assert [each.folded for each in github] == [True, True, False]
    assert [each.folded for each in gitlab] == [True, False]


def test_a_pointer_of_two_segments_is_a_condition() -> None:
    condition = conditions("{repository: acme/web, /a~1b/c: x}")[1]

    assert condition.holds({"a/b": {"c": "x"}})


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        # row 161
        pytest.param("[a, ►{not: b}]", "inside a list", id="not in a list"),
        pytest.param("{not: ►{not: b}}", "write `{not: [a, b]}`", id="not in not"),
        pytest.param("{not: [►{not: b}]}", "inside a list", id="not in a list in not"),
        pytest.param("[►{present: true}]", "stands alone", id="present in a list"),
        pytest.param("{not: ►{present: true}}", "stands alone", id="not present"),
        pytest.param("{present: ►false}", "write a deny policy", id="present: false"),
        pytest.param('{present: ►"true"}', "only `{present: true}`", id="present as text"),
        # row 163
        pytest.param('►""', "matches nothing", id="an empty text"),
        pytest.param('[►"", prod]', "matches nothing", id="an empty text in a list"),
        pytest.param('{not: ►""}', "matches nothing", id="not an empty text"),
        pytest.param('{glob: ►""}', "one text", id="an empty glob"),
        pytest.param('{regex: ►""}', "one text", id="an empty regex"),
        pytest.param("[►[a]]", "list inside a list", id="a list in a list"),
        pytest.param("►{globb: a}", "did you mean `glob`?", id="a misspelt operator"),
        pytest.param("►{equals: a}", "known: glob, not, present, regex", id="no such operator"),
        pytest.param("►{glob: a, regex: b}", "one operator only", id="two operators"),
        pytest.param("{glob: ►[a, b]}", "takes one text", id="a list of globs"),
        pytest.param("{glob: ►7}", "takes one text", id="a number as glob"),
        pytest.param("{regex: ►{a: b}}", "takes one text", id="a mapping as regex"),
        pytest.param("{not: {glob: {a: ►{}}}}", "empty", id="nonsense"),
        pytest.param("{regex: ►'a)|('}", "RE2", id="a regex that closes what it did not open"),
        pytest.param("{regex: ►'(?=a)'}", "RE2", id="look-ahead"),
        pytest.param("{regex: ►'(a)\\1'}", "RE2", id="a back reference"),
        pytest.param(
            "{regex: ►'" + "k{999}" * 20 + "'}", "too large", id="too large when it folds case"
        ),
        pytest.param("{regex: ►'a{2000}'}", "RE2", id="a repetition beyond RE2"),
        pytest.param(f"{{glob: ►{'a' * 1001}}}", "1000", id="a long glob"),
        pytest.param(f"{{regex: ►{'a' * 1001}}}", "1000", id="a long regex"),
        pytest.param('►"main "', "a space at the beginning or end", id="a space behind"),
        pytest.param('{glob: ►" refs/*"}', "a space at the beginning", id="a space before"),
        pytest.param('►"a\\nb"', "a line break", id="a line break"),
    ],
)
def test_a_condition_that_could_surprise_is_refused(marked: str, word: str) -> None:
    if "{a: ►{}}" in marked:
        marked = marked.replace("glob: {a", "glob: ►{a")
        assert_refused(policy(f"{{repository: acme/web, ref: {marked}}}"), "one text", word)
    else:
        assert_refused(policy(f"{{repository: acme/web, ref: {marked}}}"), word)


def test_a_block_text_with_its_line_end_is_refused() -> None:
    assert_refused(
        "policies:\n  p:\n    issuer: github\n    service_account: deploy-web\n"
        "    match:\n      repository: acme/web\n      ref: ►|\n        main\n",
        "a line break",
    )


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        # rows 55, 164
        pytest.param("/repository_id", "write `repository_id`", id="a pointer of one segment"),
        pytest.param("/groups/0", "no array index", id="an array index"),
        pytest.param("/groups/-", "no array index", id="the end of an array"),
        pytest.param("/0/groups", "no array index", id="an array index first"),
        pytest.param("/a//b", "no empty segments", id="an empty segment"),
        pytest.param("/a/", "no empty segments", id="an empty last segment"),
        pytest.param("/a/b~2", "`~0`", id="an unknown escape"),
        pytest.param('"/"', "two segments", id="a slash alone"),
        pytest.param('" ref"', "spaces", id="a space in front"),
    ],
)
def test_a_claim_name_that_could_mislead_is_refused(claim: str, word: str) -> None:
    assert_refused(policy(f"{{repository: acme/web, {claim}: ►x}}"), word)


def test_all_wrong_conditions_of_a_policy_are_reported() -> None:
    assert_refused(
        policy('{repository: ►"", ref: ►{globb: x}, environment: [a, ►""]}'),
        "matches nothing",
        "no operator",
        "matches nothing",
    )


def test_the_conditions_of_require_follow_the_same_rules() -> None:
    assert_refused(
        "issuers: {corp: {preset: gitlab, issuer: 'https://g.example', require: {a: ►{nott: b}}}}\n"
        "services: {s: {audience: a, require: {b: ►''}}}",
        "did you mean `not`?",
        "matches nothing",
    )


def test_the_require_of_an_issuer_ignores_case_as_its_preset_does() -> None:
    loaded = load_beside_base(
        "issuers: {corp: {preset: gitlab, issuer: 'https://g.example',"
        " require: {namespace_path: Acme, user_id: 7}}}"
    )

    assert loaded.policy_set.issuers["corp"].require == (
        Condition("namespace_path", Equals("Acme"), folded=True),
        Condition("user_id", Equals("7")),
    )


def test_the_require_of_a_service_ignores_case_as_the_issuer_of_the_token_does() -> None:
    policy_set = load_beside_base(
        "services: {s: {audience: a, require: {environment: Prod}}}"
    ).policy_set
    service = policy_set.services["s"]

    folded = {
        name: [condition.folded for condition in service.minimum(policy_set.issuers[name])]
        for name in ("github", "gitlab", "buildkite")
    }

    assert folded == {"github": [True], "gitlab": [False], "buildkite": [False]}


@pytest.mark.parametrize(
    ("issuer", "tenant", "permitted"),
    [("github", {"repository_id": "1", "event_name": "push"}, True),
     ("gitlab", {"project_id": "1", "pipeline_source": "push"}, False)],
)  # fmt: skip
def test_a_service_may_require_an_environment_of_tokens_from_every_platform(
    issuer: str, tenant: dict[str, str], permitted: bool
) -> None:
    policy_set = load_beside_base(
        "services: {s: {audience: a, require: {environment: Prod}}}\n"
        "service_accounts: {web: {grants: {s: []}}}\n"
        + policy(f"{{{next(iter(tenant))}: 1}}", issuer, service_account="web")
    ).policy_set
    claims = {**tenant, "environment": "PROD", "exp": 600}

    decision = decide(
        claims, policy_set.issuers[issuer], DecisionRequest(), IndexedPolicies.of(policy_set), 0
    )

    assert isinstance(decision, Permit) is permitted
