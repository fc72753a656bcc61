"""A broker starts only on policies whose own tests hold."""

import logging
from pathlib import Path

import pytest

from broker.bootstrap import running
from broker.core.errors import ConfigurationError
from broker.settings import Settings
from broker.settings import load as load_settings
from broker.testing import FrozenClock

NOW = 1_795_300_000.0
POLICIES = """\
issuers: {github: {preset: github}}
services: {deploy-api: {audience: "https://deploy.example.com"}}
service_accounts: {deploy-web: {grants: {deploy-api: []}}}
policies:
  web:
    {service_account: deploy-web, issuer: github, expires: EXPIRES, match: {repository: acme/web}}
tests:
  - {name: acme/web deploys, issuer: github, base: push, expect: permit}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    return tmp_path


def settings_with(home: Path, policies: str) -> Settings:
    (home / "policies" / "web.yaml").write_text(policies)
    return load_settings(None, {}, working_directory=home)


async def test_a_set_whose_tests_hold_is_in_force(home: Path) -> None:
    settings = settings_with(home, POLICIES.replace("EXPIRES", "2027-06-30"))

    async with running(settings, clock=FrozenClock(NOW)) as broker:
        assert list(broker.policies.current().policy_set.policies) == ["web"]


async def test_a_set_whose_tests_fail_does_not_start_and_says_where(home: Path) -> None:
    text = POLICIES.replace("EXPIRES", "2027-06-30").replace("acme/web}}", "acme/other}}")
    settings = settings_with(home, text)

    with pytest.raises(ConfigurationError) as caught:
        async with running(settings, clock=FrozenClock(NOW)):
            pass

    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(home / "policies/web.yaml"), 8)
    assert problem.message.startswith("test `acme/web deploys` fails: expected permit, got deny")
    assert not (home / "data" / "broker.db").exists()


async def test_on_the_day_after_a_policy_expired_the_broker_still_starts_and_warns(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_with(home, POLICIES.replace("EXPIRES", "2020-01-01"))

    with caplog.at_level(logging.WARNING):
        async with running(settings, clock=FrozenClock(NOW)):
            pass

    (record,) = caplog.records
    assert record.getMessage() == "a test of the policies has lapsed"
    assert vars(record)["place"] == f"{home}/policies/web.yaml:8"
