import pytest

from broker.core.signing_keys import SIGNING_ALGORITHMS
from broker.settings import keys
from tests.settings.home import Home


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("600", "`600` has no unit; seconds are written `600s`"),
        ("'600'", "`600` has no unit; seconds are written `600s`"),
        ("10 m", "`10 m` must be one number and one of s m h d, as in `10m`"),
        ("1h30m", "`1h30m` must be one number and one of s m h d, as in `10m`"),
        ("-1m", "`-1m` must be one number and one of s m h d, as in `10m`"),
        ("1w", "`1w` must be one number and one of s m h d, as in `10m`"),
        ("0m", "`0m` must be from 1s to 1d"),
        ("25h", "`25h` must be from 1s to 1d"),
        ("true", "true or false where a duration such as 10m belongs"),
        ("[1m]", "a list where a duration such as 10m belongs"),
        ("", "nothing where a duration such as 10m belongs"),
    ],
)
def test_a_duration_is_a_number_and_a_unit_within_bounds(
    home: Home, written: str, fault: str
) -> None:
    said = home.says(f"tokens:\n  max_ttl: {written}\n")

    assert said.partition(": ")[2] == f"tokens.max_ttl: {fault}"
    assert said.startswith("broker.yaml:2:")


@pytest.mark.parametrize(
    ("variable", "longest", "too_long"),
    [
        ("BROKER_LEEWAY", "5m", "301s"),
        ("BROKER_TOKENS__MAX_TTL", "24h", "86401s"),
        ("BROKER_SIGNING__ROTATE_EVERY", "3650d", "3651d"),
        ("BROKER_AUDIT__RETENTION", "3650d", "3651d"),
    ],
)
def test_every_duration_has_a_bound(home: Home, variable: str, longest: str, too_long: str) -> None:
    home.load(environment={variable: longest})

    said = home.says(environment={variable: too_long})

    assert said.startswith(f"{variable}: `{too_long}` must be from ")


def test_no_leeway_at_all_is_possible(home: Home) -> None:
    assert home.load("leeway: 0s").leeway == 0


def test_a_ttl_longer_than_the_maximum_is_refused(home: Home) -> None:
    assert home.says("tokens: {ttl: 2h}") == (
        "broker.yaml:1:15: tokens.ttl: 2h is longer than `max_ttl` (1h);"
        " lower the one or raise the other"
    )


def test_the_default_ttl_follows_a_smaller_maximum(home: Home) -> None:
    assert home.load("tokens: {max_ttl: 2m}").tokens.ttl == 120


@pytest.mark.parametrize(
    ("yaml", "place", "sizes"),
    [
        ("signing: {rotate_every: 1h}", "1:25: signing.rotate_every", ("1d", "1h")),
        ("signing: {publish_before_use: 30d}", "1:31: signing.publish_before_use", ("30d", "30d")),
        (
            "signing: {rotate_every: 2d, publish_before_use: 49h}",
            "1:49: signing.publish_before_use",
            ("49h", "2d"),
        ),
    ],
)
def test_a_key_is_published_for_less_than_the_time_between_two_keys(
    home: Home, yaml: str, place: str, sizes: tuple[str, str]
) -> None:
    before, every = sizes

    assert home.says(yaml) == (
        f"broker.yaml:{place}: `publish_before_use` ({before}) must be shorter than"
        f" `rotate_every` ({every})"
    )


@pytest.mark.parametrize(
    ("written", "place", "fault"),
    [
        ("[RS256, HS256]", "1:31", "`HS256` is none of RS256, ES256, EdDSA"),
        ("[none]", "1:24", "`none` is none of RS256, ES256, EdDSA"),
        ("[rs256]", "1:24", "`rs256` is none of RS256, ES256, EdDSA"),
        ("[]", "1:23", "an empty list; name at least one of RS256, ES256, EdDSA"),
        ("[ES256, ES256]", "1:23", "an algorithm is here twice; name each once"),
        ("RS256", "1:23", "a text where a list belongs, such as [a, b]"),
    ],
)
def test_tokens_are_signed_with_asymmetric_algorithms_alone(
    home: Home, written: str, place: str, fault: str
) -> None:
    said = home.says(f"signing: {{algorithms: {written}}}")

    assert said == f"broker.yaml:{place}: signing.algorithms: {fault}"


def test_settings_and_signing_keys_know_the_same_algorithms() -> None:
    assert keys.SIGNING_ALGORITHMS == SIGNING_ALGORITHMS


