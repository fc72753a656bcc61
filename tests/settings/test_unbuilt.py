"""What protects and is not built yet is refused, not ignored."""

import pytest

from tests.settings.home import Home

NO_LIMITS = (
    "this version has no rate limits yet: write `rate_limits: off`, and limit in the proxy before"
    " the broker"
)


@pytest.mark.parametrize(
    "yaml",
    [
        "rate_limits: off",
        "rate_limits: 'off'",
        "rate_limits: {client: off, address: off, failed: off}",
    ],
)
def test_what_protects_may_be_switched_off(home: Home, yaml: str) -> None:
    home.load(yaml)


@pytest.mark.parametrize(
    ("yaml", "places"),
    [
        ("rate_limits: 600/m", ["1:14: rate_limits: "]),
        ("rate_limits: {client: 1/m, address: off, failed: 2/m}",
         ["1:23: rate_limits.client: ", "1:50: rate_limits.failed: "]),
    ],
)  # fmt: skip
def test_a_rate_limit_is_refused(home: Home, yaml: str, places: list[str]) -> None:
    said = [str(each) for each in home.problems(yaml)]

    assert said == [f"broker.yaml:{place}{NO_LIMITS}" for place in places]


@pytest.mark.parametrize("written", ["false", "0", "[]", "no"])
def test_off_is_written_as_off(home: Home, written: str) -> None:
    home.problems(f"rate_limits: {written}")


def test_some_limits_off_would_leave_the_others_on(home: Home) -> None:
    assert home.says("rate_limits: {address: off}") == (
        "broker.yaml:1:24: rate_limits.address: `client`, `failed` would still be limited, which"
        " this version cannot do yet; write `rate_limits: off`"
    )


def test_a_variable_switches_off_the_limits_of_the_file(home: Home) -> None:
    home.load("rate_limits: {client: 600/m}", {"BROKER_RATE_LIMITS": "off"})


def test_a_variable_cannot_bring_back_one_limit(home: Home) -> None:
    said = home.says("rate_limits: off", {"BROKER_RATE_LIMITS__CLIENT": "1/m"})

    assert said == f"BROKER_RATE_LIMITS__CLIENT: {NO_LIMITS}"


def test_variables_can_switch_off_each_limit(home: Home) -> None:
    names = ("CLIENT", "ADDRESS", "FAILED")

    home.load(environment={f"BROKER_RATE_LIMITS__{name}": "off" for name in names})
