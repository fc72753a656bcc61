"""`policies`: references, effects, and what each effect may say."""

from datetime import UTC, datetime

import pytest

from broker.core.conditions import Condition, Effect, Equals, Glob
from broker.core.policy import Mode, Policy
from tests.policy_files.loading import assert_refused, load_beside_base, policy

SOUND = "{repository: acme/web}"


def test_every_field_of_an_allow_policy_is_read() -> None:
    text = policy(
        "{repository: acme/web, ref: refs/heads/main}",
        description="main",
        grants="{deploy-api: [deploy:write]}",
        ttl="5m",
        max_ttl="10m",
        expires="2027-06-30",
        mode="observe",
        owner="team-web",
        ticket="OPS-7",
    )

    assert load_beside_base(text).policy_set.policies["p"] == Policy(
        name="p",
        issuer="github",
        conditions=(
            Condition("repository", Equals("acme/web"), folded=True),
            Condition("ref", Equals("refs/heads/main")),
        ),
        service_account="deploy-web",
        grants={"deploy-api": frozenset({"deploy:write"})},
        ttl=300,
        max_ttl=600,
        expires_at=datetime(2027, 6, 30, tzinfo=UTC).timestamp(),
        mode=Mode.OBSERVE,
        owner="team-web",
        ticket="OPS-7",
        description="main",
        place="test.yaml:2",
    )


def test_every_field_of_a_deny_policy_is_read() -> None:
    text = (
        "policies:\n  no-forks: {effect: deny, issuer: github,"
        ' match: {event_name: {glob: "pull_request*"}}, services: [deploy-api], mode: enforce}\n'
    )

    assert load_beside_base(text).policy_set.policies["no-forks"] == Policy(
        name="no-forks",
        issuer="github",
        conditions=(Condition("event_name", Glob("pull_request*")),),
        effect=Effect.DENY,
        services=frozenset({"deploy-api"}),
        place="test.yaml:2",
    )


def test_a_quoted_expiry_is_a_date_too() -> None:
    policies = load_beside_base(policy(SOUND, expires='"2027-06-30"')).policy_set.policies

    assert policies["p"].expires_at == datetime(2027, 6, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        # row 23
        (policy(SOUND, issuer="►git-hub"), "did you mean `github`?"),
        (policy(SOUND, issuer="►nowhere"), "known: buildkite, github, gitlab, single"),
        (policy(SOUND, service_account="►deploy-wep"), "did you mean `deploy-web`?"),
        # row 146
        (policy(SOUND, service_account="►m-generated"), "`grants` of its own"),
        (policy(SOUND) + "    ►services: [plain]\n", "limits a deny policy"),
    ],
)
def test_an_allow_policy_that_refers_to_nothing_is_refused(marked: str, word: str) -> None:
    assert_refused(marked, word)


def test_a_policy_may_name_an_account_of_the_api_with_grants_of_its_own() -> None:
    text = policy(SOUND, service_account="m-generated", grants="{deploy-api: [deploy:read]}")

    assert load_beside_base(text).policy_set.policies["p"].service_account == "m-generated"


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("►service_account: deploy-web", "delete `service_account`"),
        ("►grants: {plain: []}", "delete `grants`"),
        ("►ttl: 5m", "a deny policy grants nothing"),
        ("►max_ttl: 5m", "a deny policy grants nothing"),
        ("services: [plain, ►plane]", "did you mean `plain`?"),
        ("services: ►plain", "must be a list, as in"),
        ("issuer: ►nowhere", "there is no issuer"),
    ],
)
def test_a_deny_policy_that_cannot_be_meant_is_refused(field: str, word: str) -> None:
    issuer = "" if field.startswith("issuer") else "issuer: github, "
    assert_refused(f"policies: {{p: {{effect: deny, {issuer}match: {{ref: x}}, {field}}}}}", word)


def test_a_policy_knows_where_it_is_written() -> None:
    loaded = load_beside_base("# a comment\n\n" + policy(SOUND))

    assert loaded.policy_set.policies["p"].place == "test.yaml:4"
