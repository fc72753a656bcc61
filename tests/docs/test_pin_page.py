"""docs/reference/pin.md and `broker policies pin` say the same."""

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from broker.cli.app import app as whole
from broker.cli.policies import app
from broker.cli.policies.pin_output import _as_json
from broker.cli.policies.pinning import Pinned
from broker.core.pinning.pinning import Unheeded
from broker.core.pinning.proposals import Standing
from broker.core.pinning.sightings import MAX_IDS, MAX_REFS
from broker.core.pinning.targets import Unpinnable
from broker.core.platforms import PRESETS
from broker.core.simulation.report_markdown import MAX_CHARACTERS
from broker.policy_files import load_texts
from broker.policy_files.pinning import PinEdits
from tests.core.builders import BROKER, a_policy, a_policy_set
from tests.core.pinning.learning import learned
from tests.core.simulation.recording import recorded
from tests.docs.markdown import Page, rows
from tests.recorded_exports import exported

PAGE = Page("docs/reference/pin.md")
BEGINS = 1_792_972_800.0


def first_cells(part: str) -> list[str]:
    """Give the words in the first column of the tables of a text."""
    return [word for row in rows(part) for word in re.findall(r"`([^`]+)`", row[0])]


def test_the_example_is_what_the_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policies").mkdir()
    Path("policies/page.yaml").write_text(PAGE.blocks("yaml")[0].text)
    loaded = load_texts(
        {"page.yaml": PAGE.blocks("yaml")[0].text},
        broker_issuer=BROKER,
        token_defaults=(600, 3600),
        signing_algorithms=["RS256", "ES256"],
        loopback=False,
    )
    events = [
        recorded(loaded.policy_set, at=BEGINS + 31 * 86_400 * number / 120) for number in range(120)
    ]
    Path("audit.jsonl").write_text(exported(events))

    done = CliRunner().invoke(
        whole,
        ["policies", "pin", "--against", "audit.jsonl", "policies"],
        env={"BROKER_ISSUER": BROKER},
        catch_exceptions=False,
    )

    [text] = PAGE.blocks("text")
    assert (done.exit_code, done.stdout) == (0, text.text)


def test_every_option_is_on_the_page() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    options = {each.opts[0] for each in group.commands["pin"].params}

    named = {word for word in first_cells(PAGE.section("Options")) if word.startswith("--")}
    assert named == {each for each in options if each.startswith("--")}


def test_every_name_that_has_an_id_is_on_the_page() -> None:
    pairs = {
        (name, found)
        for platform in PRESETS.values()
        for name, found in zip(platform.tenant_names, platform.tenant_ids, strict=True)
    }
    told = {
        tuple(re.findall(r"`([^`]+)`", " ".join(row)))
        for row in rows(PAGE.section("What is pinned"))
    }

    assert pairs <= told


def test_every_word_of_the_report_is_on_the_page() -> None:
    words = set(first_cells(PAGE.text))

    assert {*Unheeded, *Standing, *Unpinnable} <= words


def test_every_member_is_on_the_page() -> None:
    named = a_policy_set(a_policy("web", {"repository": "acme/web"}))
    members = _as_json(Pinned(learned(named, recorded(named)), PinEdits()), [])
    report, of_entry = PAGE.section("JSON").split("Of an entry:")

    assert set(first_cells(report)) == set(members)
    [entry] = members["entries"]
    assert set(first_cells(of_entry)) == set(entry)
    [found] = entry["pins"]
    for member in (*found, *found["names"][0]["ids"][0]):
        assert f"`{member}`" in of_entry or member == "name"


def test_every_bound_is_named() -> None:
    assert f"Up to {MAX_IDS} ids under one name and {MAX_REFS} refs of one id" in PAGE.text
    assert f"{MAX_CHARACTERS:,} characters" in PAGE.text


def test_the_map_of_the_documentation_leads_to_the_page() -> None:
    assert "reference/pin.md" in Page("docs/README.md").links()
