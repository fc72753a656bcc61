"""`claims` and `session_tags` of services: what is read, and what does not load."""

import pytest

from broker.core.policy import Service
from broker.core.shaped_claims import PATH_RULE, VALUE_RULE
from tests.core.shaped_services import a_template, some_claims
from tests.policy_files.loading import assert_refused, load_beside_base, problems_beside_base


def service(fields: str) -> Service:
    return load_beside_base(f"services: {{s: {{audience: a, {fields}}}}}").policy_set.services["s"]


def test_every_form_of_a_claim_is_read() -> None:
    found = service(
        'claims: {team: "{metadata.team}", groups: [ci, "{sub}"],'
        ' access: [{type: repository, name: "{metadata.image}", actions: [pull, push]}]}'
    )

    assert found.claims == some_claims(
        {
            "team": "{metadata.team}",
            "groups": ["ci", "{sub}"],
            "access": [
                {"type": "repository", "name": "{metadata.image}", "actions": ["pull", "push"]}
            ],
        }
    )
    assert found.shape is not None
    assert found.shape.metadata == {"team", "image"}


def test_session_tags_are_read() -> None:
    found = service(
        'profile: aws, session_tags: {team: "{metadata.team}", "cost center": "x y"},'
        " transitive_tags: [team]"
    )

    assert found.session_tags == {
        "team": a_template("{metadata.team}"),
        "cost center": a_template("x y"),
    }
    assert found.transitive_tags == ("team",)


def test_what_tokens_carry_is_part_of_the_version() -> None:
    texts = [
        "services: {s: {audience: a}}",
        "services: {s: {audience: a, claims: {x: v}}}",
        "services: {s: {audience: a, claims: {x: [v]}}}",
        "services: {s: {audience: a, profile: gcp}}",
        "services: {s: {audience: a, profile: aws, session_tags: {x: v, z: v}}}",
    ]
    texts.append(texts[-1].replace("}}}", "}, transitive_tags: [x]}}"))

    assert len({load_beside_base(text).policy_set.version for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("{►sub: x}", "already means something"),
        ("{►Scope: x}", "already means something"),
        ("{►client-id: x}", "already means something"),
        ("{►scop\u0435: x}", "a claim's name is"),
        ("{►'https://aws.amazon.com/tags': x}", "`session_tags`"),
        ("{►kubernetes.io: x}", "belongs to others"),
        ("{groups: x, ►Groups: x}", "differs from `groups` in case alone"),
        ("{x: ►'{'}", "a brace"),
        ("{x: ►'{claims.admin}'}", "unknown placeholder"),
        ("{x: ►''}", "is empty"),
        ("{x: ►é}", "printable ASCII"),
        ("{x: ►7}", 'quote it: "7"'),
        ("{x: ►true}", 'quote it: "true"'),
        ("{x: ►{v: z}}", "must be a text; a claim is"),
        ("{x: [►[v]]}", "must be a text; a claim is"),
        ("{x: [►{}]}", "is empty"),
        ("{x: [►v, {v: z}]}", "texts or mappings, not both"),
        ("{x: [{type: v, ►Type: z}]}", "differs from `type` in case alone"),
        ("{x: [{v: ►{z: a}}]}", "must be a text; a claim is"),
        ("{x: [{v: [►[z]]}]}", "must be a text; a claim is"),
        ("{x: [{►'v z': a}]}", "a member's name is"),
        ("{x: ►[" + "v, " * 51 + "]}", "up to 50 items"),
        ("{x: [{v: ►[" + "v, " * 51 + "]}]}", "up to 50 items"),
        ("{x: [►{" + ", ".join(f"m{n}: v" for n in range(21)) + "}]}", "up to 20 members"),
    ],
)
def test_a_claim_that_cannot_be_meant_is_refused(marked: str, word: str) -> None:
    assert_refused(f"services: {{s: {{audience: a, claims: {marked}}}}}", word)


