"""Loading policy texts in tests: a sound base file, and marked texts beside it."""

from collections.abc import Mapping
from typing import Any

import pytest

from broker.core.errors import ConfigurationError, Problem
from broker.policy_files import LoadedPolicies, load_texts
from tests.yaml_document.marked import MARK, places_of, split_marks

BROKER = "https://broker.example.com"

BASE = """\
organizations:
  acme: {description: The company}
issuers:
  github: {preset: github}
  gitlab: {preset: gitlab}
  buildkite: {issuer: "https://agent.buildkite.example", tenant: [organization_id]}
  single: {issuer: "https://ci.acme.example", single_tenant: true}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {deploy:read: See, deploy:write: Start, admin: All}
  plain: {audience: https://plain.example.com}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}
  repo-ci: {grants: {deploy-api: [deploy:read]}, instances: [repository_id]}
  per-branch: {grants: {deploy-api: [deploy:read]}, instances: [ref]}
"""


def load_beside_base(text: str | bytes, **settings: Any) -> LoadedPolicies:
    """Load a text as `test.yaml` beside the base."""
    return load_alone({"base.yaml": BASE, "test.yaml": text}, **settings)


def load_alone(texts: Mapping[str, str | bytes], **settings: Any) -> LoadedPolicies:
    """Load texts with the settings of a usual broker."""
    usual: dict[str, Any] = {
        "broker_issuer": BROKER,
        "token_defaults": (600, 3600),
        "signing_algorithms": ["RS256", "ES256"],
        "loopback": False,
    }
    return load_texts(texts, **usual | settings)


def problems_beside_base(text: str | bytes, **settings: Any) -> tuple[Problem, ...]:
    """Give the problems of a text beside the base."""
    with pytest.raises(ConfigurationError) as caught:
        load_beside_base(text, **settings)
    return caught.value.problems


def assert_refused(marked: str, *words: str, **settings: Any) -> None:
    """Assert that a text has one problem at each mark, whose messages hold the words in turn.

    One word may serve all marks.
    """
    text, expected = split_marks(marked)

    problems = problems_beside_base(text, **settings)

    assert places_of(problems) == expected, [str(problem) for problem in problems]
    assert {problem.file for problem in problems} == {"test.yaml"}
    for index, problem in enumerate(problems):
        assert words[min(index, len(words) - 1)] in problem.message


def policy(match: str, issuer: str = "github", **fields: str) -> str:
    """Write one allow policy `p`, its `match` in flow style."""
    lines = {"service_account": "deploy-web", "issuer": issuer, "match": match} | fields
    return "policies:\n  p:\n" + "".join(
        f"    {key}:{'' if text == MARK else ' '}{text}\n" for key, text in lines.items()
    )
