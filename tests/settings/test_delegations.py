"""The setting `folders`: what may be delegated, and how it is written."""

import pytest

from broker.core.delegation import Delegation
from broker.policy_files.document_entries import MODELS, TESTS
from broker.settings.delegations import EFFECTS, MAPS
from tests.settings.home import Home
from tests.yaml_document.marked import places_of, split_marks

WEB = (
    '{maps: [policies, tests], effects: [allow], service_accounts: ["web-*"],'
    " services: [deploy-api]}"
)
EXAMPLE = (
    '{teams/web/: {maps: [policies], effects: [allow], service_accounts: ["web-*"],'
    " services: [deploy-api]}}"
)


ONLY_AT_THE_END = (
    '`*` stands only at the end, after a name and `-`, as in "web-*" (`web*` would also be'
    " `website`)"
)
NO_ID = "is no id of an account: 2 to 63 of a-z, 0-9 and `-`"
NOT_PLAIN = "is not made of letters A-Z a-z, digits, `.`, `_` and `-`; rename the folder"


def delegated(home: Home, yaml: str) -> Delegation:
    (found,) = home.load(yaml).folders
    return found


def test_the_example_of_the_contract_is_read_with_its_place(home: Home) -> None:
    found = delegated(home, f"folders:\n  teams/web/: {WEB}\n")

    assert found == Delegation(
        "teams/web",
        maps=("policies", "tests"),
        effects=("allow",),
        service_accounts=("web-*",),
        services=("deploy-api",),
    )
    assert found.place == ("broker.yaml", 2, 3)


def test_nothing_is_delegated_by_default(home: Home) -> None:
    assert home.load().folders == home.load("folders: {}").folders == ()


@pytest.mark.parametrize("written", ["teams/web", "teams/web/", "'teams/web/'", '"teams/web"'])
def test_the_slash_at_the_end_is_optional(home: Home, written: str) -> None:
    found = delegated(home, f"folders:\n  {written}: {{maps: [tests]}}")

    assert found.folder == "teams/web"
    assert found.place == ("broker.yaml", 2, 3)


def test_the_order_of_folders_leaves_no_trace(home: Home) -> None:
    one, other = "b: {maps: [tests]}", "a/: {maps: [issuers]}"

    assert (
        home.load(f"folders: {{{one}, {other}}}").folders
        == home.load(f"folders: {{{other}, {one}}}").folders
    )


def test_settings_and_policy_files_know_the_same_maps() -> None:
    assert (*MODELS, TESTS) == MAPS
    assert EFFECTS == ("allow", "deny")


# --- folders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        (".", "is all policies; name a folder below the folder of the policies"),
        ("./", "is all policies; name a folder below the folder of the policies"),
        ("/teams", "begins with a slash; write the path below the folder of the policies"),
        ("//", "begins with a slash; write the path below the folder of the policies"),
        ("..", "leads upwards; write the path below the folder of the policies"),
        ("../teams", "leads upwards; write the path below the folder of the policies"),
        ("teams/../..", "leads upwards; write the path below the folder of the policies"),
        ('"*"', "holds a wildcard; name every folder"),
        ("teams/*/", "holds a wildcard; name every folder"),
        ("teams/**", "holds a wildcard; name every folder"),
        ("team?", "holds a wildcard; name every folder"),
        ('"team[12]"', "holds a wildcard; name every folder"),
        ("./teams", "holds an empty part or `.`; write the shortest form of the path"),
        ("teams/./web", "holds an empty part or `.`; write the shortest form of the path"),
        ("teams//web", "holds an empty part or `.`; write the shortest form of the path"),
        ("teams//", "holds an empty part or `.`; write the shortest form of the path"),
        ("dev", "is for `--dev` alone and cannot be delegated; delete it"),
        ("dev/", "is for `--dev` alone and cannot be delegated; delete it"),
        ("dev/web", "is for `--dev` alone and cannot be delegated; delete it"),
        (".hidden", "is hidden, and hidden folders are not read; name another"),
        ("teams/.web", "is hidden, and hidden folders are not read; name another"),
        ("teams\\web", NOT_PLAIN),
        ("te ams", NOT_PLAIN),
        ("t\u0435ams", NOT_PLAIN),
        ("~", NOT_PLAIN),
    ],
)  # fmt: skip
def test_a_folder_is_a_plain_path_below_that_of_the_policies(
    home: Home, written: str, fault: str
) -> None:
    quoted = written if written.startswith('"') else f"'{written}'"

    said = home.says(f"folders:\n  {quoted}: {{maps: [tests]}}")

    assert said == f"broker.yaml:2:3: folders: `{written.strip(chr(34))}` {fault}"


