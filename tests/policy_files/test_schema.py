"""The JSON Schema refuses what is of the wrong shape and accepts whatever loads."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from broker.core.errors import ConfigurationError
from broker.policy_files.document_entries import MODELS
from broker.policy_files.models import (
    ExpectedPermitModel,
    Match,
    PolicyTestModel,
    PolicyTestRequestModel,
)
from broker.policy_files.schema import policy_schema
from broker.policy_files.schema_texts import FIELD_TEXTS
from tests.policy_files.loading import load_alone

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "policies").rglob("*.yaml"))

SCHEMA = policy_schema()
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())

# One file in which every field is written.
COMPLETE: dict[str, Any] = {
    "organizations": {"acme": {"description": "The company"}},
    "issuers": {
        "github": {"preset": "github"},
        "gitlab-corp": {
            "preset": "gitlab",
            "issuer": "https://gitlab.corp.example",
            "jwks_uri": "https://keys.corp.example/jwks?x=1",
            "proxy": "http://proxy.corp.example:3128",
            "audiences": ["https://broker.example.com"],
            "algorithms": ["RS256", "EdDSA"],
            "max_token_lifetime": "1h",
            "replay": "per_audience",
            "require": {"namespace_id": 42},
            "enabled": True,
            "contact": "platform@corp.example",
        },
        "buildkite": {"issuer": "https://agent.buildkite.example", "tenant": ["organization_id"]},
        "own": {"issuer": "https://ci.acme.example/a@b", "single_tenant": True},
    },
    "services": {
        "deploy-api": {
            "audience": "https://deploy.example.com",
            "scopes": {"deploy:read": "See deployments", "deploy:write": "Start one"},
            "ttl": "10m",
            "max_ttl": "24h",
            "signing_alg": "RS256",
            "token_typ": "at+jwt",
            "workload": "full",
            "require": {"runner_environment": "github-hosted"},
            "introspection": ["deploy-gateway"],
            "organizations": ["acme"],
        },
        "plain": {"audience": "https://plain.example.com"},
        "aws": {
            "audience": "sts.amazonaws.com",
            "profile": "aws",
            "claims": {
                "team": "{metadata.team}",
                "groups": ["ci", "repo:{workload.repository_id}"],
                "access": [{"type": "repository", "actions": ["pull", "{sub}"]}],
            },
            "session_tags": {"team": "{metadata.team}", "cost center": "x"},
            "transitive_tags": ["team"],
        },
    },
    "service_accounts": {
        "deploy-web": {
            "description": "Deploys acme/web",
            "owner": "team-web",
            "organization": "acme",
            "grants": {"deploy-api": ["deploy:*"], "plain": [], "aws": []},
            "ttl": "10m",
            "max_ttl": "30m",
            "metadata": {"team": "web", "tier": 1, "live": True},
            "secrets": "forbidden",
            "enabled": True,
            "instances": ["repository_id"],
        },
        "device": {
            "grants": {"plain": []},
            "secrets": "allowed",
            "jwks_uri": "https://device.example.com/jwks",
        },
    },
    "policies": {
        "web": {
            "description": "main and release branches",
            "service_account": "deploy-web",
            "issuer": "github",
            "effect": "allow",
            "match": {
                "repository": "acme/web",
                "repository_owner_id": 1234567,
                "ref": ["refs/heads/main", {"glob": "refs/heads/release/*"}],
                "environment": {"not": ["staging", {"regex": "test-[0-9]+"}]},
                "actor": {"present": True},
                "/a/b~1c": {"not": {"glob": "x"}},
            },
            "grants": {"deploy-api": ["deploy:write"]},
            "ttl": "5m",
            "max_ttl": "10m",
            "expires": "2027-06-30",
            "mode": "observe",
            "owner": "team-web",
            "ticket": "OPS-7",
        },
        "no-forks": {
            "effect": "deny",
            "issuer": "github",
            "match": {"event_name": {"glob": "pull_request*"}},
            "services": ["deploy-api"],
        },
    },
    "tests": [
        {
            "name": "main deploys",
            "issuer": "github",
            "base": "push",
            "claims": {"repository": "acme/web", "actor": None, "groups": []},
            "request": {
                "audience": "deploy-api",
                "scope": "deploy:write",
                "client_id": "deploy-web",
                "expires_in": 300,
            },
            "expect": {"permit": {"service_account": "deploy-web", "scopes": [], "ttl": "5m"}},
        },
        {
            "name": "forks do not",
            "issuer": "github",
            "request": {"expires_in": "2h"},
            "expect": {"deny": "no_policy_matched"},
        },
        {"name": "nobody does", "issuer": "gitlab-corp", "expect": "deny"},
    ],
}

# What a schema of one file cannot know: other entries, the broker, what a pattern or a URL means.
BEYOND_SHAPE = re.compile(
    "there is no (issuer|service|organization)"
    "|no file defines the account"
    "|has no (scope|scopes|event)"
    "|any tenant of issuer"
    "|pins a tenant only"
    "|names (a|no) tenant"
    "|wildcard in the first segment"
    "|no immutable id of issuer"
    "|already (defined|that of)"
    "|audience of tokens for another system"
    "|is the name of another service"
    "|tokens of this host need"
    "|not a pattern of RE2"
    "|must (be a URL|begin with|have no path)"
    "|broker has no key"
    "|the broker itself"
    "|in this version"
    "|`base` needs an issuer with a preset"
    "|cannot be read"
    # What templates name, and what profiles take.
    "|there is no tag"
    "|in case alone"
    "|belongs to others"
    "|already means something"
    "|tags of an AWS session"
    "|goes into tokens of"
    "|name the account's"
    "|longer than 256 characters"
    "|tokens of profile"
    "|which belongs to"
    "|takes (one audience|RS256)"
    "|could have [0-9]+ bytes"
    # A key set is judged by what reads those of issuers.
    "|^`jwks`: "
    # YAML's own, at any depth of `claims`.
    "|an empty key"
)


def loads(content: object) -> ConfigurationError | None:
    try:
        load_alone({"test.yaml": json.dumps(content, ensure_ascii=False)})
    except ConfigurationError as error:
        return error
    return None


def complaints(content: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(content)]


def test_the_schema_is_one_of_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_in_the_documentation_is_the_one_that_is_printed() -> None:
    page = ROOT / "docs/reference/policies.schema.json"

    assert json.loads(page.read_text()) == SCHEMA, "broker policies schema > " + str(page)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_policies_fit_the_schema(path: Path) -> None:
    assert complaints(yaml.safe_load(path.read_text())) == []


def test_a_file_with_every_field_loads_and_fits_the_schema() -> None:
    assert loads(COMPLETE) is None
    assert complaints(COMPLETE) == []


def test_the_file_with_every_field_lacks_only_what_needs_other_files() -> None:
    written = {
        section: {field for entry in COMPLETE[section].values() for field in entry}
        for section in MODELS
    }

    lacking = {
        (section, field)
        for section, model in MODELS.items()
        for field in set(model.model_fields) - written[section]
    }
    assert lacking == {
        ("issuers", "jwks_file"),
        ("issuers", "ca_file"),
        ("service_accounts", "jwks"),
    }


def test_every_field_of_every_entry_is_described() -> None:
    models: list[type[BaseModel]] = [*MODELS.values()]
    models += [PolicyTestModel, PolicyTestRequestModel, ExpectedPermitModel]
    fields = [set(model.model_fields) for model in models]

    assert [set(texts) for texts in FIELD_TEXTS.values()] == fields


def test_conditions_are_typed_wherever_they_stand() -> None:
    sections = {"issuers": "issuer", "services": "service", "policies": "policy"}

    for section, model in MODELS.items():
        for name, field in model.model_fields.items():
            if field.annotation in (Match, Match | None) and name in ("match", "require"):
                schema = SCHEMA["$defs"][sections[section]]["properties"][name]
                assert schema["$ref"] == "#/$defs/conditions", (section, name)


# --- both refuse, both accept ---------------------------------------------------------------------

VALUES: list[Any] = [
    None, "", " ", "x", " x", "x ", "a\nb", [], {}, [""], [None], ["x"], [["x"]], [{}], {"": "x"},
    0, 7, -1, 2**60, True, False, [7], {"x": "y"}, {"x": None}, {"glob": "acme/*"}, {"glob": ""},
    {"glob": ["a"]}, {"regex": "a|b"}, {"regex": 7}, {"not": "a"}, {"not": []}, {"not": ["a"]},
    {"not": {"not": "a"}}, {"not": {"present": True}}, {"present": True}, {"present": False},
    {"glob": "a", "regex": "b"}, {"equals": "a"}, [{"not": "a"}], [{"glob": "a/*"}],
    [{"present": True}], "10m", "0m", "010m", "24h", "25h", "1441m", "86400s", "86401s", "10 m",
    "30d", "31d", "9999999999s", "2027-06-30", "2027-02-30", "2027-13-01", "20270630", "deny",
    "allow", "permit", "observe", "github", "gitlab", "RS256", "HS256", ["none"], "JWT", "ids",
    "https://a.example", "http://a.example", "https://u:p@a.example", "https://a.example/?q",
    "https://a.example/#f", "ftp://a.example", "HTTPS://a.example", "//a", "broker", "é", "a b",
    "push", "pull", {"permit": {}}, {"permit": {"ttl": "5m"}}, {"permit": {"ttl": 5}},
    {"deny": "blocked"}, {"deny": "nope"}, {"permit": "x", "deny": "blocked"}, ["sub"], ["iss"],
    ["/a/b"], ["a:b"], ["a", "a"], {"a:b": "c"}, {"a b": "c"}, {"deploy-api": []},
    {"deploy-api": ["deploy:*"]}, {"deploy-api": ["*"]}, {"deploy-api": ["de*y"]},
    {"deploy-api": "deploy:read"}, {"broker": ["x"]}, "{sub}", "{x}", "a{", "aws", "kubernetes",
    {"x": "{sub}"}, {"x": ["y", "{sub}"]}, {"x": [{"y": "z"}]}, {"x": [{"y": ["z"]}]}, {"sub": "x"},
    {"Sub": "x"}, {"x": [{"y": {"z": "a"}}]}, {"x": [["y"]]}, {"x": {"y": "z"}}, {"aws:x": "y"},
    {"x": "a,b"}, {"x": "é"}, {"x": "y", "X": "y"}, {"https://a.example/x": "y"}, {"x": 7},
    {"https://aws.amazon.com/tags": "x"}, [{"y": "z"}, "x"], ["x", "x"], ["team", "team"],
    {"/a": "b"}, {"/a/b": "c"}, {"/a/0": "c"},
    {"/a//b": "c"}, {"/a/~2": "c"}, {"a ": "b"},
]  # fmt: skip
KEYS = [
    "", " ", "x", "m-x", "-x", "broker", "Ä", "a b", "x" * 101, "match", "services", "jwks_uri",
    "jwks_file", "tenant", "profile", "claims", "session_tags", "sub", "aws:x", "kubernetes.io",
    "single_tenant", "effect", "grants", "/a", "/a/b", "/a/1",
]  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


# Which characters beyond ASCII can be printed is no pattern that every editor knows.
ASCII = st.characters(min_codepoint=32, max_codepoint=126)
PATHS = [path for path in paths(COMPLETE) if path]


def changed(path: tuple[Any, ...], key: str | None, value: Any) -> dict[str, Any]:
    """The complete file with one value replaced, or (with a key) one member added beside it.

    A value of `...` takes the member away.
    """
    content = copy.deepcopy(COMPLETE)
    parent: Any = content
    for step in path[:-1]:
        parent = parent[step]
    if key is not None and isinstance(parent, dict):
        parent[key] = None if value is ... else value
    elif value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return content


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from(PATHS),
    key=st.none() | st.sampled_from(KEYS),
    value=st.sampled_from([..., *VALUES]) | st.text(ASCII, max_size=5),
)
@example(("policies", "web", "match"), None, {})
@example(("policies", "web", "expires"), None, "2027-02-30")
def test_whatever_is_changed_the_schema_refuses_what_the_shape_refuses_and_nothing_else(
    path: tuple[Any, ...], key: str | None, value: Any
) -> None:
    content = changed(path, key, value)

    refused = loads(content)
    told = complaints(content)

    if refused is None:
        assert told == []
    elif not told:
        messages = [problem.message for problem in refused.problems]
        assert all(BEYOND_SHAPE.search(message) for message in messages), messages
