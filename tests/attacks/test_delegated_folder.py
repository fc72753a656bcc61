"""A team writes the policies of its own folder, and tries to get beyond what was delegated."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import policy_files
from broker.core.errors import ConfigurationError
from broker.policy_files import LoadedPolicies
from broker.settings import load as load_settings
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, ISSUERS, POLICIES, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

CONFIGURATION = """\
rate_limits: off
folders:
  teams/web/: {maps: [policies, tests], effects: [allow], service_accounts: ["web-*"],
               services: [deploy-api]}
  teams/api/:
    maps: [policies, service_accounts]
    effects: [allow, deny]
    service_accounts: ["api-*"]
    services: [artifacts]
"""
PLATFORM = """\
service_accounts:
  web-ci: {grants: {deploy-api: [deploy:read]}}
  web-all: {grants: {deploy-api: [deploy:read], billing: [billing:read]}}
  website: {grants: {deploy-api: [deploy:read]}}
  web: {grants: {deploy-api: [deploy:read]}}
  api-ci: {grants: {artifacts: [artifacts:read]}}
"""
MATCH = "issuer: github, match: {repository: octo-org/web}"
THEIRS = f"policies: {{theirs: {{service_account: web-ci, {MATCH}}}}}\n"


def furnish(home: Path) -> None:
    """Make two delegated folders that are still empty."""
    (home / "policies/teams/web").mkdir(parents=True)
    (home / "policies/teams/api").mkdir()
    (home / "policies/platform.yaml").write_text(PLATFORM)
    (home / "broker.yaml").write_text(CONFIGURATION)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a broker that is not running."""
    furnish(tmp_path)
    (tmp_path / "policies/octo.yaml").write_text(
        POLICIES.format(audience=AUDIENCE, **dict.fromkeys(ISSUERS, "https://keys.example"))
    )
    return tmp_path


def load(home: Path) -> LoadedPolicies:
    """Load the policies as a broker does when it starts. Raises `ConfigurationError`."""
    settings = load_settings(None, {}, working_directory=home, serving=False)
    return policy_files.load(
        settings.policies,
        broker_issuer=settings.issuer,
        token_defaults=(settings.tokens.ttl, settings.tokens.max_ttl),
        signing_algorithms=settings.signing.algorithms,
        loopback=settings.loopback,
        folders=settings.folders,
    )


def refusal(home: Path) -> str:
    """Give all problems for which the policies do not load."""
    with pytest.raises(ConfigurationError) as refused:
        load(home)
    return str(refused.value).replace(f"{home}/policies/", "")


def refusal_of(home: Path, text: str, file: str = "teams/web/p.yaml") -> str:
    """Give the only problem of a file that a team adds to its folder."""
    path = home / "policies" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    said = refusal(home)
    assert said.count("\n") == 0, said
    assert said.startswith(f"{file}:")
    return said


# --- what was delegated works, and no more --------------------------------------------------------


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    home = tmp_path_factory.mktemp("broker")
    furnish(home)
    (home / "policies/teams/web/p.yaml").write_text(
        THEIRS.rstrip("}\n") + "}}, wider: {service_account: web-all, issuer: github,"
        " match: {repository: octo-org/web}, grants: {deploy-api: [deploy:read]}}}\n"
    )
    (home / "policies/teams/api/p.yaml").write_text(
        "service_accounts: {api-new: {grants: {artifacts: [artifacts:write]}}}\n"
        f"policies: {{no-web: {{effect: deny, {MATCH}, services: [artifacts]}}}}\n"
    )
    with special_broker(home) as broker:
        yield broker


def test_what_was_delegated_is_granted(broker: RunningBroker) -> None:
    token = broker.github_token(repository="octo-org/web")

    answer = broker.exchange(token, client_id="web-ci")

    assert verified(broker, answer)["client_id"] == "web-ci"


@pytest.mark.parametrize("client_id", ["web-all", "web-ci"])
def test_an_account_that_holds_more_gives_no_more(broker: RunningBroker, client_id: str) -> None:
    token = broker.github_token(repository="octo-org/web")

    answer = broker.exchange(token, audience="billing", client_id=client_id)

    assert_refused(broker, answer, "target_unknown")