def test_a_folder_further_down_may_be_called_dev(home: Home) -> None:
    assert delegated(home, "folders: {teams/dev: {maps: [tests]}}").folder == "teams/dev"


@pytest.mark.parametrize("other", ["teams/web/", "Teams/Web", "teams/WEB/"])
def test_a_folder_is_delegated_once_in_whatever_case(home: Home, other: str) -> None:
    said = home.says(f"folders:\n  teams/web: {{maps: [tests]}}\n  {other}: {{maps: [tests]}}\n")

    assert said == (
        f"broker.yaml:3:3: folders: `{other}` is the folder of `teams/web` again; write each once"
    )


# --- members --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "missing"),
    [
        ("effects: [allow]",
         [f"`maps` is missing: which of {', '.join(MAPS)} may stand there?"]),
        ("maps: [policies]",
         ["`effects` is missing: may policies there allow, deny or both?",
          "`services` is missing: which services may be granted, denied or defined there?"]),
        ("maps: [policies], effects: [deny]",
         ["`services` is missing: which services may be granted, denied or defined there?"]),
        ("maps: [policies], effects: [deny, allow], services: [a]",
         ["`service_accounts` is missing: which accounts may be named there?"]),
        ("maps: [service_accounts]",
         ["`service_accounts` is missing: which accounts may be named there?",
          "`services` is missing: which services may be granted, denied or defined there?"]),
        ("maps: [services]",
         ["`services` is missing: which services may be granted, denied or defined there?"]),
    ],
)  # fmt: skip
def test_what_maps_and_effects_need_must_be_written(
    home: Home, members: str, missing: list[str]
) -> None:
    said = [str(each) for each in home.problems(f"folders:\n  t: {{{members}}}")]

    assert said == [f"broker.yaml:2:3: folders: `t`: {each}" for each in missing]


@pytest.mark.parametrize(
    "members",
    [
        "maps: [tests]",
        "maps: [organizations, issuers]",
        "maps: [services], services: [a]",
        "maps: [policies], effects: [deny], services: [a]",
        "maps: [service_accounts], service_accounts: [web-ci], services: [a]",
    ],
)
def test_nothing_more_than_that_is_needed(home: Home, members: str) -> None:
    delegated(home, f"folders: {{t: {{{members}}}}}")


def test_an_unknown_member_is_refused_at_its_key(home: Home) -> None:
    assert home.says("folders: {t: {maps: [tests], mapps: [tests]}}") == (
        "broker.yaml:1:30: folders: `t`: there is no `mapps` here; did you mean `maps`?"
    )
    assert home.says("folders: {t: {maps: [tests], x: 1}}").endswith(
        "`t`: there is no `x` here; there are maps, effects, service_accounts, services"
    )


@pytest.mark.parametrize(
    ("marked", "fault"),
    [
        ("maps: [►polices]", f"`polices` is none of {', '.join(MAPS)}"),
        ("maps: [tests, ►tests]", "`tests` is here twice; write it once"),
        ("maps: [►1]", "a number where a text belongs; put it into quotes"),
        ("maps: [►[tests]]", "a list where a text belongs; put it into quotes"),
        ("maps: ►tests", "a text where `maps` must be a list that names at least one"),
        ("maps: ►[]", "an empty list where `maps` must be a list that names at least one"),
        ("effects: [►Allow]", "`Allow` is none of allow, deny"),
        ("effects: [allow, ►observe]", "`observe` is none of allow, deny"),
        ("service_accounts: [►'*']", f"`*`: {ONLY_AT_THE_END}"),
        ("service_accounts: [►'web*']", f"`web*`: {ONLY_AT_THE_END}"),
        (
            "service_accounts: [►m-*]",
            "`m-*` is whichever account was made through the API; name the ones meant",
        ),
        ("service_accounts: [►Web-ci]", f"`Web-ci` {NO_ID}"),
        ("service_accounts: [web, ►web-?]", f"`web-?` {NO_ID}"),
        ("services: [►'*']", "`*`: no wildcards; name every service"),
        ("services: [►deploy-*]", "`deploy-*`: no wildcards; name every service"),
        ("services: [►'https://a.example']", "`https://a.example` is no name of a service"),
        ("services: [►broker]", "`broker` is the broker itself, which is not delegated; delete it"),
    ],
)
def test_every_item_is_checked_at_its_place(home: Home, marked: str, fault: str) -> None:
    maps = "" if marked.startswith("maps") else "maps: [tests], "
    text, [(line, column)] = split_marks(f"folders:\n  teams: {{{maps}{marked}}}")

    assert home.says(text) == f"broker.yaml:{line}:{column}: folders: `teams`: {fault}"


