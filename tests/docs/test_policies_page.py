"""docs/reference/policies.md and the language of the policy files say the same."""

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from typer.main import get_command

from broker.cli.policies import app
from broker.core.conditions import Effect
from broker.core.platforms import PRESETS
from broker.policy_files import load_texts, run
from broker.policy_files.document_entries import MODELS
from broker.policy_files.matchers import OPERATORS, read_conditions
from broker.policy_files.models import (
    ExpectedPermitModel,
    PolicyTestModel,
    PolicyTestRequestModel,
)
from broker.policy_files.schema import policy_schema
from tests.docs.markdown import Page, code, rows

PAGE = Page("docs/reference/policies.md")
NOW = 1_795_300_000.0

# The least that an entry of each map needs beside the field that a row shows.
LEAST: dict[str, dict[str, Any]] = {
    "organizations": {"description": "x"},
    "issuers": {},
    "services": {"audience": "https://a.example"},
    "service_accounts": {"grants": {"deploy-api": []}},
    "policies": {"issuer": "github", "match": {"repository": "a/b"}, "service_account": "web"},
    "tests": {"name": "x", "issuer": "github", "expect": "deny"},
    "request": {},
    "permit": {},
}
ENTRIES: dict[str, type[BaseModel]] = {
    **MODELS,
    "tests": PolicyTestModel,
    "request": PolicyTestRequestModel,
    "permit": ExpectedPermitModel,
}


def tables() -> dict[str, list[list[str]]]:
    """Give the rows of each map; those of `request` and of a permit stand in the last section."""
    found = {name: rows(PAGE.section(f"`{name}`")) for name in MODELS}
    found["policies"] = [row for row in found["policies"] if len(row) == 4]
    tests, rest = PAGE.section("`tests`").split("Of `request`:")
    request, permit = rest.split("Of `expect: {permit: …}`;")
    return found | {"tests": rows(tests), "request": rows(request), "permit": rows(permit)}


TABLES = tables()
FIELDS = [(entry, row) for entry, its_rows in TABLES.items() for row in its_rows]


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_field_has_a_row_and_every_row_is_a_field(entry: str) -> None:
    fields = ENTRIES[entry].model_fields

    assert sorted(code(row[0]) for row in TABLES[entry]) == sorted(fields)


@pytest.mark.parametrize(("entry", "row"), FIELDS, ids=lambda value: str(value)[:40])
def test_the_example_of_a_field_is_one(entry: str, row: list[str]) -> None:
    text_keys = yaml.BaseLoader if code(row[0]) == "expires" else yaml.SafeLoader
    example = yaml.load(code(row[1]), text_keys)  # noqa: S506 - both make plain values only

    assert list(example) == [code(row[0])]
    ENTRIES[entry].model_validate({**LEAST[entry], **example})


@pytest.mark.parametrize(("entry", "row"), FIELDS, ids=lambda value: str(value)[:40])
def test_a_field_is_said_to_be_required_when_it_is(entry: str, row: list[str]) -> None:
    field = ENTRIES[entry].model_fields[code(row[0])]

    assert (row[2] == "required") == field.is_required()


@pytest.mark.parametrize(("entry", "row"), FIELDS, ids=lambda value: str(value)[:40])
def test_a_default_of_its_own_is_named(entry: str, row: list[str]) -> None:
    default = ENTRIES[entry].model_fields[code(row[0])].get_default(call_default_factory=True)

    if isinstance(default, bool) or (isinstance(default, str) and default):
        assert code(row[2]) == str(default).lower()


def test_every_map_has_a_row_and_a_section() -> None:
    names = [*MODELS, "tests"]

    assert [code(row[0]) for row in rows(PAGE.text)[: len(names)]] == names
    assert [f"`{name}`" for name in names if f"`{name}`" not in PAGE.headings(level=2)] == []


def test_the_set_of_the_page_loads_fits_the_schema_and_its_tests_hold() -> None:
    (example,) = PAGE.blocks("yaml")
    loaded = load_texts(
        {"page.yaml": example.text},
        broker_issuer="https://broker.example.com",
        token_defaults=(600, 3600),
        signing_algorithms=["RS256", "ES256"],
        loopback=False,
    )

    results = run(loaded, NOW)

    assert [result.fault for result in results] == [None, None]
    Draft202012Validator(policy_schema()).validate(yaml.safe_load(example.text))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_events_that_need_no_naming_are_listed(preset: str) -> None:
    platform = PRESETS[preset]
    guard = {row[0].lower(): row for row in rows(PAGE.section("`policies`")) if len(row) == 3}

    assert code(guard[preset][1]) == platform.event_claim
    listed = guard[preset][2].replace("`", "").split(", ")
    assert listed == sorted(platform.trusted_events)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_claims_that_ignore_case_and_those_that_pin_a_tenant_are_listed(preset: str) -> None:
    platform = PRESETS[preset]
    conditions, policies = PAGE.section("Conditions"), PAGE.section("`policies`")

    assert [claim for claim in platform.folded if f"`{claim}`" not in conditions] == []
    assert [claim for claim in platform.tenant_claims if f"`{claim}`" not in policies] == []


# --- conditions -----------------------------------------------------------------------------------


def condition(cell: str) -> Any:
    match = yaml.safe_load(code(cell).replace("\\|", "|"))
    faults: list[str] = []
    folded = PRESETS["github"].folded
    read = read_conditions(match, folded, lambda _path, message: faults.append(message))
    assert faults == []
    assert read is not None
    return read[0]


def condition_tables() -> tuple[list[list[str]], list[list[str]]]:
    # A pipe inside a cell is written `\|`.
    text = PAGE.section("Conditions").replace("\\|", "\N{BROKEN BAR}")
    found = [[cell.replace("\N{BROKEN BAR}", "|") for cell in row] for row in rows(text)]
    forms = [row for row in found if row[2] not in ("yes", "no")]
    return forms, [row for row in found if row[2] in ("yes", "no")]


FORMS, EXAMPLES = condition_tables()


def test_every_operator_has_a_row() -> None:
    assert [name for name in OPERATORS if name not in {row[0].strip("`") for row in FORMS}] == []


@pytest.mark.parametrize("row", FORMS, ids=lambda row: row[0])
def test_every_form_of_a_condition_is_one(row: list[str]) -> None:
    condition(row[1])


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_condition_holds_where_the_page_says_so(row: list[str]) -> None:
    shown = condition(row[0])
    claims = {} if row[1] == "nothing" else {shown.claim: json.loads(code(row[1]))}

    assert shown.holds(claims, Effect.ALLOW) == (row[2] == "yes")


def test_every_command_is_named() -> None:
    commands = getattr(get_command(app), "commands")  # noqa: B009 - typer promises a Command alone

    assert [name for name in commands if f"`broker policies {name}" not in PAGE.text] == []
