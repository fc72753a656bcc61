"""`broker services`: the catalogue, and snippets of the services in it."""

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.snippets import FORMS

Broker = Callable[..., subprocess.CompletedProcess[str]]

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
CONFIGURATION = """\
signing: {algorithms: [RS256, ES256, EdDSA]}
issuer: https://broker.example.com
"""

POLICIES = """\
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
  azure:
    audience: api://AzureADTokenExchange
    token_typ: JWT
    ttl: 5m
  store:
    audience: https://store.example.com
    signing_alg: ES256
  chat:
    audience: https://chat.example.com
    signing_alg: EdDSA
    token_typ: JWT
  google: {audience: https://google.example.com, profile: gcp}
  lonely: {audience: https://lonely.example.com}
  many: {audience: https://many.example.com}
service_accounts:
  deploy-web: {grants: {deploy-api: ["deploy:*"], azure: [], store: [], chat: [], google: []}}
  deploy-old: {grants: {azure: []}, enabled: false}
  repo-ci:
    instances: [repository_id, environment_node_id]
    grants: {azure: [], many: []}
"""


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in a folder with these files."""
    (tmp_path / "broker.yaml").write_text(CONFIGURATION)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/all.yaml").write_text(POLICIES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROKER_MASTER_KEY", MASTER_KEY)
    return lambda *arguments: CliRunner().invoke(app, ["services", *arguments])


def line_of(text: str, within: str = POLICIES) -> int:
    return next(n for n, line in enumerate(within.splitlines(), 1) if text in line)


# --- snippets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_snippet_has_issuer_and_audience_of_the_service_and_no_secret(
    services: Callable[..., Result], form: str
) -> None:
    answer = services("snippet", "azure", "--for", form)

    assert answer.exit_code == 0, answer.stderr
    assert "https://broker.example.com" in answer.stdout
    assert "api://AzureADTokenExchange" in answer.stdout
    assert MASTER_KEY not in answer.output


def test_json_has_each_file_by_name(services: Callable[..., Result]) -> None:
    told = json.loads(services("snippet", "deploy-api", "--for", "nginx", "--json").stdout)

    names = [each["name"] for each in told.pop("files")]
    assert names == ["service.conf", "verifier.py"]
    assert told == {
        "service": "deploy-api",
        "for": "nginx",
        "issuer": "https://broker.example.com",
        "audience": "https://deploy.example.com",
    }


def test_several_files_are_told_apart(services: Callable[..., Result]) -> None:
    several = services("snippet", "deploy-api", "--for", "kubernetes").stdout
    _, first, second = several.split("==> ")
    alone = services("snippet", "deploy-api", "--for", "vault").stdout

    name, _, text = first.partition(" <==\n")
    assert name == "authentication-config.yaml"
    assert yaml.safe_load(text)["kind"] == "AuthenticationConfiguration"
    assert second.startswith("role-binding.yaml <==\n")
    assert "==>" not in alone


def test_a_service_is_found_by_its_audience_too(services: Callable[..., Result]) -> None:
    by_audience = services("snippet", "https://store.example.com", "--for", "go")

    assert by_audience.stdout == services("snippet", "store", "--for", "go").stdout


def test_the_files_that_are_named_are_read(services: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "policies").rename(tmp_path / "rules")

    assert services("snippet", "store", "rules", "--for", "go").exit_code == 0
    assert services("snippet", "store", "--for", "go").exit_code == 2


def test_callers_need_every_scope_unless_some_are_named(services: Callable[..., Result]) -> None:
    every = services("snippet", "deploy-api", "--for", "python")
    one = services("snippet", "deploy-api", "--for", "python", "--scope", "deploy:read")

    assert 'RequireToken(verifier, "deploy:read", "deploy:write")' in every.stdout
    assert "name those meant with --scope" in every.stderr
    assert 'RequireToken(verifier, "deploy:read"))' in one.stdout
    assert one.stderr == ""


def test_the_identities_are_those_that_are_granted_the_service(
    services: Callable[..., Result],
) -> None:
    answer = services("snippet", "azure", "--for", "entra")

    assert json.loads(answer.stdout)["subject"] == "deploy-web"
    assert answer.stderr == (
        "broker: `repo-ci` has `instances`, and no value of them is known here; add its identities"
        " with --sub\n"
    )


def test_instances_are_named_one_by_one(services: Callable[..., Result]) -> None:
    sub = "repo-ci:repository_id:456789:environment_node_id:EN_7"
    alone = services("snippet", "azure", "--for", "entra", "--sub", sub)
    both = services(
        "snippet", "azure", "--for", "vault", "--sub", sub, "--service-account", "deploy-web"
    )

    assert json.loads(alone.stdout)["subject"] == sub
    assert both.stdout.count("bound_subject") == 2


# --- what cannot work -----------------------------------------------------------------------------


def test_a_form_that_cannot_work_is_refused_with_each_line_to_change(
    services: Callable[..., Result],
) -> None:
    answer = services("snippet", "store", "--for", "entra")

    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == (
        f"policies/all.yaml:{line_of('ES256')}:18: Entra verifies RS256, and this service's tokens"
        " are signed with ES256; write `signing_alg: RS256`\n"
        f"policies/all.yaml:{line_of('  store:')}:3: Entra is given tokens of type JWT, and this"
        " service's are at+jwt; write `profile: entra`, or `token_typ: JWT`\n"
        f"policies/all.yaml:{line_of('store.example')}:15: Entra takes one audience alone; write"
        " `audience: api://AzureADTokenExchange`\n"
    )


@pytest.mark.parametrize("form", ["spring", "kubernetes", "terraform-aws", "gcp"])
def test_eddsa_is_refused_where_it_is_not_known(services: Callable[..., Result], form: str) -> None:
    answer = services("snippet", "chat", "--for", form)

    assert (answer.exit_code, answer.stdout) == (1, "")
    assert f"policies/all.yaml:{line_of('EdDSA')}:18: " in answer.stderr
    assert "write `signing_alg: RS256`" in answer.stderr


@pytest.mark.parametrize("form", ["kubernetes", "terraform-aws", "entra"])
def test_tokens_for_one_system_are_not_shown_to_another(
    services: Callable[..., Result], form: str
) -> None:
    answer = services("snippet", "google", "--for", form)

    assert services("snippet", "google", "--for", "gcp").exit_code == 0
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith(
        f"policies/all.yaml:{line_of('profile: gcp')}:59: this service's tokens are for gcp; make a"
        " service of its own for "
    )


@pytest.mark.parametrize("form", ["kubernetes", "terraform-aws", "gcp", "entra"])
def test_an_issuer_that_is_not_public_is_refused_at_its_line(
    services: Callable[..., Result], form: str, tmp_path: Path
) -> None:
    (tmp_path / "policies/all.yaml").write_text(POLICIES.replace("EdDSA", "RS256"))
    (tmp_path / "broker.yaml").write_text("listen: 127.0.0.1:1\nissuer: http://127.0.0.1:1\n")
    written = services("snippet", "azure", "--for", form)
    (tmp_path / "broker.yaml").unlink()
    unwritten = services("snippet", "azure", "--for", form)

    assert (written.exit_code, written.stdout) == (1, "")
    assert written.stderr.startswith("broker.yaml:2:9: ")
    assert unwritten.stderr.startswith("broker.yaml: ")
    assert "as in `issuer: https://broker.example.com`" in unwritten.stderr


def test_an_issuer_of_the_environment_is_named_as_such(
    services: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ISSUER", "https://broker.example.com:8443")

    answer = services("snippet", "azure", "--for", "terraform-aws")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("BROKER_ISSUER: AWS takes no issuer with a port")


def test_an_issuer_that_is_nowhere_is_to_be_written_into_the_configuration(
    services: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "broker.yaml").write_text("signing: {algorithms: [RS256, ES256, EdDSA]}\n")

    answer = services("snippet", "store", "--for", "kubernetes")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("broker.yaml:1:1: Kubernetes fetches keys by https alone")


def test_a_port_is_refused_for_aws_alone(services: Callable[..., Result], tmp_path: Path) -> None:
    configuration = CONFIGURATION.replace("example.com", "example.com:8443")
    (tmp_path / "broker.yaml").write_text(configuration)

    assert services("snippet", "azure", "--for", "gcp").exit_code == 0
    answer = services("snippet", "azure", "--for", "terraform-aws")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("broker.yaml:2:9: AWS takes no issuer with a port")


def test_a_service_that_nobody_is_granted_is_bound_to_nobody(
    services: Callable[..., Result],
) -> None:
    answer = services("snippet", "lonely", "--for", "vault")

    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "no service account is granted `lonely`; add it to the `grants` of one" in answer.stderr


def test_identities_that_are_not_known_are_not_guessed(services: Callable[..., Result]) -> None:
    answer = services("snippet", "many", "--for", "vault")

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert (
        "name those meant: --sub repo-ci:repository_id:VALUE:environment_node_id:VALUE"
        in answer.stderr
    )


# --- what was mistyped ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("deploy-apu", "--for", "go"),
            "there is no service `deploy-apu`; did you mean `deploy-api`?",
        ),
        (("x\x1b[31m", "--for", "go"), "there is no service `x\\x1b[31m`; known: azure, "),
        (("broker", "--for", "go"), "`broker` is the broker itself"),
        (("store", "--for", "ngnix"), "--for: there is no form `ngnix`; did you mean `nginx`?"),
        (
            ("deploy-api", "--for", "go", "--scope", "deploy:wriet"),
            "service `deploy-api` has no scope `deploy:wriet`; did you mean `deploy:write`?",
        ),
        (("azure", "--for", "entra", "--scope", "x"), "looks at no scopes; leave out --scope"),
        (("store", "--for", "go", "--sub", "x"), "leave out --service-account and --sub"),
        (
            ("azure", "--for", "gcp", "--service-account", "deploy-wep"),
            "there is no service account `deploy-wep`; did you mean `deploy-web`?",
        ),
        (
            ("azure", "--for", "gcp", "--service-account", "deploy-old"),
            "the service account `deploy-old` is switched off; delete its `enabled: false`",
        ),
        (
            ("store", "--for", "vault", "--service-account", "repo-ci"),
            "the service account `repo-ci` is not granted `store`; see its `grants`",
        ),
        (
            ("azure", "--for", "gcp", "--service-account", "repo-ci"),
            "name those meant: --sub repo-ci:repository_id:VALUE",
        ),
        (
            ("azure", "--for", "gcp", "--sub", "repo-ci:repository_id:7"),
            "`repo-ci:repository_id:7` is no identity of it",
        ),
        (
            ("azure", "--for", "gcp", "--sub", "deploy-web:repository_id:7"),
            "`deploy-web` has one identity; write `--sub deploy-web`",
        ),
    ],
)  # fmt: skip
def test_what_is_mistyped_is_told_with_what_was_meant(
    services: Callable[..., Result], arguments: tuple[str, ...], told: str
) -> None:
    answer = services("snippet", *arguments)

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert told in answer.stderr
    assert "\x1b" not in answer.stderr


def test_the_dev_services_have_the_dev_brokers_issuer(broker: Broker, shipped: Path) -> None:
    answer = broker("services", "snippet", "deploy-api", "--for", "python")

    assert answer.returncode == 0, answer.stderr
    assert '"http://127.0.0.1:8080"' in answer.stdout


# --- the catalogue --------------------------------------------------------------------------------


def test_the_services_are_listed_without_the_brokers_own(services: Callable[..., Result]) -> None:
    lines = services("list").stdout.splitlines()
    told = json.loads(services("list", "--json").stdout)["items"]

    assert lines[:4] == [
        "azure  api://AzureADTokenExchange",
        "  tokens: RS256, typ JWT, 300 seconds",
        "  scopes: none",
        "  service accounts: deploy-web, repo-ci",
    ]
    assert [each["name"] for each in told] == [
        "azure", "chat", "deploy-api", "google", "lonely", "many", "store",
    ]  # fmt: skip
    assert told[2] == {
        "name": "deploy-api",
        "audience": "https://deploy.example.com",
        "scopes": {"deploy:read": "See deployments", "deploy:write": "Start a deployment"},
        "ttl": 600,
        "max_ttl": 3600,
        "signing_alg": "RS256",
        "token_typ": "at+jwt",
        "profile": None,
        "service_accounts": ["deploy-web"],
    }


def test_files_without_services_are_no_error(
    services: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "policies/all.yaml").write_text("organizations: {acme: {description: x}}\n")

    answer = services("list")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "there are no services in these files" in answer.stderr