def test_there_are_no_more_claims_than_twenty() -> None:
    many = ", ".join(f"c{number}: x" for number in range(21))

    assert_refused(f"services: {{s: {{audience: a, ►claims: {{{many}}}}}}}", "more than 20 claims")


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("{►aws:x: v}", "belong to AWS"),
        ("{►AWS:x: v}", "belong to AWS"),
        ("{►'': v}", "empty key"),
        ("{►' x': v}", "a tag's key is"),
        ("{►'x ': v}", "a tag's key is"),
        ("{►x*: v}", "a tag's key is"),
        ("{►é: v}", "a tag's key is"),
        ("{►" + "k" * 129 + ": v}", "a tag's key is"),
        ("{team: x, ►Team: x}", "in case alone"),
        ("{x: ►'a,b'}", "the value of a tag"),
        ("{x: ►'{sub}!'}", "the value of a tag"),
        ("{x: ►'{nobody}'}", "unknown placeholder"),
        ("{x: ►[v]}", "must be text"),
        ("{x: ►7}", 'quote it: "7"'),
    ],
)
def test_a_tag_that_aws_would_refuse_is_refused(marked: str, word: str) -> None:
    assert_refused(f"services: {{s: {{audience: a, profile: aws, session_tags: {marked}}}}}", word)


def test_there_are_no_more_tags_than_fifty() -> None:
    many = ", ".join(f"c{number}: x" for number in range(51))

    assert_refused(
        f"services: {{s: {{audience: a, profile: aws, ►session_tags: {{{many}}}}}}}",
        "more than 50 tags",
    )


@pytest.mark.parametrize(
    ("marked", "word"),
    [("[►x]", "there is no tag `x`"), ("[team, ►team]", "here twice"), ("[►Team]", "no tag")],
)
def test_a_transitive_tag_is_one_of_the_tags(marked: str, word: str) -> None:
    assert_refused(
        "services: {s: {audience: a, profile: aws, session_tags: {team: x},"
        f" transitive_tags: {marked}}}}}",
        word,
    )


@pytest.mark.parametrize("profile", ["", "profile: gcp, ", "profile: kubernetes, "])
@pytest.mark.parametrize("fields", ["►session_tags: {team: x}", "►transitive_tags: [team]"])
def test_tags_are_for_aws_alone(profile: str, fields: str) -> None:
    text = f"services: {{s: {{audience: a, {profile}{fields}}}}}"
    problems = problems_beside_base(text.replace("►", ""))

    assert "needs `profile: aws`" in problems[0].message


def test_a_service_whose_tokens_could_be_too_large_is_refused() -> None:
    few, many = (
        "[" + ", ".join(f'"{number}:{{sub}}"' for number in range(count)) + "]" for count in (8, 18)
    )
    service(f"claims: {{groups: {few}}}")

    assert_refused(f"services: {{s: {{audience: a, ►claims: {{groups: {many}}}}}}}", "4096")
    tags = ", ".join(f"t{number}: '{{sub}}'" for number in range(16))
    assert_refused(
        f"services: {{s: {{audience: a, profile: aws, ►session_tags: {{{tags}}}}}}}", "4096"
    )


# --- accounts and policies ------------------------------------------------------------------------

SHAPED = """\
services:
  cluster:
    audience: https://kubernetes.example.com
    claims: {groups: ["team:{metadata.team}", "{organization}"]}
  registry:
    audience: https://registry.example.com
    claims: {access: [{name: "{workload.repository}"}], id: "{workload.repository_id}"}
"""
ACCOUNT = SHAPED + "service_accounts: {web: {%s}}\n"


