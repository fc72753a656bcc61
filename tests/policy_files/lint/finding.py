"""Linting policy texts in tests: a base that uses all it defines, and marked texts beside it."""

from typing import Any

from broker.policy_files.check import CheckReport, PlacedFinding, check
from tests.policy_files.loading import load_alone
from tests.yaml_document.marked import split_marks

NOW = 1_795_300_000
"""2026-11-21."""

BASE = """\
issuers:
  github: {preset: github}
  gitlab: {preset: gitlab}
services:
  deploy-api:
    audience: https://deploy.acme.example
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
  plain: {audience: "https://plain.acme.example"}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}
  read-web: {grants: {deploy-api: [deploy:read]}}
  plain-web: {grants: {plain: []}}
"""
IDS = "repository_id: 456789, repository_owner_id: 1234567"
PROJECT = "project_id: 4711, namespace_id: 42"
MAIN = f"{IDS}, ref: refs/heads/main"
ISSUERS = (
    "issuers:\n  corp: {preset: gitlab, issuer: 'https://g.example', require: {namespace_id: 42}}\n"
)


def report_on(*texts: str, now: float = NOW, **settings: Any) -> CheckReport:
    """Check texts, `test.yaml` and on, beside the base."""
    files = {"base.yaml": BASE}
    files |= {f"test{number or ''}.yaml": text for number, text in enumerate(texts)}
    return check([load_alone(files, **settings)], now)


def findings_in(text: str, **settings: Any) -> list[PlacedFinding]:
    """Give the findings in a text, not those in the base."""
    report = report_on(text, **settings)
    return [found for found in report.findings if found.file == "test.yaml"]


def codes_in(text: str, **settings: Any) -> list[str]:
    """Give the codes of the findings in a text, by place."""
    return [found.lint.code for found in findings_in(text, **settings)]


def assert_found(marked: str, *codes: str, **settings: Any) -> list[PlacedFinding]:
    """Assert that a text has one finding at each mark, with these codes; give the findings."""
    text, expected = split_marks(marked)

    found = findings_in(text, **settings)

    assert [(each.line, each.column) for each in found] == expected, list(map(str, found))
    assert [each.lint.code for each in found] == list(codes)
    return found


def policy(match: str, issuer: str = "github", **fields: str) -> str:
    """Write one allow policy `p`, its `match` in flow style on a line of its own."""
    lines = {"service_account": "deploy-web"} | fields
    written = "".join(f"    {key}: {text}\n" for key, text in lines.items())
    return f"policies:\n  p:\n    issuer: {issuer}\n    match: {{{match}}}\n{written}"


def policies(**entries: dict[str, str]) -> str:
    """Write allow policies for deploy-web from GitHub unless their fields say otherwise."""
    text = "policies:\n"
    for name, fields in entries.items():
        text += f"  {name}:\n"
        usual = {"issuer": "github"}
        if fields.get("effect") != "deny":
            usual["service_account"] = "deploy-web"
        match = f"{{{fields['match']}}}"
        for key, value in (usual | fields | {"match": match}).items():
            text += f"    {key}: {value}\n"
    return text
