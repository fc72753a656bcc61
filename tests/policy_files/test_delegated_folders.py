"""What files below a delegated folder may hold; all else is a load error at its place."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.delegation import Delegation
from broker.core.errors import ConfigurationError
from broker.policy_files import LoadedPolicies
from tests.policy_files.loading import load_alone
from tests.yaml_document.marked import places_of, split_marks

WEB = Delegation(
    "teams/web",
    maps=("policies", "tests"),
    effects=("allow",),
    service_accounts=("web-*",),
    services=("deploy-api", "plain"),
)
DENYING = replace(WEB, effects=("allow", "deny"))
DEFINING = replace(WEB, maps=("policies", "tests", "service_accounts", "services"))

PLATFORM = """\
organizations: {acme: {description: The company}}
issuers: {github: {preset: github}, gitlab: {preset: gitlab}}
services:
  deploy-api: {audience: https://deploy.example.com, scopes: {deploy:read: See, admin: All}}
  plain: {audience: https://plain.example.com}
  billing: {audience: https://billing.example.com, scopes: {billing:read: See}}
service_accounts:
  web-ci: {grants: {deploy-api: [deploy:read], plain: []}}
  web-all: {grants: {deploy-api: [admin], billing: [billing:read]}}
  website: {grants: {deploy-api: [deploy:read]}}
  ops: {grants: {deploy-api: [deploy:read]}}
"""
ALLOW = "issuer: github, match: {repository: acme/web}"
DENY = "effect: deny, issuer: github, match: {ref: x}"
SUFFIX = "where `folders` in the configuration allows"


def load(
    text: str, *delegations: Delegation, file: str = "teams/web/p.yaml", **settings: Any
) -> LoadedPolicies:
    texts = {"platform.yaml": PLATFORM, file: text}
    return load_alone(texts, folders=delegations or (WEB,), **settings)


def says(marked: str, *delegations: Delegation, file: str = "teams/web/p.yaml") -> list[str]:
    """Give the messages of a text that must have one problem at each of its marks."""
    text, expected = split_marks(marked)
    with pytest.raises(ConfigurationError) as caught:
        load(text, *delegations, file=file)
    problems = caught.value.problems
    assert places_of(problems) == expected, [str(problem) for problem in problems]
    assert {problem.file for problem in problems} == {file}
    return [problem.message for problem in problems]


# --- maps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "organizations: {other: {description: x}}",
        "issuers: {other: {issuer: https://ci.example, single_tenant: true}}",
        "services: {deploy-api2: {audience: https://d2.example.com}}",
        "service_accounts: {web-new: {grants: {deploy-api: [deploy:read]}}}",
    ],
)
def test_a_map_that_is_not_named_may_not_stand_there(text: str) -> None:
    section = text.partition(":")[0]

    assert says(f"►{text}") == [
        f"`{section}` may not stand below `teams/web/`, {SUFFIX} `policies`, `tests` alone; move it"
    ]


@pytest.mark.parametrize("section", ["policies", "tests"])
def test_neither_may_policies_nor_tests_unless_they_are_named(section: str) -> None:
    text = {
        "policies": f"policies: {{p: {{service_account: web-ci, {ALLOW}}}}}",
        "tests": "tests: [{name: t, issuer: github, expect: deny}]",
    }[section]

    (said,) = says(f"►{text}", Delegation("teams/web", maps=("issuers",)))

    assert said.startswith(f"`{section}` may not stand below `teams/web/`, ")


def test_an_empty_map_may_not_stand_there_either() -> None:
    assert len(says("►issuers: ►{}")) == 2


def test_what_is_named_may_stand_there() -> None:
    loaded = load(
        f"policies: {{p: {{service_account: web-ci, {ALLOW}}}}}\n"
        "tests: [{name: t, issuer: github, expect: deny}]"
    )

    assert set(loaded.policy_set.policies) == {"p"}
    assert len(loaded.tests) == 1


@pytest.mark.parametrize("file", ["teams/api/p.yaml", "teams/web.yaml", "teams/web-2/p.yaml"])
def test_files_elsewhere_may_hold_everything(file: str) -> None:
    load("services: {s: {audience: https://s.example.com}}", file=file)


@pytest.mark.parametrize("file", ["teams/web/a/p.yaml", "teams/web/a/b/p.yml"])
def test_folders_further_down_are_delegated_as_well(file: str) -> None:
    says("►services: {s: {audience: https://s.example.com}}", file=file)


def test_a_file_obeys_every_delegation_above_it() -> None:
    accounts, services = ("web-ci",), ("deploy-api", "billing")
    outer = Delegation("teams", ("policies",), ("allow",), accounts, services)

    said = says(
        f"""\
policies:
  p: {{service_account: ►web-other, {ALLOW}, grants: {{►plain: [], deploy-api: [admin]}}}}
►tests: [{{name: t, issuer: github, expect: deny}}]
""",
        outer,
        WEB,
    )

    assert [each.partition(",")[0] for each in said] == [
        "`web-other` may not be named below `teams/`",
        "`plain` may not be granted below `teams/`",
        "`tests` may not stand below `teams/`",
    ]


# --- effects --------------------------------------------------------------------------------------


def test_a_deny_policy_needs_the_effect() -> None:
    assert says(f"policies: {{d: {{{DENY.replace('deny', '►deny', 1)}, services: [plain]}}}}") == [
        (
            f"policies may not deny below `teams/web/`, {SUFFIX} `allow` alone; mend it,"
            " or move it to a folder that may hold it"
        )
    ]


def test_an_allow_policy_needs_the_effect_also_when_it_does_not_say_so() -> None:
    only_deny = replace(WEB, effects=("deny",))

    (said,) = says(f"policies: {{►p: {{service_account: web-ci, {ALLOW}}}}}", only_deny)
    (same,) = says(
        f"policies: {{p: {{effect: ►allow, service_account: web-ci, {ALLOW}}}}}", only_deny
    )

    assert said == same
    assert said.startswith("policies may not allow below `teams/web/`")


# --- allow ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["ops", "website", "web"])
def test_an_allow_policy_names_an_account_of_the_delegation_alone(account: str) -> None:
    text = f"policies: {{p: {{service_account: ►{account}, {ALLOW}, grants: {{plain: []}}}}}}"

    assert says(text) == [
        (
            f"`{account}` may not be named below `teams/web/`, {SUFFIX} `web-*` alone;"
            " name another, or move it to a folder that may hold it"
        )
    ]


def test_an_allow_policy_grants_services_of_the_delegation_alone() -> None:
    text = (
        f"policies: {{p: {{service_account: web-all, {ALLOW},"
        " grants: {deploy-api: [admin], ►billing: [billing:read], ►broker: ['broker:*']}}}"
    )

    assert says(text) == [
        f"`{name}` may not be granted below `teams/web/`, {SUFFIX} `deploy-api`, `plain` alone;"
        " delete it"
        for name in ("billing", "broker")
    ]


def test_an_allow_policy_without_grants_gives_all_that_the_account_holds() -> None:
    load(f"policies: {{p: {{service_account: web-ci, {ALLOW}}}}}")

    assert says(f"policies: {{p: {{service_account: ►web-all, {ALLOW}}}}}") == [
        (
            "`web-all` also holds `billing`, which may not be granted below `teams/web/`,"
            f" {SUFFIX} `deploy-api`, `plain` alone; give the policy `grants` of its own"
        )
    ]


def test_with_grants_of_its_own_it_may_name_an_account_that_holds_more() -> None:
    load(f"policies: {{p: {{service_account: web-all, {ALLOW}, grants: {{deploy-api: [admin]}}}}}}")


def test_it_may_name_an_account_made_through_the_api_with_grants_alone() -> None:
    load(f"policies: {{p: {{service_account: web-api, {ALLOW}, grants: {{plain: []}}}}}}")

    (said,) = says(f"policies: {{p: {{service_account: ►web-api, {ALLOW}}}}}")
    assert said.startswith("no file defines the account `web-api`")


def test_all_else_of_a_policy_is_free() -> None:
    load(
        f"policies: {{p: {{service_account: web-ci, {ALLOW}, ttl: 5m, max_ttl: 1h, mode: observe,"
        " expires: 2027-06-30, owner: web, ticket: T-1, description: d}}"
    )


def test_an_observed_policy_obeys_as_well() -> None:
    says(f"policies: {{p: {{service_account: ►ops, mode: observe, {ALLOW}}}}}")


# --- deny -----------------------------------------------------------------------------------------


def test_a_deny_policy_names_its_services() -> None:
    load(f"policies: {{d: {{{DENY}, services: [plain, deploy-api]}}}}", DENYING)

    assert says(f"policies: {{►d: {{{DENY}}}}}", DENYING) == [
        (
            "`services` is missing, so the policy would deny every service; name those meant below"
            f" `teams/web/`, {SUFFIX} `deploy-api`, `plain` alone"
        )
    ]


def test_a_deny_policy_never_denies_beyond_the_delegation() -> None:
    assert says(f"policies: {{d: {{{DENY}, services: [plain, ►billing, ►broker]}}}}", DENYING) == [
        f"`{name}` may not be denied below `teams/web/`, {SUFFIX} `deploy-api`, `plain` alone;"
        " delete it"
        for name in ("billing", "broker")
    ]


# --- service accounts and services ----------------------------------------------------------------


def test_an_account_defined_there_is_one_of_the_delegation() -> None:
    load("service_accounts: {web-new: {grants: {plain: []}, max_ttl: 1h, owner: web}}", DEFINING)

    assert says("service_accounts: {►api-new: {grants: {plain: []}}}", DEFINING) == [
        (
            f"`api-new` may not be defined below `teams/web/`, {SUFFIX} `web-*` alone;"
            " rename it, or move it to a folder that may hold it"
        )
    ]


def test_an_account_defined_there_holds_services_of_the_delegation_alone() -> None:
    (said,) = says(
        "service_accounts: {web-new: {grants: {plain: [], ►billing: [billing:read]}}}", DEFINING
    )

    assert said.startswith("`billing` may not be granted below `teams/web/`")


def test_a_policy_there_may_name_an_account_defined_there() -> None:
    load(
        "service_accounts: {web-new: {grants: {plain: []}}}\n"
        f"policies: {{p: {{service_account: web-new, {ALLOW}}}}}",
        DEFINING,
    )


def test_an_account_defined_elsewhere_is_free_of_the_delegation() -> None:
    load("", DEFINING)


def test_a_service_defined_there_is_one_of_the_delegation() -> None:
    text = "services: {web-api: {audience: https://web.example.com}}"
    load(text, replace(DEFINING, services=(*DEFINING.services, "web-api")))

    assert says(text.replace("web-api", "►web-api"), DEFINING) == [
        (
            f"`web-api` may not be defined below `teams/web/`, {SUFFIX} `deploy-api`, `plain`"
            " alone; move it"
        )
    ]


def test_where_nothing_is_named_nothing_may_be() -> None:
    bare = Delegation("teams/web", maps=("service_accounts",))

    said = says("service_accounts: {►web-new: {grants: {►plain: []}}}", bare)

    assert [each.partition(" in the configuration ")[2] for each in said] == [
        "allows none; rename it, or move it to a folder that may hold it",
        "allows none; delete it",
    ]


# --- the whole ------------------------------------------------------------------------------------


def test_all_faults_come_at_once() -> None:
    says(
        f"""\
policies:
  one: {{service_account: ►ops, {ALLOW}}}
  two: {{service_account: ►web-all, {ALLOW}}}
  three: {{effect: ►deny, issuer: github, match: {{ref: x}}, services: [►billing]}}
►services: {{s: {{audience: https://s.example.com}}}}
"""
    )


def test_the_dev_platform_is_no_file_of_a_folder() -> None:
    load("", loopback=True, dev_issuers={"dev-github": "http://127.0.0.1:8081/github"})


@pytest.mark.parametrize("name", ["/teams/web/p.yaml", "../p.yaml", "teams/../../p.yaml"])
def test_a_file_of_which_the_place_is_unknown_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load("", file=name)

    assert str(caught.value) == (
        f"{name}: not below the policy folder, so it is unknown what it may hold; move it there"
    )


def test_without_delegations_the_place_does_not_matter() -> None:
    load_alone({"/anywhere/platform.yaml": PLATFORM})


def test_the_version_changes_with_the_delegations() -> None:
    versions = {
        load("", *folders).policy_set.version
        for folders in [
            (WEB,), (DENYING,), (DEFINING,), (replace(WEB, folder="teams/api"),),
            (replace(WEB, services=("plain",)),), (WEB, replace(DENYING, folder="teams/api")),
        ]
    }  # fmt: skip

    assert len(versions) == 6
    assert load_alone({"platform.yaml": PLATFORM}).policy_set.version not in versions


def test_the_version_does_not_change_with_the_order_or_the_place_of_the_delegations() -> None:
    other = replace(WEB, folder="teams/api")
    moved = replace(WEB, place=("BROKER_FOLDERS", 0, 0))

    assert len({load("", *each).policy_set.version for each in [(WEB, other), (other, moved)]}) == 1