def test_an_account_that_has_what_templates_name_loads() -> None:
    load_beside_base(
        ACCOUNT % "grants: {cluster: []}, organization: acme, metadata: {team: a/b, other: 'x y'}"
    )


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("grants: {►cluster: []}, metadata: {team: x}", ["name the account's organization"]),
        ("grants: {►cluster: []}, organization: acme", ["the account's metadata `team`; set it"]),
        (
            "grants: {►cluster: []}, organization: acme, metadata: {Team: x}",
            ["the account's metadata `team`; set it"],
        ),
        (
            "grants: {cluster: []}, organization: acme, metadata: {team: ►'x:y'}",
            ["`team` goes into tokens of `cluster`"],
        ),
        (
            "grants: {cluster: []}, organization: acme, metadata: {team: ►a/../b}",
            ["`team` goes into tokens of `cluster`"],
        ),
    ],
)
def test_an_account_that_lacks_what_templates_name_is_refused(
    marked: str, words: list[str]
) -> None:
    assert_refused(ACCOUNT % marked, *words)


POLICY = ACCOUNT % "grants: {registry: []}" + (
    "policies: {p: {issuer: %s, service_account: ►web, match: {%s}}}\n"
)


@pytest.mark.parametrize(
    ("issuer", "match"),
    [
        ("github", "repository: acme/web"),
        ("github", "repository: [acme/web, acme/api], ref: {glob: '*'}"),
        ("gitlab", "project_path: acme/web"),
    ],
)
def test_a_policy_that_pins_what_a_job_says_loads(issuer: str, match: str) -> None:
    load_beside_base((POLICY % (issuer, match)).replace("►", ""))


@pytest.mark.parametrize(
    ("issuer", "match", "claims"),
    [
        ("github", "repository_id: 456789", ["repository"]),
        ("github", "repository: {glob: 'acme/*'}", ["repository"]),
        ("github", "repository: [acme/web, {glob: 'acme/*'}]", ["repository"]),
        ("gitlab", "project_id: 42", ["project_path"]),
        ("single", "sub: x", ["repository_id", "repository"]),
    ],
)
def test_a_policy_that_lets_a_job_choose_is_refused(
    issuer: str, match: str, claims: list[str]
) -> None:
    problems = problems_beside_base((POLICY % (issuer, match)).replace("►", ""))

    assert [problem.line for problem in problems] == [9] * len(claims)
    for claim, problem in zip(claims, problems, strict=True):
        assert f"`{claim}` is no immutable id of issuer `{issuer}`" in problem.message


@pytest.mark.parametrize(
    ("issuer", "match", "rule"),
    [
        ("github", "repository: ►acme:web", PATH_RULE),
        ("github", "repository: ►['x y', 'x,y']", PATH_RULE),
        ("github", "repository: acme/web, repository_id: ►1/2", VALUE_RULE),
        ("single", "repository_id: 7, repository: ►acme/web", VALUE_RULE),
    ],
)
def test_a_policy_that_pins_only_what_can_never_be_filled_in_is_refused(
    issuer: str, match: str, rule: str
) -> None:
    text = POLICY.replace("►", "") % (issuer, match)

    assert_refused(text, f"no value here fits: it must be {rule}")


def test_one_value_that_fits_is_enough() -> None:
    load_beside_base(POLICY.replace("►", "") % ("github", "repository: ['x y', acme/web]"))


def test_grants_of_the_policys_own_are_held_to_the_same() -> None:
    grants = "policies: {p: {issuer: github, service_account: m-1, grants: {%s: []},"
    text = SHAPED + grants + " match: {repository_id: 456789}}}\n"

    assert_refused(text % "►registry", "`{workload.repository}`")
    load_beside_base(text % "cluster")


def test_a_template_that_names_what_no_platform_has_is_told_where_it_is_reached() -> None:
    text = (
        'services: {s: {audience: a, claims: {x: "{workload.repositry_id}"}}}\n'
        "policies: {p: {issuer: github, service_account: m-1, match: {repository_id: 456789},"
        " grants: {►s: []}}}\n"
    )

    assert_refused(text, "`repositry_id` is no immutable id of issuer `github`")
