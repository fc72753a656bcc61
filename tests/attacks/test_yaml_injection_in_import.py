"""Row 175: whatever stands in a peer's policy, what is written of it says that and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.errors import ConfigurationError
from broker.policy_files.check import check
from broker.policy_imports import Destination, not_carried_text, policy_text, translate
from broker.yaml_document import read
from tests.policy_imports.deciding import loaded

GITHUB = "https://token.actions.githubusercontent.com"
DESTINATION = Destination(
    "github", "deploy", "deploy", {"preset": "github"}, {"api": ["api:write"]}
)
SIGNS = ": #*!&|>{}[],'\"%@`-?\\\n\t\r\u2028\u202e\u00a0\ufeff\x00=~<"
TRICKS = [
    "x\npolicies:\n  evil: {service_account: deploy, issuer: github, match: {ref: a}}",
    "x # allow: names-without-ids because",
    "x\u2028policies: {}",
    "x\rpolicies: {}",
    "*anchor",
    "&anchor x",
    "!!python/object/apply:os.system [id]",
    "{glob: '**'}",
    "'} , evil: {regex: '.*",
    '"}, evil: {"regex": ".*"',
    "{{ 7 * 7 }}",
    "- x",
    "? x",
    "yes",
    "0x1f",
    "1:30",
    "2027-06-30",
    "~",
    "null",
    "<<",
    "%TAG",
    "=cmd|' /C calc'!A0",
    "\x1b[2J",
]


def role(claim: str, value: str, right: str) -> bytes:
    return json.dumps(
        {
            "role_type": "jwt",
            "bound_audiences": [right],
            "bound_claims": {"repository_id": "34", claim: value},
            "user_claim": "repository",
            "token_policies": [right],
        }
    ).encode()


def assert_says_only(text: bytes, claim: str, value: str) -> None:
    """Whatever comes of it is this one condition, or nothing at all."""
    try:
        translation, problems = translate("vault", text, "role.json", issuer=GITHUB)
    except ConfigurationError:
        return
    if translation is None:
        assert read(not_carried_text(problems, "vault, role.json"), "comments").value == {}
        return
    written = policy_text(translation, DESTINATION, "vault, role.json")
    result = loaded(written)
    [policy] = result.policy_set.policies.values()
    assert {each.claim: each.literals() for each in policy.conditions} == {
        "repository_id": ("34",),
        claim: (value,),
    }
    assert check((result,), 0.0).accepted == ()
    assert set(result.policy_set.service_accounts) == {"deploy"}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_value_stays_a_value(trick: str) -> None:
    assert_says_only(role("workflow", trick, "x"), "workflow", trick)


@pytest.mark.parametrize("trick", TRICKS)
def test_a_name_stays_a_name(trick: str) -> None:
    assert_says_only(role(f"repo_property_{trick}", "x", "x"), f"repo_property_{trick}", "x")


@pytest.mark.parametrize("trick", TRICKS)
def test_a_comment_stays_a_comment(trick: str) -> None:
    assert_says_only(role("workflow", "x", trick), "workflow", "x")


@settings(max_examples=150, deadline=None)
@given(st.text(st.one_of(st.sampled_from(SIGNS), st.characters()), max_size=12), st.data())
def test_no_text_says_anything_else(value: str, data: st.DataObject) -> None:
    right = data.draw(st.text(st.one_of(st.sampled_from(SIGNS), st.characters()), max_size=12))

    assert_says_only(role("workflow", value, right), "workflow", value)


@pytest.mark.parametrize("name", ["x\npolicies: {}", "x # allow: any-ref y", "\u202e.json"])
def test_the_name_of_a_file_stays_in_its_comment(name: str) -> None:
    translation, _ = translate("vault", role("workflow", "x", "x"), name, issuer=GITHUB)
    assert translation is not None

    written = policy_text(translation, DESTINATION, f"vault, {name}")

    [policy] = loaded(written).policy_set.policies
    assert policy == "deploy"
    assert written.isprintable() or "\n" in written
    assert not any("# allow:" in line for line in written.splitlines())


def test_what_is_refused_is_comments_alone() -> None:
    text = role("groups", "x\n", "x").replace(b"\\n", b"")
    translation, problems = translate("vault", text, "a\npolicies: {}", issuer=GITHUB)
    assert translation is None

    written = not_carried_text(problems, "vault, a\npolicies: {}")

    assert all(line.startswith("# ") for line in written.splitlines())
    assert read(written, "comments").value == {}


@pytest.mark.parametrize("form", ["octo-sts", "aws", "vault"])
@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_in_words(form: Any, text: bytes) -> None:
    try:
        translation, problems = translate(form, text, "x", issuer=GITHUB)
    except ConfigurationError:
        return
    assert translation is None
    assert problems


@pytest.mark.parametrize("form", ["aws", "vault"])
@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["Statement", "Version", "Role", "data", "bound_claims", "role_type", "user_claim"]
        ),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=2),
                st.dictionaries(
                    st.sampled_from(
                        ["Effect", "Principal", "Federated", "Action", "Condition", "StringEquals",
                         "AssumeRolePolicyDocument", "sub"]
                    ),
                    inner,
                    max_size=4,
                ),
            ),
            max_leaves=6,
        ),
        max_size=3,
    )
)  # fmt: skip
def test_any_shape_is_refused_in_words(form: Any, shape: dict[str, Any]) -> None:
    try:
        translation, problems = translate(form, json.dumps(shape).encode(), "x", issuer=GITHUB)
    except ConfigurationError:
        return
    assert translation is None
    assert problems