def test_the_deny_of_one_team_does_not_reach_the_services_of_another(
    broker: RunningBroker,
) -> None:
    token = broker.github_token(repository="octo-org/web")

    verified(broker, broker.exchange(token, audience="deploy-api", client_id="web-ci"))


def test_a_broker_does_not_start_with_more_than_was_delegated(tmp_path: Path) -> None:
    furnish(tmp_path)
    (tmp_path / "policies/teams/web/p.yaml").write_text(THEIRS.replace("web-ci", "deploy-web"))

    refused = pytest.raises(ConfigurationError, match="`deploy-web` may not be named below")
    with refused, special_broker(tmp_path):
        pass


# --- a file widens itself -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "folders: {teams/web/: {maps: [services]}}",
        "service_accounts: {web-mine: {grants: {billing: [billing:read]}}}",
        "services: {deploy-api-2: {audience: https://billing.example.org}}",
        "issuers: {mine: {issuer: https://ci.attacker.example, single_tenant: true}}",
        "organizations: {web: {description: ours}}",
    ],
)  # fmt: skip
def test_a_file_does_not_bring_what_it_lacks(home: Path, text: str) -> None:
    refusal_of(home, text)


@pytest.mark.parametrize(
    "grants",
    [
        "billing: [billing:read]",
        "'*': []",
        "'**': []",
        "'deploy-*': [deploy:read]",
        "broker: ['broker:*']",
    ],
)
def test_a_wildcard_is_no_service(home: Path, grants: str) -> None:
    path = home / "policies/teams/web/p.yaml"
    path.write_text(
        f"policies: {{theirs: {{service_account: web-ci, {MATCH}, grants: {{{grants}}}}}}}"
    )

    assert "may not be granted below `teams/web/`" in refusal(home)


def test_the_audience_of_a_service_does_not_stand_for_its_name(home: Path) -> None:
    path = home / "policies/teams/web/p.yaml"
    path.write_text(
        f"policies: {{theirs: {{service_account: web-ci, {MATCH},"
        " grants: {'https://billing.example.com': [billing:read]}}}"
    )

    assert "may not be granted below `teams/web/`" in refusal(home)


@pytest.mark.parametrize(
    "account",
    [
        "website",            # begins like `web-*`, without the hyphen
        "web",                # is all of it but the hyphen
        "deploy-web",         # ends like it
        "Web-ci",             # case
        "WEB-CI",
        "' web-ci'",          # space
        "wеb-ci",             # noqa: RUF001, RUF003 - Cyrillic е
        "ｗeb-ci",            # noqa: RUF001 - full width
        "web‐ci",             # noqa: RUF001 - hyphen U+2010
        "web_ci",
        "'*'",
        "'**'",
        "'[w]eb-ci'",
        "[web-ci, deploy-web]",
    ],
)  # fmt: skip
def test_an_account_that_looks_like_ones_own_is_another(home: Path, account: str) -> None:
    theirs = f"service_account: {account}, {MATCH}, grants: {{deploy-api: []}}"

    refusal_of(home, f"policies: {{theirs: {{{theirs}}}}}")


def test_an_account_that_holds_more_is_not_taken_whole(home: Path) -> None:
    said = refusal_of(home, f"policies: {{theirs: {{service_account: web-all, {MATCH}}}}}")

    assert "`web-all` also holds `billing`" in said


def test_an_account_that_is_given_more_later_is_not_taken_whole_either(home: Path) -> None:
    (home / "policies/teams/web/p.yaml").write_text(THEIRS)
    load(home)
    (home / "policies/platform.yaml").write_text(
        PLATFORM.replace("web-ci: {grants: {", "web-ci: {grants: {billing: [billing:read], ")
    )

    assert "`web-ci` also holds `billing`" in refusal(home)


def test_an_account_of_ones_own_does_not_hold_more(home: Path) -> None:
    said = refusal_of(
        home,
        "service_accounts: {api-mine: {grants: {artifacts: [], billing: [billing:read]}}}",
        "teams/api/p.yaml",
    )

    assert "`billing` may not be granted below `teams/api/`" in said


