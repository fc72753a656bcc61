"""`rate_limits`: each limit a rate or `off`, or `off` for all that say nothing themselves."""

import pytest

from broker.core.limits import Rate
from broker.settings import RateLimitSettings
from tests.settings.home import Home

CLIENT, ADDRESS, FAILED = Rate(600, 60), Rate(6000, 60), Rate(600, 60)
OFF = RateLimitSettings(None, None, None)


@pytest.mark.parametrize(
    ("yaml", "limits"),
    [
        ("rate_limits: off", OFF),
        ("rate_limits: 'off'", OFF),
        ("rate_limits: {client: off, address: off, failed: off}", OFF),
        ("rate_limits: {client: 7/h}", RateLimitSettings(Rate(7, 3600), ADDRESS, FAILED)),
        ("rate_limits: {address: off}", RateLimitSettings(CLIENT, None, FAILED)),
        ("rate_limits: {failed: 1000000000/d}",
         RateLimitSettings(CLIENT, ADDRESS, Rate(1_000_000_000, 86_400))),
        ("rate_limits: {}", RateLimitSettings(CLIENT, ADDRESS, FAILED)),
    ],
)  # fmt: skip
def test_each_limit_is_read(home: Home, yaml: str, limits: RateLimitSettings) -> None:
    assert home.load(yaml).rate_limits == limits


@pytest.mark.parametrize(
    "written",
    ["600", "0/m", "-1/m", "600 / m", "600/min", "06/m", "1000000001/s", "6e2/m", "", "٦/m", "OFF"],
)
def test_what_is_no_rate_is_refused_and_told_how_it_is_written(home: Home, written: str) -> None:
    said = home.says(f"rate_limits: {{failed: '{written}'}}")

    assert said.startswith(f"broker.yaml:1:23: rate_limits.failed: `{written}` must be a number")
    assert said.endswith("as in `600/m`, or `off` for no limit")


def test_one_rate_for_all_is_no_limit(home: Home) -> None:
    assert home.says("rate_limits: 600/m") == (
        "broker.yaml:1:14: rate_limits: `600/m` is not `off`; a limit is a member, as in"
        " `{client: 600/m}`"
    )


@pytest.mark.parametrize("written", ["false", "0", "[]", "no"])
def test_off_is_written_as_off(home: Home, written: str) -> None:
    home.problems(f"rate_limits: {written}")
    home.problems(f"rate_limits: {{client: {written}}}")


def test_a_variable_switches_off_the_limits_of_the_file(home: Home) -> None:
    settings = home.load("rate_limits: {client: 600/m}", {"BROKER_RATE_LIMITS": "off"})

    assert settings.rate_limits == OFF


def test_a_variable_brings_back_one_limit(home: Home) -> None:
    settings = home.load("rate_limits: off", {"BROKER_RATE_LIMITS__CLIENT": "1/m"})

    assert settings.rate_limits == RateLimitSettings(Rate(1, 60), None, None)


def test_variables_can_switch_off_each_limit(home: Home) -> None:
    names = ("CLIENT", "ADDRESS", "FAILED")

    settings = home.load(environment={f"BROKER_RATE_LIMITS__{name}": "off" for name in names})

    assert not settings.rate_limits.any()
