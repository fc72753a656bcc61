"""The order of files leaves no trace; the version digests what can change a decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.delegation import Delegation
from broker.policy_files import Attachment
from tests.policy_files.loading import BASE, BROKER, load_alone, load_beside_base, policy

PARTS = {
    "base.yaml": BASE,
    "p.yaml": policy("{repository: acme/web}"),
    "q.yaml": policy("{project_id: 7}", "gitlab").replace("  p:", "  q:"),
    "deny.yaml": "policies: {d: {effect: deny, issuer: github, match: {ref: x}}}",
    "tests.yaml": "tests: [{name: t, issuer: github, expect: deny}]",
    "empty.yaml": "",
}


@given(st.permutations(sorted(PARTS)))
def test_the_order_of_files_leaves_no_trace(order: list[str]) -> None:
    expected = load_alone(PARTS)

    loaded = load_alone({name: PARTS[name] for name in order})

    assert loaded.policy_set == expected.policy_set
    assert list(loaded.policy_set.policies) == list(expected.policy_set.policies)
    assert loaded.tests == expected.tests


def version(text: str, **settings: object) -> str:
    return load_beside_base(text, **settings).policy_set.version


def test_the_version_is_a_sha_256() -> None:
    assert len(bytes.fromhex(version(""))) == 32


@pytest.mark.parametrize(
    "same",
    [
        "# a comment\n" + policy("{repository: acme/web, ref: x}"),
        policy("{ref: x, repository: acme/web}"),
        policy("{repository: 'acme/web', ref: x}"),
        policy("{repository: acme/web, ref: x}")
        + "tests: [{name: t, issuer: github, expect: deny}]",
    ],
)
def test_the_version_does_not_change_with_the_spelling(same: str) -> None:
    assert version(same) == version(policy("{repository: acme/web, ref: x}"))


def test_the_version_does_not_change_with_the_file_that_holds_an_entry() -> None:
    text = policy("{repository: acme/web}")

    assert (
        load_alone({"a.yaml": BASE + text}).policy_set.version
        == load_alone({"a.yaml": text, "sub/z.yml": BASE}).policy_set.version
    )


@pytest.mark.parametrize(
    "other",
    [
        policy("{repository: acme/web, ref: z}"),
        policy("{repository: acme/web, ref: [x]}"),
        policy("{repository: acme/web, ref: x}", ttl="5m"),
        policy("{repository: acme/web, ref: x}").replace("  p:", "  q:"),
        policy("{repository: acme/web, ref: x}", mode="observe"),
        policy("{repository: acme/web, ref: x}") + "services: {s: {audience: a}}",
    ],
)
def test_the_version_changes_with_the_content(other: str) -> None:
    assert version(other) != version(policy("{repository: acme/web, ref: x}"))


@pytest.mark.parametrize(
    "settings",
    [
        {"broker_issuer": BROKER + "/b"},
        {"token_defaults": (601, 3600)},
        {"signing_algorithms": ["ES256", "RS256"]},
        {"folders": (Delegation("teams/web", maps=("tests",), place=("broker.yaml", 3, 5)),)},
    ],
)
def test_the_version_changes_with_what_the_entries_depend_on(settings: dict[str, object]) -> None:
    assert version("", **settings) != version("")


def test_the_version_changes_with_the_keys_in_a_file(jwks: bytes, other_jwks: bytes) -> None:
    text = "issuers: {corp: {preset: gitlab, issuer: 'https://g.example', jwks_file: corp.json}}"

    first, second = (
        version(text, attachments=lambda _file, path, found=found: Attachment(path, found))
        for found in (jwks, other_jwks)
    )

    assert first != second