@pytest.mark.parametrize(
    "written", ["*-web", "web-*-ci", "web-**", "-*", "web*-*", "We-*", "w\u0435b-*", "web--*", "**"]
)
def test_a_star_stands_only_after_a_name_and_a_hyphen(home: Home, written: str) -> None:
    said = home.says(f"folders: {{t: {{maps: [tests], service_accounts: ['{written}']}}}}")

    assert "`*` stands only at the end" in said


@pytest.mark.parametrize("written", ["web-*", "w-*", "web-ci-*", "9-*", "web-ci", "m-4f2a", "w9"])
def test_ids_and_their_beginnings_are_accepted(home: Home, written: str) -> None:
    found = delegated(home, f"folders: {{t: {{maps: [tests], service_accounts: ['{written}']}}}}")

    assert found.service_accounts == (written,)


@pytest.mark.parametrize(
    ("written", "what"),
    [("", "nothing"), ("[]", "a list"), ("teams", "a text"), ("3", "a number"),
     ("true", "true or false")],
)  # fmt: skip
def test_folders_are_a_mapping(home: Home, written: str, what: str) -> None:
    said = home.says(f"folders: {written}")

    assert said.partition(": ")[2] == (
        f"folders: {what} where a mapping belongs, such as {EXAMPLE}"
    )


@pytest.mark.parametrize("written", ["", "[]", "[tests]", "tests"])
def test_a_delegation_is_a_mapping(home: Home, written: str) -> None:
    said = home.says(f"folders:\n  teams: {written}\n")

    assert said.endswith("where a mapping belongs, of maps, effects, service_accounts, services")


def test_the_example_in_the_messages_loads(home: Home) -> None:
    delegated(home, f"folders: {EXAMPLE}")


def test_all_faults_of_all_folders_come_at_once(home: Home) -> None:
    text, places = split_marks("""\
listen: ►nowhere
folders:
  ►../a: {maps: [►p, ►q]}
  b: ►[]
  c: {maps: [policies], effects: [►permit], services: [►"*"], ►more: 1}
""")

    assert places_of(home.problems(text)) == places


# --- the variable ---------------------------------------------------------------------------------


def test_the_variable_holds_a_mapping_in_braces(home: Home) -> None:
    (found,) = home.load(environment={"BROKER_FOLDERS": f"{{teams/web/: {WEB}}}"}).folders

    assert found == delegated(home, f"folders: {{teams/web/: {WEB}}}")
    assert found.place == ("BROKER_FOLDERS", 0, 0)


def test_the_variable_takes_the_place_of_the_whole_setting(home: Home) -> None:
    settings = home.load(f"folders: {{teams/web/: {WEB}}}", {"BROKER_FOLDERS": "{}"})

    assert settings.folders == ()


@pytest.mark.parametrize("written", ["teams/web", "[]", "null", "teams: {maps: [tests]}", "- a"])
def test_a_variable_without_braces_is_refused(home: Home, written: str) -> None:
    assert home.says(environment={"BROKER_FOLDERS": written}) == (
        f"BROKER_FOLDERS: a text where a mapping in braces belongs, such as {EXAMPLE}"
    )


@pytest.mark.parametrize(
    "written", ["{", "{t: {maps: [tests]}", "{t: &a {maps: [tests]}}", "{} {}"]
)
def test_a_variable_that_is_no_strict_yaml_is_refused(home: Home, written: str) -> None:
    said = home.problems(environment={"BROKER_FOLDERS": written})

    assert {each.file for each in said} == {"BROKER_FOLDERS"}


def test_every_fault_in_the_variable_names_its_folder(home: Home) -> None:
    said = home.problems(environment={"BROKER_FOLDERS": "{/a: {maps: [tests]}, b: {maps: [x]}}"})

    assert [str(each)[:23] for each in said] == [
        "BROKER_FOLDERS: `/a` be", "BROKER_FOLDERS: `b`: `x"
    ]  # fmt: skip


@pytest.mark.parametrize("variable", ["BROKER_FOLDERS__TEAMS", "BROKER_FOLDERS__TEAMS__MAPS"])
def test_there_are_no_variables_for_single_folders(home: Home, variable: str) -> None:
    assert home.says(environment={variable: "{}"}) == (
        f"{variable}: no setting; write all folders as one mapping in braces into BROKER_FOLDERS"
    )
