"""What pins a tenant and what does not (contract §4, attacks rows 52, 61, 68, 94, 162, 164)."""

from typing import Any

import pytest

from broker.core.conditions import AnyOf, Condition, Equals, Glob, Not, Present, Regex
from broker.core.policy import Issuer
from broker.core.tenant_floor import pins_tenant
from tests.core.builders import an_issuer, some_conditions


def pins(match: dict[str, Any], issuer: Issuer) -> bool:
    return pins_tenant(some_conditions(match, issuer.platform), issuer)


@pytest.mark.parametrize(
    "match",
    [
        {"repository_id": 456789},
        {"repository_id": ["1", "2"]},
        {"repository_owner_id": "123456"},
        {"repository": "acme/web"},
        {"repository": ["acme/web", "acme/api"]},
        {"repository": Glob("acme/*")},
        {"repository": Glob("acme/**")},
        {"repository": Glob("acme/w?b*")},
        {"repository": ["acme/web", Glob("acme-two/*")]},
        {"repository_owner": "acme"},
        {"sub": "repo:acme/web"},
        {"sub": "repo:acme/web:ref:refs/heads/main"},
        {"sub": "repo:acme@123456/web@456789:environment:prod"},
        {"sub": "repository_id:456789"},
        {"sub": "repository_owner_id:123456:ref:refs/heads/main"},
        {"sub": "repository_owner:acme:repository_visibility:private"},
        {"sub": ["repo:acme/web:pull_request", "repository_id:1"]},
        {"ref": "refs/heads/main", "event_name": Glob("*"), "repository_id": 1},
    ],
)
def test_a_literal_github_tenant_is_pinned(match: dict[str, Any]) -> None:
    assert pins(match, an_issuer("github"))


@pytest.mark.parametrize(
    "match",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"repository_id": Glob("1*")}, id="a glob over an id"),
        pytest.param({"repository_id": Regex("1")}, id="a regex"),
        pytest.param({"repository_id": Present()}, id="present"),
        pytest.param({"repository_id": Not(Glob("1"))}, id="not"),
        pytest.param({"repository_id": ["1", Glob("2*")]}, id="one pattern in a list of literals"),
        pytest.param({"repository_owner": Glob("acme")}, id="a glob over the owner"),
        pytest.param({"repository": Glob("*/web")}, id="a wildcard owner"),
        pytest.param({"repository": Glob("acme*/web")}, id="a wildcard in the owner"),
        pytest.param({"repository": Glob("acme*")}, id="a prefix of the owner"),
        pytest.param({"repository": Glob("acm?/web")}, id="a question mark in the owner"),
        pytest.param({"repository": Glob("**")}, id="anything"),
        pytest.param({"repository": Glob("/web")}, id="an empty owner"),
        pytest.param({"repository": Regex("acme/.*")}, id="a regex with an owner"),
        pytest.param({"repository": Not(Glob("acme/*"))}, id="not an owner"),
        pytest.param(
            {"repository": ["acme/web", Glob("*/web")]}, id="one wildcard owner in a list"
        ),
        pytest.param({"sub": "environment:production"}, id="a sub led by an environment"),
        pytest.param({"sub": "job_workflow_ref:acme/web/.github/x"}, id="a sub led by a workflow"),
        pytest.param({"sub": "repository_visibility:private"}, id="a sub led by a visibility"),
        pytest.param({"sub": "repo:"}, id="a sub without a value"),
        pytest.param({"sub": "repo:acme"}, id="a sub with an owner alone"),
        pytest.param({"sub": "repo:acme/"}, id="a sub without a repository"),
        pytest.param({"sub": "repo:/web"}, id="a sub without an owner"),
        pytest.param({"sub": "repo:acme/*:ref:x"}, id="a sub that looks like a glob"),
        pytest.param({"sub": "repo:acme*/web"}, id="a sub that looks like a glob of owners"),
        pytest.param({"sub": "repository_id:"}, id="a sub with an empty id"),
        pytest.param({"sub": "xrepo:acme/web"}, id="a sub with something before"),
        pytest.param({"sub": "REPO:acme/web"}, id="a sub in capitals"),
        pytest.param({"sub": Glob("repo:acme/web:*")}, id="a glob over sub"),
        pytest.param({"sub": ["repo:acme/web", "environment:x"]}, id="one tenantless sub of two"),
        pytest.param({"/x/repository_id": "1"}, id="a pointer"),
        pytest.param({"/repository_id/x": "1"}, id="a pointer into a tenant claim"),
        pytest.param({"workflow": "Deploy"}, id="a workflow name"),
        pytest.param({"actor": "octocat", "actor_id": "1"}, id="an actor"),
        pytest.param({"ref": "refs/heads/main", "environment": "prod"}, id="a branch"),
        pytest.param({"enterprise": "acme", "enterprise_id": "1"}, id="an enterprise"),
        pytest.param({"aud": "https://broker.example"}, id="the audience"),
        pytest.param({"project_id": "1"}, id="another platform's claim"),
        pytest.param({"Repository_id": "1"}, id="a claim in other capitals"),
    ],
)
def test_anything_else_pins_no_github_tenant(match: dict[str, Any]) -> None:
    assert not pins(match, an_issuer("github"))


