"""Rows 76, 77, 79-84, 86: files that read otherwise than they look, or that say nothing.

A broker does not start with one of them, and says of all of them at once where and how to mend it.
What each spelling alone comes to is in `tests/yaml_document` and `tests/policy_files`.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    faults_at_start,
    from_github,
    policies_of_own_tenants,
)
from tests.special_brokers import special_broker
from tests.yaml_document.marked import split_marks

POLICY = """\
policies:
  {name}:
    service_account: deploy-web
    issuer: github
    match: {{repository_id: 456789, {condition}}}
"""
DENY = "{effect: deny, issuer: github, match: {ref: x}}"
TREE = "\n".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 10)
)

# File → text with a mark before each fault, and a word of how to mend each.
TRICKS = {
    # row 79
    "python-tag": ('tests: ►!!python/object/apply:os.system ["touch pwned"]\n', ["tag"]),
    "binary-tag": ("tests: ►!!binary aGk=\n", ["tag"]),
    "set-tag": ("policies: ►!!set {a, b}\n", ["tag"]),
    # rows 80, 81
    "recursive": ("policies: ►&a [►*a]\n", ["anchor", "alias"]),
    "merge": (
        "base: ►&b {issuer: github}\npolicies:\n  p:\n    ►<<: ►*b\n",
        ["anchor", "merge key", "alias"],
    ),
    # row 82
    "duplicate-policy": (
        f"policies:\n  p: {DENY}\n  ►p: {DENY}\n",
        ["first in line 2"],
    ),
    "duplicate-match": (
        POLICY.format(name="dup", condition="sub: a, ►sub: b"),
        ["twice"],
    ),
    # row 83
    "norway": (POLICY.format(name="norway", condition="environment: ►no"), ['quote it: "no"']),
    "octal": (POLICY.format(name="octal", condition="run_id: ►0123"), ["octal"]),
    "hexadecimal": (POLICY.format(name="hex", condition="sha: ►0x1f"), ["base"]),
    "sexagesimal": (POLICY.format(name="sixty", condition="ref: ►12:30:45"), ["base 60"]),
    "grouped": (POLICY.format(name="grouped", condition="run_id: ►1_000"), ["`_`"]),
    "date": (POLICY.format(name="date", condition="ref: ►2024-01-01"), ['quote it: "2024']),
    "commit": (POLICY.format(name="commit", condition="sha: ►1234e56"), ["exponent"]),
    "on-as-key": ("►on: {push: x}\n", ['quote it: "on"']),
    # row 84
    "deep": ("tests: " + "[" * 31 + "►" + "[" * 5000 + "\n", ["nested deeper than 32"]),
    # row 86
    "second-document": ("organizations: {a: {description: A}}\n►---\npolicies: {}\n", ["document"]),
    "byte-order-mark": ("►\ufefforganizations: {b: {description: B}}\n", ["byte order mark"]),
    "carriage-return": ("organizations: {c: {description: C}}►\r\n", ["LF"]),
    "tab": ("organizations:\n►\tc: {description: C}\n", ["spaces"]),
    "hidden": (POLICY.format(name="hidden", condition="ref: main►\u200b"), ["U+200B"]),
    "bidi": (POLICY.format(name="bidi", condition='ref: "main►\u202e"'), ["U+202E"]),
    "nul": (POLICY.format(name="nul", condition='ref: ►"main\\0"'), ["U+0000"]),
    # row 76
    "no-map": ("policies:►\n", ["is empty"]),
    "empty-match": (
        "policies:\n  p:\n    service_account: deploy-web\n    issuer: github\n    match: ►{}\n",
        ["is empty"],
    ),
    "null-match": (POLICY.format(name="nothing", condition="ref: ►null"), ["is empty"]),
    "empty-list": (POLICY.format(name="none", condition="ref: ►[]"), ["is empty"]),
    "empty-text": (POLICY.format(name="blank", condition='ref: ►""'), ["matches nothing"]),
    "no-grants": (
        POLICY.format(name="idle", condition="ref: x") + "    grants: ►{}\n",
        ["is empty"],
    ),
    # row 77
    "typo": (
        POLICY.format(name="typo", condition="ref: x") + "    ►enviroment: prod\n",
        ["no field"],
    ),
    "typo-in-effect": (
        POLICY.format(name="typed", condition="ref: x") + "    ►efect: deny\n",
        ["did you mean `effect`?"],
    ),
    "unknown-map": ("►polices: {a: {effect: deny}}\n", ["did you mean `policies`?"]),
    "unknown-operator": (
        POLICY.format(name="operator", condition="ref: ►{globs: x}"),
        ["did you mean `glob`?"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    texts = {f"{name}.yaml": split_marks(text)[0] for name, (text, _) in TRICKS.items()}
    return faults_at_start(tmp_path_factory.mktemp("broker"), texts)


@pytest.mark.parametrize("name", TRICKS)
def test_a_broker_does_not_start_with_it(faults: dict[str, list[str]], name: str) -> None:
    marked, words = TRICKS[name]
    _, places = split_marks(marked)

    found = faults[f"{name}.yaml"]

    assert [fault.partition(": ")[0] for fault in found] == [
        f"{line}:{column}" for line, column in places
    ]
    for fault, word in zip(found, words, strict=True):
        assert word in fault


def test_nor_with_a_tree_of_aliases(tmp_path: Path) -> None:
    """Read in milliseconds, it would be walked for ever."""
    faults = faults_at_start(tmp_path, {"laughs.yaml": f"a0: &a0 [lol]\n{TREE}\n"})["laughs.yaml"]

    assert any("anchor" in fault for fault in faults)
    assert any("alias" in fault for fault in faults)
    assert "more problems in this file" in str(faults)


def test_nothing_that_they_say_is_done(tmp_path: Path) -> None:
    faults_at_start(tmp_path, {"python-tag.yaml": TRICKS["python-tag"][0].replace("►", "")})

    assert not Path("pwned").exists()


def test_a_file_of_any_size_is_told_apart_from_a_policy(tmp_path: Path) -> None:
    faults = faults_at_start(tmp_path, {"big.yaml": "a: " + "[" * (1 << 20)})

    assert "larger than" in str(faults)


def test_the_sound_files_beside_them_are_not_blamed(faults: dict[str, list[str]]) -> None:
    assert "octo.yaml" not in faults


def test_what_is_quoted_is_what_it_looks_like(tmp_path: Path) -> None:
    conditions = {
        "country": 'environment: "no"',
        "digits": 'run_id: "0123"',
        "time": 'workflow: "12:30:45"',
        "commit": 'sha: "1234e56"',
        "word": 'workflow: "null"',
    }
    same: dict[str, dict[str, Any]] = {
        "country": {"environment": "no"},
        "digits": {"run_id": "0123"},
        "time": {"workflow": "12:30:45"},
        "commit": {"sha": "1234e56"},
        "word": {"workflow": "null"},
    }
    converted: dict[str, dict[str, Any]] = {
        "country": {"environment": "false"},
        "digits": {"run_id": "83"},
        "time": {"workflow": "45045"},
        "commit": {"sha": "inf"},
        "word": {"workflow": None},
    }

    policies = "policies:\n" + policies_of_own_tenants(conditions)
    with special_broker(tmp_path, policies) as broker:
        for name in conditions:
            assert_permitted_by(broker, from_github(broker, name, **same[name]), name)
            assert_no_policy(broker, from_github(broker, name, **converted[name]))
