"""Rows 137 and 139: strangers' words as labels, so that monitoring drowns, or tells them on."""

import secrets
from typing import Any

import pytest

from broker.core.errors import Reason
from tests.attacks.hand_made_tokens import payload_of
from tests.metrics.scraping import figures, scrape
from tests.running_broker import AUDIENCE, RunningBroker


def flood(broker: RunningBroker, times: int) -> list[str]:
    """Send words of the attacker's wherever a request has room for them; give the words."""
    words = []
    for _ in range(times):
        word = f"w{secrets.token_hex(8)}"
        words.append(word)
        hostile: list[dict[str, Any]] = [
            {"audience": word},
            {"audience": f"https://{word}.example"},
            {"scope": word},
            {"client_id": word},
            {"grant_type": word},
            {
                "subject_token": broker.github.token(
                    {"iss": f"https://{word}.example"}, audience=AUDIENCE
                )
            },
            {"subject_token": broker.github_token(header={"kid": word})},
        ]
        for parameters in hostile:
            token = broker.github_token(ref=f"refs/heads/{word}", actor=word)
            answer = broker.exchange(**{"token": token, **_renamed(parameters)})
            assert answer.status_code == 400, answer.text
        for method, path in (("GET", f"/{word}"), ("GET", f"/api/v1/service-accounts/{word}")):
            broker.request(method, path, params={word: word}, headers={"X-Request-Id": word})
        broker.request("POST", "/oauth/token", headers={"Content-Type": word, "User-Agent": word})
    return words


def _renamed(parameters: dict[str, Any]) -> dict[str, Any]:
    return {{"subject_token": "token"}.get(name, name): each for name, each in parameters.items()}


@pytest.fixture(scope="module")
def flooded(live_broker: RunningBroker) -> tuple[RunningBroker, list[str], int]:
    words = flood(live_broker, 1)
    # The second time its own request is in it.
    before = [len(figures(live_broker)) for _ in range(2)][-1]
    words += flood(live_broker, 15)
    return live_broker, words, before


def test_more_words_make_no_more_series(flooded: tuple[RunningBroker, list[str], int]) -> None:
    broker, _, before = flooded

    assert len(figures(broker)) == before


def test_no_word_of_a_request_is_a_label(flooded: tuple[RunningBroker, list[str], int]) -> None:
    broker, words, _ = flooded
    text = scrape(broker).text

    assert [word for word in words if word in text] == []
    named = [label for _, labels in figures(broker) for label in labels]
    texts = {text for name, text in named if name not in {"le", "process", "status"}}
    assert texts.isdisjoint(map(str, payload_of(broker).values()))


def test_every_name_is_one_of_the_configuration(
    flooded: tuple[RunningBroker, list[str], int],
) -> None:
    broker, _, _ = flooded
    policies = broker.in_force()
    allowed = {
        "issuer": {*policies.issuers, "none", "other"},
        "service": {*policies.services, "none", "other"},
        "reason": {*Reason, "none"},
        "grant": {"token_exchange", "jwt_bearer", "client_credentials", "none", "other"},
        "outcome": {"success", "refused", "error", "reloaded", "unchanged", "rejected"},
    }
    for _, labels in figures(broker):
        for name, text in labels:
            assert text in allowed.get(name, {text})