@pytest.mark.parametrize(
    "match",
    [
        {"project_id": 4242},
        {"namespace_id": ["77", "78"]},
        {"project_path": "acme/platform/web"},
        {"project_path": Glob("acme/**")},
        {"namespace_path": "acme"},
        {"namespace_path": Glob("acme/*")},
        {"sub": "project_path:acme/web"},
        {"sub": "project_path:acme/web:ref_type:branch:ref:main"},
        {"sub": "project_id:4242:ref:main"},
    ],
)
def test_a_literal_gitlab_tenant_is_pinned(match: dict[str, Any]) -> None:
    assert pins(match, an_issuer("gitlab"))


@pytest.mark.parametrize(
    "match",
    [
        {"project_path": Glob("*/web")},
        {"namespace_path": Glob("acme*")},
        {"project_id": Regex("4242")},
        {"user_login": "someone"},
        {"job_project_id": "4242"},
        {"ref_protected": True},
        {"sub": "ref_type:branch:ref:main"},
        {"sub": "project_path:"},
        {"sub": "project_path:acme/*:ref:main"},
        {"sub": "repo:acme/web"},
        {"repository_id": "1"},
    ],
)
def test_anything_else_pins_no_gitlab_tenant(match: dict[str, Any]) -> None:
    assert not pins(match, an_issuer("gitlab"))


def test_without_a_preset_the_named_tenant_claims_pin() -> None:
    issuer = an_issuer("ci", tenant=("organization_id", "cluster"))

    assert pins({"organization_id": "acme-1"}, issuer)
    assert pins({"cluster": ["a", "b"]}, issuer)
    assert not pins({"organization_id": Glob("acme-*")}, issuer)
    assert not pins({"organization_id": Not(Glob("x"))}, issuer)
    assert not pins({"sub": "organization:acme:pipeline:web"}, issuer)
    assert not pins({"repository_id": "1"}, issuer)
    assert not pins({"/kubernetes.io/namespace": "prod"}, issuer)


def test_a_pointer_pins_nothing_even_where_the_issuer_names_it() -> None:
    issuer = an_issuer("ci", tenant=("/kubernetes.io/namespace",))

    assert not pins({"/kubernetes.io/namespace": "prod"}, issuer)


def test_an_issuer_of_a_single_tenant_needs_no_pin() -> None:
    assert pins({}, an_issuer("ci", tenant=(), single_tenant=True))


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_a_platform_is_never_of_a_single_tenant(name: str) -> None:
    assert not pins({"ref": "main"}, an_issuer(name, single_tenant=True))


def test_what_the_issuer_requires_of_every_token_may_pin() -> None:
    require = some_conditions({"repository_owner_id": "123456"})

    assert pins({}, an_issuer("github", require=require))
    assert pins({"ref": "refs/heads/main"}, an_issuer("github", require=require))
    assert not pins({}, an_issuer("github", require=some_conditions({"ref": "refs/heads/main"})))


def test_every_item_of_a_list_pins_the_tenant_of_an_issuer_without_preset() -> None:
    issuer = an_issuer("ci")
    mixed = AnyOf((Equals("7"), Glob("**")))

    assert pins_tenant([Condition("organization_id", AnyOf((Equals("7"), Equals("8"))))], issuer)
    assert not pins_tenant([Condition("organization_id", mixed)], issuer)


@pytest.mark.parametrize(
    ("issuer", "sub"),
    [
        ("github", "repo:acme/w*"),
        ("github", "repo:acme/web/more"),
        ("github", "repo:acme/web@1"),
        ("gitlab", "namespace_path:acme"),
    ],
)
def test_a_sub_that_begins_otherwise_pins_nothing(issuer: str, sub: str) -> None:
    assert not pins_tenant([Condition("sub", Equals(sub))], an_issuer(issuer))
