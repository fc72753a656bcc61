"""Row 49: a token that was made for somebody else, or for nobody in particular."""

from pathlib import Path
from typing import Any

import pytest

from broker.core.errors import ConfigurationError
from tests.attacks.hand_made_tokens import with_raw_claim, without_claim
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, POLICIES, RunningBroker
from tests.special_brokers import special_broker


@pytest.mark.parametrize(
    "audience",
    [
        "https://github.com/octo-org",
        "sts.amazonaws.com",
        "api://AzureADTokenExchange",
        "sigstore",
        "https://vault.example",
        "https://deploy.example.com",
        "*",
        "",
        None,
        0,
        True,
        {AUDIENCE: AUDIENCE},
        {},
        [],
        [""],
        [None],
        [[AUDIENCE]],
    ],
    ids=repr,
)
@pytest.mark.parametrize("grant", ["exchange", "jwt_bearer"])
def test_a_token_for_another_audience_is_refused(
    live_broker: RunningBroker, grant: str, audience: Any
) -> None:
    token = with_raw_claim(live_broker, "aud", audience)

    answer = getattr(live_broker, grant)(token)

    event = assert_refused(live_broker, answer, "audience_mismatch")
    assert event["policies"] == []


def test_a_token_without_audience_is_refused(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(without_claim(live_broker, "aud"))

    assert_refused(live_broker, answer, "audience_mismatch")


def test_the_url_of_the_broker_is_no_audience_where_others_are_configured(
    live_broker: RunningBroker,
) -> None:
    answer = live_broker.exchange(with_raw_claim(live_broker, "aud", live_broker.url))

    assert_refused(live_broker, answer, "audience_mismatch")


@pytest.mark.parametrize("audiences", ["[]", '[""]'])
def test_an_issuer_without_audience_does_not_start(tmp_path: Path, audiences: str) -> None:
    without = POLICIES.replace("[{audience}]", audiences, 1)

    with (
        pytest.raises(ConfigurationError, match="audience"),
        special_broker(tmp_path, policies=without),
    ):
        pass
