"""Row 150: one service under several spellings, to use a token once for each of them."""

from itertools import permutations
from typing import Any

import pytest

from broker.testing import gitlab_claims
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import DEPLOY_API, verified

SPELLINGS: list[dict[str, Any]] = [
    {"audience": "deploy-api"},
    {"audience": DEPLOY_API},
    {"audience": None, "resource": DEPLOY_API},
    {"audience": "deploy-api", "resource": DEPLOY_API},
]


@pytest.mark.parametrize(("first", "second"), list(permutations(SPELLINGS, 2)), ids=repr)
def test_a_service_counts_once_however_it_is_spelled(
    live_broker: RunningBroker, first: dict[str, Any], second: dict[str, Any]
) -> None:
    token = live_broker.gitlab_corp.token(gitlab_claims(), audience=AUDIENCE)

    verified(live_broker, live_broker.exchange(token, **first))

    assert_refused(live_broker, live_broker.exchange(token, **second), "token_already_used")
