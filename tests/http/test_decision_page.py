"""`GET /d/{decision_id}`: what the link of a refusal leads to."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
COMMANDS = [
    "broker audit explain {}",
    "broker explain SERVICE",
    "/api/v1/audit-logs?decision_id={}",
]


@pytest.fixture(scope="module")
def below_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), path="/ci/broker") as broker:
        yield broker


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/explain", "/api/v1/auth/token"])
def test_a_refusal_links_to_a_page_about_its_decision(
    live_broker: RunningBroker, path: str
) -> None:
    refusal = live_broker.request("POST", path, data={"subject_token": "none"}).json()

    assert refusal["error_uri"] == f"{live_broker.url}/d/{refusal['decision_id']}"
    page = live_broker.request("GET", urlsplit(refusal["error_uri"]).path)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    for each in [*COMMANDS, "broker:audit:read"]:
        assert each.format(refusal["decision_id"]) in page.text


def test_a_refusal_by_the_policies_has_a_link_and_a_permit_has_none(
    live_broker: RunningBroker,
) -> None:
    refused = live_broker.exchange(live_broker.github_token(ref="refs/heads/x")).json()
    permitted = live_broker.exchange(live_broker.github_token()).json()

    assert refused["error_uri"].endswith(f"/d/{refused['decision_id']}")
    assert "error_uri" not in permitted


def test_a_browser_gets_a_page_with_the_same_words(live_broker: RunningBroker) -> None:
    decision = live_broker.exchange("no token").json()["decision_id"]

    page = live_broker.request("GET", f"/d/{decision}", headers=HTML)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text.startswith("<!doctype html>")
    for each in COMMANDS:
        assert f"{each.format(decision)}</code>" in page.text


@pytest.mark.parametrize("headers", [{}, HTML])
def test_neither_is_stored_framed_or_indexed_and_nothing_runs_in_it(
    live_broker: RunningBroker, headers: dict[str, str]
) -> None:
    decision = live_broker.exchange("no token").json()["decision_id"]

    told = live_broker.request("GET", f"/d/{decision}", headers=headers).headers

    assert told["cache-control"] == "no-store"
    assert told["vary"] == "accept"
    assert told["x-content-type-options"] == "nosniff"
    assert told["referrer-policy"] == "no-referrer"
    assert told["x-robots-tag"] == "noindex, nofollow"
    policy = told["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy


def test_the_link_of_an_issuer_with_a_path_is_below_it(below_a_path: RunningBroker) -> None:
    refusal = below_a_path.exchange("no token").json()

    link = f"{below_a_path.url}/ci/broker/d/{refusal['decision_id']}"
    assert refusal["error_uri"] == link
    page = below_a_path.request("GET", urlsplit(link).path)
    assert page.status_code == 200
    assert f"{below_a_path.url}/ci/broker/api/v1/audit-logs?decision_id=" in page.text
    # Like every endpoint it is at the root as well, for a proxy that takes the path off.
    assert below_a_path.request("GET", f"/d/{refusal['decision_id']}").text == page.text


def test_the_page_is_counted_by_its_route_and_not_by_its_id(live_broker: RunningBroker) -> None:
    decision = live_broker.exchange("no token").json()["decision_id"]
    live_broker.request("GET", f"/d/{decision}")

    figures = live_broker.request("GET", "/metrics").text

    assert '"/d/{decision_id}"' in figures
    assert decision not in figures