@pytest.mark.parametrize("written", ["'true'", "1", "'off'", "[true]", "public"])
def test_true_and_false_are_not_guessed_in_the_file(home: Home, written: str) -> None:
    said = home.says(f"metrics: {{public: {written}}}")

    assert said.endswith("where true or false belongs, without quotes")


@pytest.mark.parametrize("written", ["yes", "1", "True", "off", "", " true"])
def test_true_and_false_are_not_guessed_in_a_variable(home: Home, written: str) -> None:
    said = home.says(environment={"BROKER_METRICS__PUBLIC": written})

    assert said == f"BROKER_METRICS__PUBLIC: `{written}` is neither true nor false"


@pytest.mark.parametrize("written", ["-1", "1000001", "'5'", "true", "5m"])
def test_a_number_of_accounts_is_a_whole_number_in_the_file(home: Home, written: str) -> None:
    assert home.says(f"max_accounts: {written}").startswith("broker.yaml:1:15: max_accounts: ")


@pytest.mark.parametrize("written", ["-1", "1000001", "5 ", "٣", "1e3", "9" * 5000, ""])
def test_a_number_of_accounts_is_a_whole_number_in_a_variable(home: Home, written: str) -> None:
    said = home.says(environment={"BROKER_MAX_ACCOUNTS": written})

    assert said.startswith("BROKER_MAX_ACCOUNTS: ")


@pytest.mark.parametrize("written", ["", "a_b", "a-b", "ä", "a" * 17, " a"])
def test_a_secret_prefix_fits_into_a_secret(home: Home, written: str) -> None:
    said = home.says(f'secret_prefix: "{written}"')

    assert said == (
        f"broker.yaml:1:16: secret_prefix: `{written}` is not made of 1 to 16 letters A-Z a-z"
        " and digits"
    )


@pytest.mark.parametrize(
    ("written", "hosts"),
    [
        ("", ()),
        ("a.example", ("a.example",)),
        ("a.example, b.example", ("a.example", "b.example")),
        ('["a.example", b.example]', ("a.example", "b.example")),
        ("[]", ()),
    ],
)
def test_a_variable_holds_a_list_with_commas_or_as_yaml(
    home: Home, written: str, hosts: tuple[str, ...]
) -> None:
    settings = home.load("jwks_hosts: [z.example]", {"BROKER_JWKS_HOSTS": written})

    assert settings.jwks_hosts == hosts


@pytest.mark.parametrize("written", ["a.example,", ",", "[a.example", "[a], b: c", "[*a]", "[1]"])
def test_a_variable_with_half_a_list_is_refused(home: Home, written: str) -> None:
    found = home.problems(environment={"BROKER_JWKS_HOSTS": written})

    assert {each.file for each in found} == {"BROKER_JWKS_HOSTS"}


@pytest.mark.parametrize("variable", ["BROKER_ISSUER", "BROKER_LEEWAY", "BROKER_POLICIES"])
def test_an_empty_variable_is_not_taken_for_an_absent_one(home: Home, variable: str) -> None:
    said = home.says(environment={variable: ""})

    assert said == f"{variable}: empty; unset the variable to have the default"


@pytest.mark.parametrize("character", ["\n", "\x1b", "\u202e", "\udc80", "\0"])
def test_a_variable_with_an_unprintable_character_is_refused(home: Home, character: str) -> None:
    said = home.says(environment={"BROKER_POLICIES": f"policies{character}"})

    assert said == (
        "BROKER_POLICIES: it holds a line break or another character that cannot be printed"
    )


def test_a_key_without_a_value_is_refused(home: Home) -> None:
    assert home.says("issuer:\n") == (
        "broker.yaml:1:8: issuer: nothing where a text belongs; delete the line to have the default"
    )


def test_a_value_in_the_place_of_a_group_is_refused(home: Home) -> None:
    assert home.says("tokens: 5m") == (
        "broker.yaml:1:9: tokens: a text where a mapping belongs, of ttl, max_ttl"
    )


def test_a_group_in_the_place_of_a_value_is_refused(home: Home) -> None:
    assert home.says("issuer: {url: a}") == (
        "broker.yaml:1:9: issuer: a mapping where a text belongs"
    )


def test_a_number_in_the_place_of_a_text_needs_quotes(home: Home) -> None:
    assert home.says("secret_prefix: 7") == (
        "broker.yaml:1:16: secret_prefix: a number where a text belongs; put it into quotes"
    )
