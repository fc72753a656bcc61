"""What is recorded of observed policies is what comes of them enforced, by every way to a token."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker.core.vocabulary import TOKEN_TYPE_JWT
from tests.http.test_explain import explain
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

CATALOGUE = """\
services:
  plain: {audience: https://plain.example}
  cloud: {audience: sts.amazonaws.com, profile: aws}
  shaped: {audience: https://shaped.example, claims: {team: "{workload.environment_node_id}"}}
service_accounts:
  second: {grants: {deploy-api: [deploy:read], plain: [], cloud: [], shaped: []}}
  idle: {enabled: false, grants: {deploy-api: [deploy:read]}}
  apart: {instances: [environment_node_id], grants: {deploy-api: [deploy:read]}}
"""
ON = "issuer: github, match: {repository_id: 456789, ref"
OBSERVED = f"""\
policies:
  next-topic: {{service_account: second, {ON}: refs/heads/topic}}}}
  next-main: {{service_account: second, {ON}: refs/heads/main}}}}
  next-idle: {{service_account: idle, {ON}: refs/heads/idle}}}}
  next-nobody: {{service_account: api-made, grants: {{deploy-api: []}}, {ON}: refs/heads/nobody}}}}
  next-apart: {{service_account: apart, {ON}: refs/heads/apart}}}}
  next-deny: {{effect: deny, issuer: github, match: {{actor_id: 666}}}}
"""
GRANT = ("reason", "service_account", "sub", "audience", "scopes", "ttl")
Ways = dict[str, Callable[..., Any]]
WAYS: Ways = {
    "token exchange": lambda broker, token, **asked: broker.exchange(token, **asked),
    "for an identity": lambda broker, token, **asked: broker.exchange(
        token, requested_token_type=TOKEN_TYPE_JWT, **asked
    ),
    "jwt-bearer": lambda broker, token, **asked: broker.jwt_bearer(token, **asked),
    "client assertion": lambda broker, token, **asked: broker.client_assertion(
        token, **{"client_id": "second", **asked}
    ),
    "explained": explain,
    "explained, for an identity": lambda broker, token, **asked: explain(
        broker, token, requested_token_type=TOKEN_TYPE_JWT, **asked
    ),
}
JOBS: list[dict[str, str]] = [
    {"ref": "refs/heads/topic"},
    {"ref": "refs/heads/main"},
    {"ref": "refs/heads/idle"},
    {"ref": "refs/heads/nobody"},
    {"ref": "refs/heads/apart"},
    {"ref": "refs/heads/apart", "environment_node_id": "a:b"},
    {"ref": "refs/heads/topic", "environment_node_id": "EN_1"},
    {"actor_id": "666"},
    {"ref": "refs/heads/topic", "actor_id": "666"},
]
ASKED: list[dict[str, str]] = [
    {},
    {"scope": "deploy:write"},
    {"client_id": "second"},
    {"client_id": "deploy-web"},
    {"audience": "plain"},
    {"audience": "cloud"},
    {"audience": "shaped"},
    {"audience": "no-such-service"},
]


@pytest.fixture(scope="module")
def brokers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningBroker, RunningBroker]]:
    """Serve one broker that observes, and one that enforces the same."""
    seen = OBSERVED.replace("}\n", ", mode: observe}\n")
    observing, enforcing = (tmp_path_factory.mktemp(name) for name in ("observing", "enforcing"))
    with (
        special_broker(observing, CATALOGUE + seen) as first,
        special_broker(enforcing, CATALOGUE + OBSERVED) as second,
    ):
        yield first, second


def told_of(event: dict[str, Any]) -> list[Any]:
    """Give what came of a decision; nothing is granted by an explanation."""
    return [event[name] for name in (GRANT if event["type"] != "token.explained" else GRANT[:1])]


@pytest.mark.parametrize("way", WAYS)
def test_what_would_be_is_what_is_once_it_is_enforced(
    way: str, brokers: tuple[RunningBroker, RunningBroker]
) -> None:
    observing, enforcing = brokers
    kinds = set()
    for claims in JOBS:
        for asked in ASKED:
            for broker in brokers:
                WAYS[way](broker, broker.github_token(**claims), **asked)
            was, now = observing.decisions()[-1], enforcing.decisions()[-1]
            would = was.get("would")
            if would is None:
                # Of a type that the service has not: refused whatever policies say.
                assert was["reason"] == "unsupported_token_type", (claims, asked)
                assert now["reason"] is not None, (claims, asked)
                continue
            kinds.add(would["kind"])
            expected = GRANT if now["type"] != "token.explained" else GRANT[:1]
            assert [would[name] for name in expected] == told_of(now), (claims, asked)
            if now["reason"] != "unsupported_token_type":
                assert would["policies"] == now["policies"], (claims, asked)
    some = {"same", "would_permit"}
    assert kinds >= (some if "identity" in way else some | {"would_deny"})
