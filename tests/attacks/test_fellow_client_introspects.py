"""Row 147: an account introspects what is none of its business."""

from collections.abc import Iterator

import pytest

from tests.http.test_introspection import NOTHING, by_secret, credentials, told
from tests.registry_api import OPERATORS, calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        yield running


def test_an_organization_sees_its_own_tokens_alone(broker: RunningBroker) -> None:
    acme, umbrella = calling(broker, "acme-admin"), calling(broker, "umbrella-admin")
    seeing = credentials(acme.create(grants={"broker": ["broker:introspect"]}))
    tokens = []
    for operator, service in ((acme, "of-acme"), (umbrella, "of-umbrella")):
        made = operator.create(grants={service: ["acme:run"]})
        tokens.append(by_secret(broker, made))
    everyone = calling(broker, "admin").create(grants={"plain": []})
    tokens.append(by_secret(broker, everyone))

    assert [told(broker, token, seeing)["active"] for token in tokens] == [True, False, False]


def test_another_ones_live_token_and_none_at_all_are_answered_alike(broker: RunningBroker) -> None:
    admin = calling(broker, "admin")
    curious = credentials(admin.create(grants={"plain": []}))
    made = admin.create(grants={"plain": []})
    token = by_secret(broker, made)

    assert told(broker, token, curious) == told(broker, "a.b.c", curious) == NOTHING
