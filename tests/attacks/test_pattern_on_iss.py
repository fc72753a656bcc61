"""Row 67: an issuer given as a pattern, which a host of somebody else's fits as well."""

from collections.abc import Iterator

import pytest

from tests.attacks.configuration import problem_of
from tests.attacks.own_tenants import assert_permitted_by
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

FILE = "issuers:\n  corp: {{single_tenant: true, {field}}}\n"
POLICIES = """\
policies:
  any-iss:
    service_account: deploy-web
    issuer: gitlab-corp
    match: {project_id: 21, iss: {regex: "https://.*[.]corp[.]example"}}
"""


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("issuer: 'https://.*\\.example\\.com'", "must be a URL"),
        ("issuer: '^https://ci\\.example\\.com$'", "must be a URL"),
        ("issuer: 'https://(a|b).example.com'", "must be a URL"),
        ("issuer: 'https://*.example.com'", "no wildcard"),
        ("issuer: 'https://ci.example.com/*'", "no wildcard"),
        ("issuer: 'https://ci.example.com/**'", "no wildcard"),
        ("issuer: 'https://**'", "no wildcard"),
        ("issuer: {glob: 'https://*.example.com'}", "must be text"),
        ("issuer: {regex: 'https://.*'}", "must be text"),
        ("issuer: ['https://a.example.com', 'https://b.example.com']", "must be text"),
    ],
)
def test_an_issuer_is_one_url(field: str, word: str) -> None:
    problem = problem_of(FILE.format(field=field))

    assert problem.startswith("policies.yaml:2:39: ")
    assert word in problem


@pytest.mark.parametrize("field", ["issuer_pattern", "issuer_regex", "issuer_glob"])
def test_there_is_no_other_field_for_it(field: str) -> None:
    problem = problem_of(FILE.format(field=f"issuer: 'https://a.example', {field}: 'https://.*'"))

    assert problem.startswith("policies.yaml:2:")
    assert f"no field `{field}`" in problem


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.corp.example.evil.example",
        "https://gitlabxcorp.example",
        "https://gitlab.corpxexample",
        "https://evil.example/gitlab.corp.example",
        "https://evil.example/https://gitlab.corp.example",
        "https://gitlab.corp.example/x",
        "https://x.corp.example",
    ],
)
def test_a_dot_in_it_is_a_dot(broker: RunningBroker, url: str) -> None:
    token = broker.gitlab_token(iss=url, project_id="21")

    assert_refused(broker, broker.exchange(token), "issuer_not_trusted")


def test_a_condition_on_iss_widens_nothing(broker: RunningBroker) -> None:
    """A policy is one issuer's: the token of another never meets it, whatever `iss` says."""
    elsewhere = broker.gitlab_token(project_id="21", ref_protected="false")
    at_home = broker.gitlab_corp.token(
        {"sub": "x", "project_id": "21", "pipeline_id": "1", "job_id": "1",
         "pipeline_source": "push"},
        audience="https://broker.example",
    )  # fmt: skip

    assert_refused(broker, broker.exchange(elsewhere), "no_policy_matched")
    assert_permitted_by(broker, broker.exchange(at_home), "any-iss")
