"""Row 45: token ids are unique per issuer, so another issuer's must neither spend nor block."""

from pathlib import Path

import pytest

from broker.testing import gitlab_claims
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, POLICIES, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

JTI = "00000000-0000-4000-8000-000000000045"


def test_the_same_id_from_another_issuer_is_another_token(live_broker: RunningBroker) -> None:
    from_github = live_broker.github_token(jti=JTI)
    from_gitlab = live_broker.gitlab_corp.token(gitlab_claims(jti=JTI), audience=AUDIENCE)

    verified(live_broker, live_broker.exchange(from_github))
    verified(live_broker, live_broker.exchange(from_gitlab))
    assert_refused(live_broker, live_broker.exchange(from_github), "token_already_used")
    assert_refused(live_broker, live_broker.exchange(from_gitlab), "token_already_used")


def test_their_fingerprints_differ_in_the_audit(live_broker: RunningBroker) -> None:
    tokens = (
        live_broker.github_token(jti=f"{JTI}-b"),
        live_broker.gitlab_token(jti=f"{JTI}-b"),
    )

    granted = {live_broker.exchange(token).json()["token_id"] for token in tokens}

    events = [event for event in live_broker.events() if event["token_id"] in granted]
    assert len({event["subject_token_id"] for event in events}) == 2


@pytest.mark.parametrize("replay", ["single_use", "per_audience"])
def test_nor_do_they_where_both_issuers_count_alike(tmp_path: Path, replay: str) -> None:
    """What is spent under another `replay` has another name anyhow, so both have the same here."""
    policies = POLICIES.replace("replay: per_audience", f"replay: {replay}")
    policies = policies.replace("{{preset: github,", f"{{{{preset: github, replay: {replay},")
    with special_broker(tmp_path, policies=policies) as broker:
        from_github = broker.github_token(jti=JTI)
        from_gitlab = broker.gitlab_corp.token(gitlab_claims(jti=JTI), audience=AUDIENCE)

        verified(broker, broker.exchange(from_github))
        verified(broker, broker.exchange(from_gitlab))
        assert_refused(broker, broker.exchange(from_github), "token_already_used")
        assert_refused(broker, broker.exchange(from_gitlab), "token_already_used")