def test_an_account_of_another_is_not_defined_anew(home: Path) -> None:
    path = home / "policies/teams/api/p.yaml"
    path.write_text("service_accounts: {web-ci: {grants: {artifacts: []}}}")

    assert "`web-ci` is already defined in " in refusal(home)


@pytest.mark.parametrize(
    "services", ["", ", services: [billing]", ", services: [artifacts, deploy-api]",
                 ", services: ['*']"],
)  # fmt: skip
def test_nothing_is_denied_to_others(home: Path, services: str) -> None:
    path = home / "policies/teams/api/p.yaml"
    path.write_text(f"policies: {{stop: {{effect: deny, {MATCH}{services}}}}}")

    assert "below `teams/api/`" in refusal(home)


def test_an_effect_that_was_not_delegated_is_refused(home: Path) -> None:
    text = f"policies: {{stop: {{effect: deny, {MATCH}, services: [deploy-api]}}}}"

    assert "policies may not deny" in refusal_of(home, text)


# --- the way around the folder --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["teams/web/.hidden.yaml", "teams/web/notes.txt"])
def test_a_link_into_the_folder_shows_nothing_of_it_elsewhere(home: Path, name: str) -> None:
    (home / "policies" / name).write_text("services: {s: {audience: https://s.example.com}}")
    (home / "policies/link.yaml").symlink_to(name)

    assert refusal(home) == (
        "link.yaml: a link into the delegated `teams/web/`; put the file itself here"
    )


def test_a_link_out_of_the_folder_obeys_it(home: Path) -> None:
    (home / "policies/shared.txt").write_text("services: {s: {audience: https://s.example.com}}")
    (home / "policies/teams/web/link.yaml").symlink_to("../../shared.txt")

    assert "teams/web/link.yaml:1:1: `services` may not stand" in refusal(home)


def test_a_link_into_the_folder_of_another_team_is_refused(home: Path) -> None:
    (home / "policies/teams/api/.p.yaml").write_text(THEIRS)
    (home / "policies/teams/web/link.yaml").symlink_to("../api/.p.yaml")

    assert "a link into the delegated `teams/api/`" in refusal(home)


def test_a_link_in_place_of_the_folder_is_refused(home: Path) -> None:
    (home / "policies/teams/web").rmdir()
    (home / "policies/other").mkdir()
    (home / "policies/teams/web").symlink_to("../other")

    assert "a link to a folder" in refusal(home)


def test_a_linked_folder_inside_is_refused(home: Path) -> None:
    (home / "policies/teams/web/more").symlink_to(home)

    assert "a link to a folder" in refusal(home)


@pytest.mark.parametrize("folder", ["teams/Web", "teams/WEB", "Teams/web", "TEAMS/WEB",
                                    "teams/ｗｅｂ"])  # noqa: RUF001 # fmt: skip
def test_a_folder_beside_it_that_only_looks_the_same_is_refused(home: Path, folder: str) -> None:
    path = home / "policies" / folder / "p.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("services: {s: {audience: https://s.example.com}}")

    assert f"{folder}/p.yaml: `{folder}/` looks like the delegated `teams/web/`" in refusal(home)


@pytest.mark.parametrize("file", ["teams/web/dev/p.yaml", "teams/web/a/../p.yaml",
                                  "teams/web/deep/down/p.yml"])  # fmt: skip
def test_a_folder_further_down_is_no_way_out(home: Path, file: str) -> None:
    path = home / "policies" / file
    os.makedirs(path.parent, exist_ok=True)  # noqa: PTH103 - of `a/..`, too
    path.write_text("services: {s: {audience: https://s.example.com}}")

    assert "`services` may not stand below `teams/web/`" in refusal(home)


def test_a_folder_that_is_gone_is_noticed(home: Path) -> None:
    (home / "policies/teams/web").rmdir()

    assert refusal(home) == (
        f"broker.yaml:3:3: there is no folder `teams/web/` in `{home}/policies`; create it,"
        " or delete its entry"
    )
