"""docs/reference/snippets.md and the forms say the same."""

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup as Group
from typer.main import get_command
from typer.testing import CliRunner

from broker.cli.app import app
from broker.snippets import FORMS
from tests.docs.markdown import Page, code, rows
from tests.interop.foreign import snippet_servers
from tests.interop.foreign.shaped_services import AUDIENCES
from tests.snippets.blind_spots import BLIND_SPOTS
from tests.snippets.presented import near_misses
from tests.snippets.running import SERVICES
from tests.snippets.trusts import HOSTILE, ISSUER, files, trust

PAGE = Page("docs/reference/snippets.md")
POLICIES = Page("docs/reference/policies.md")
WORDS = {9: "nine", 10: "ten", 11: "eleven"}
FIT = {
    name: row[1:]
    for row in rows(PAGE.section("Where a form cannot work"))
    for name in re.findall(r"`([a-z-]+)`", row[0])
}


def named(text: str) -> set[str]:
    return set(re.findall(r"`([a-z-]+)`", text))


def test_every_form_has_a_row_with_its_files() -> None:
    written = {
        code(row[0]): re.findall(r"`([^`]+)`", row[1]) for row in rows(PAGE.section("Forms"))
    }
    of_the_code = {form: list(files(form, trust())) for form in FORMS}

    assert written.pop("entra") == []
    assert len(of_the_code.pop("entra")) == len(trust().subjects)
    assert written == of_the_code


def test_what_runs_in_tests_is_said_to() -> None:
    running = {code(row[0]) for row in rows(PAGE.section("Forms")) if row[3] == "runs"}

    assert running == SERVICES.keys()


def test_what_runs_elsewhere_is_said_to() -> None:
    told = {code(row[0]): row[3] for row in rows(PAGE.section("Forms"))}
    elsewhere = {form for form, tried in told.items() if "runs in `make interop`" in tried}

    assert elsewhere == {*snippet_servers.SERVICES, "kubernetes", "vault"}


def test_what_a_form_does_not_see_is_said() -> None:
    told = {
        code(row[0]): set(row[1].split(", ")) for row in rows(PAGE.section("What to know of each"))
    }

    assert told == BLIND_SPOTS
    assert set().union(*told.values()) <= near_misses(ISSUER, HOSTILE).keys()
    assert f"refuses {len(near_misses(ISSUER, HOSTILE))} that nearly count" in PAGE.text
    assert f"each of {WORDS[len(AUDIENCES)]} services" in PAGE.text


def test_every_option_has_a_row_and_no_other() -> None:
    tree = get_command(app)
    assert isinstance(tree, Group)
    services = tree.commands["services"]
    assert isinstance(services, Group)
    params = services.commands["snippet"].params
    options = {each.opts[0] for each in params if each.param_type_name == "option"} - {"--help"}
    texts = {code(row[0]).split()[0]: row[2] for row in rows(PAGE.section("Options"))}

    assert texts.keys() == options
    asking = named(texts["--scope"].partition("the others")[0])
    binding = named(texts["--service-account"].partition("the others")[0])
    assert asking == {form.name for form in FORMS.values() if form.asks_scopes}
    assert binding == {form.name for form in FORMS.values() if form.binds_subjects}


@pytest.mark.parametrize("form", FORMS)
def test_what_a_form_takes_is_what_the_page_says(form: str) -> None:
    rules = FORMS[form].rules
    algorithms, typ, issuer, audience = FIT[form]

    assert algorithms.split(", ") == list(rules.algorithms)
    assert (typ == "`JWT`") == rules.jwt_alone
    assert issuer.startswith("https") == rules.https
    assert ("port" in issuer) != rules.port
    assert (audience != "any") == bool(rules.audiences)
    assert audience == "any" or code(audience) == rules.audiences[0]


def test_the_commands_do_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/all.yaml").write_text(POLICIES.blocks("yaml")[0].text)
    monkeypatch.setenv("BROKER_ISSUER", "https://broker.example.com")
    monkeypatch.setenv("BROKER_MASTER_KEY_FILE", "master.key")
    [block] = PAGE.blocks("sh")
    for line in block.text.splitlines():
        command, _, _ = line.partition(" >")
        answer = CliRunner().invoke(app, shlex.split(command)[1:])

        assert answer.exit_code == 0, answer.output
        assert "deploy" in answer.stdout


def test_the_prefix_of_names_in_kubernetes_is_named() -> None:
    told = files("kubernetes", trust())["role-binding.yaml"]

    assert "broker:deploy-web" in told
    assert "begin with `broker:`" in PAGE.section("What to know of each")
