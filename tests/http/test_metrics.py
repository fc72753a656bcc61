"""`/metrics` of a running broker: what is counted, in which format, and for whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser

from broker.core.limits import Rate
from broker.metrics.definitions import METRICS
from broker.settings.model import MetricsSettings, RateLimitSettings
from broker.signing.master_key import MasterKey
from tests.client_secrets import an_account, ask, give
from tests.metrics.scraping import Figures, figures, figures_in, scrape, sum_of, value
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

openmetrics: Any = parser.text_string_to_metric_families


def test_an_exchange_is_counted_by_issuer_service_and_outcome(own_broker: RunningBroker) -> None:
    token = own_broker.github_token()
    assert own_broker.exchange(token).status_code == 200
    assert own_broker.exchange(token).json()["reason"] == "token_already_used"
    other = own_broker.github_token(ref="refs/heads/other")
    assert own_broker.exchange(other).json()["reason"] == "no_policy_matched"
    assert (
        own_broker.jwt_bearer(own_broker.gitlab_token(), audience="deploy-api").status_code == 200
    )
    assert own_broker.exchange("nonsense", audience=None).json()["reason"] == "malformed_token"

    found = figures(own_broker)
    exchanges = "broker_exchanges_total"
    deploy = {"service": "deploy-api"}
    assert value(found, exchanges, issuer="github", outcome="success", **deploy) == 1
    assert value(found, exchanges, issuer="github", outcome="refused", **deploy) == 2
    assert value(found, exchanges, issuer="gitlab", outcome="success", **deploy) == 1
    assert value(found, exchanges, issuer="none", outcome="refused", service="none") == 1
    refusals = "broker_exchange_refusals_total"
    assert value(found, refusals, issuer="github", reason="token_already_used") == 1
    assert value(found, refusals, issuer="github", reason="no_policy_matched") == 1
    assert value(found, refusals, issuer="none", reason="malformed_token") == 1
    requests = "broker_oauth_requests_total"
    place = {"endpoint": "/oauth/token", "outcome": "success", "reason": "none"}
    assert value(found, requests, grant="token_exchange", **place) == 1
    assert value(found, requests, grant="jwt_bearer", **place) == 1
    assert sum_of(found, requests) == 5
    http = "broker_http_requests_total"
    assert value(found, http, endpoint="/oauth/token", status="200") == 2
    assert value(found, http, endpoint="/oauth/token", status="400") == 3
    count = "broker_http_request_duration_seconds_count"
    assert value(found, count, endpoint="/oauth/token") == 5
    # Two exchanges, two refusals on record; the events of the start are written otherwise.
    assert value(found, "broker_ledger_batch_entries_sum") == 4
    assert value(found, "broker_issuer_key_fetches_total", issuer="github", outcome="success") == 1
    fetched = value(found, "broker_issuer_keys_fetched_timestamp_seconds", issuer="github")
    assert fetched == own_broker.clock.now()


def test_a_question_is_no_exchange(own_broker: RunningBroker) -> None:
    form = {"subject_token": own_broker.github_token(ref="refs/heads/other")}
    form |= {"subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
    assert own_broker.request("POST", "/oauth/explain", data=form).status_code == 200

    found = figures(own_broker)
    assert sum_of(found, "broker_exchanges_total") == 0
    assert sum_of(found, "broker_oauth_requests_total", endpoint="/oauth/explain") == 1


def test_a_denial_is_counted_by_the_reason_on_record(tmp_path: Path) -> None:
    deny = "policies: {freeze: {effect: deny, issuer: github, match: {ref: refs/heads/main}}}\n"
    with special_broker(tmp_path, deny) as broker:
        assert broker.exchange(broker.github_token()).status_code == 400
        found = figures(broker)

    refusals = "broker_exchange_refusals_total"
    assert value(found, refusals, issuer="github", reason="denied_by_policy") == 1


def test_an_issuer_that_is_away_is_counted_and_told(own_broker: RunningBroker) -> None:
    own_broker.issuer_servers["github"].status = 500
    assert own_broker.exchange(own_broker.github_token()).status_code == 503

    found = figures(own_broker)
    assert value(found, "broker_issuer_key_fetches_total", issuer="github", outcome="error") == 1
    assert value(found, "broker_issuer_key_failures_in_a_row", issuer="github") == 1
    assert sum_of(found, "broker_issuer_keys_fetched_timestamp_seconds", issuer="github") == 0
    assert sum_of(found, "broker_exchanges_total", issuer="github", outcome="error") == 1


def test_a_rate_limit_is_counted_by_its_name(tmp_path: Path) -> None:
    limits = RateLimitSettings(client=Rate(1, 60), address=Rate(4, 60), failed=Rate(1, 60))
    with special_broker(tmp_path, rate_limits=limits) as broker:
        statuses = [broker.exchange(broker.github_token()).status_code for _ in range(2)]
        statuses += [broker.exchange("nonsense").status_code for _ in range(2)]
        statuses += [broker.exchange("nonsense").status_code]
        found = figures(broker)

    assert statuses == [200, 429, 400, 429, 429]
    for limit in ("client", "address", "failed"):
        assert value(found, "broker_rate_limited_requests_total", limit=limit) == 1


def test_reloads_and_rejected_files_are_told(own_broker: RunningBroker) -> None:
    own_broker.reload(forced=False)
    broken = own_broker.folder / "policies" / "broken.yaml"
    broken.write_text("policies: {main: {issuer: nobody}}\n")
    own_broker.clock.advance(60)
    own_broker.reload(forced=False)

    found = figures(own_broker)
    reloads = "broker_policy_reloads_total"
    assert [value(found, reloads, outcome=each) for each in ("unchanged", "rejected")] == [1, 1]
    assert value(found, "broker_policy_files_rejected") == 1
    now = own_broker.clock.now()
    assert value(found, "broker_policy_files_rejected_timestamp_seconds") == now
    assert value(found, "broker_policies") == 4
    broken.unlink()
    own_broker.reload(forced=False)
    found = figures(own_broker)
    assert value(found, "broker_policy_files_rejected") == 0
    assert sum_of(found, "broker_policy_files_rejected_timestamp_seconds") == 0


def test_the_signing_keys_and_the_process_are_told(own_broker: RunningBroker) -> None:
    own_broker.clock.advance(600)

    found = figures(own_broker)
    assert value(found, "broker_signing_key_age_seconds", alg="ES256") == 600
    due = value(found, "broker_signing_key_next_rotation_timestamp_seconds", alg="ES256")
    assert due == own_broker.clock.now() - 600 + 30 * 86_400
    assert value(found, "broker_signing_keys", alg="RS256", state="standby") == 1
    assert value(found, "broker_store_ready") == 1
    assert value(found, "broker_workers") == 1
    assert value(found, "broker_process_resident_memory_bytes", process="0") > 1_000_000
    assert sum_of(found, "broker_build_info") == 1


def test_every_metric_is_written_in_both_formats(own_broker: RunningBroker) -> None:
    own_broker.exchange("nonsense")
    own_broker.exchange(own_broker.github_token())
    plain = scrape(own_broker)
    other = scrape(own_broker, Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")

    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert plain.headers["cache-control"] == "no-store"
    media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert other.headers["content-type"] == media_type
    read = {family.name: family for family in openmetrics(other.text)}
    named = {metric.name: metric for metric in METRICS}
    seldom = {
        "broker_observed_decisions",
        "broker_rate_limited_requests",
        "broker_policy_reloads",
        "broker_policy_files_rejected_timestamp_seconds",
    }
    assert read.keys() == named.keys() - seldom
    for name, family in read.items():
        assert family.type == named[name].kind
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels == set(named[name].labels)


def test_only_reading_is_allowed(live_broker: RunningBroker) -> None:
    assert live_broker.request("POST", "/metrics").status_code == 405
    head = live_broker.request("HEAD", "/metrics")
    assert (head.status_code, head.content) == (200, b"")


# --- off loopback ---------------------------------------------------------------------------------

KEYLESS = """\
services: {{deploy-api: {{audience: https://deploy.example.com, scopes: {{deploy:write: Deploy}}}}}}
organizations: {{acme: {{description: The company}}}}
"""


@pytest.fixture(scope="module")
def off_loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with abroad(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def abroad(folder: Path, **settings: Any) -> Any:
    key_file = folder / "master.key"
    key_file.touch(0o600)
    key_file.write_text(MasterKey.generate().text() + "\n")
    return special_broker(folder, policies=KEYLESS, loopback=False, **settings)


def key_of(broker: RunningBroker, *scopes: str, **members: Any) -> dict[str, str]:
    key = give(broker, an_account(grants={"broker": scopes}, **members))
    return {"Authorization": f"Bearer {key}"}


def test_off_loopback_nobody_sees_them_without_credentials(off_loopback: RunningBroker) -> None:
    answer = off_loopback.request("GET", "/metrics")

    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert "broker_" not in answer.text


def test_off_loopback_they_need_their_scope(off_loopback: RunningBroker) -> None:
    wrong = key_of(off_loopback, "broker:audit:read", "broker:policies:read")
    right = key_of(off_loopback, "broker:metrics:read")

    answer = off_loopback.request("GET", "/metrics", headers=wrong)
    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert 'scope="broker:metrics:read"' in answer.headers["www-authenticate"]
    assert off_loopback.request("GET", "/metrics", headers=right).status_code == 200


def test_they_are_out_of_the_reach_of_an_organization(off_loopback: RunningBroker) -> None:
    caller = key_of(off_loopback, "broker:*", organization="acme")

    assert off_loopback.request("GET", "/metrics", headers=caller).status_code == 403


def test_they_are_open_where_the_configuration_says_so(tmp_path: Path) -> None:
    with abroad(tmp_path, metrics=MetricsSettings(public=True)) as broker:
        assert scrape(broker).text.startswith("# HELP")


def test_client_credentials_are_counted(off_loopback: RunningBroker) -> None:
    account = an_account(grants={"deploy-api": ("deploy:write",)})
    before = figures_of(off_loopback)
    assert ask(off_loopback, account.client_id, give(off_loopback, account)).status_code == 200
    after = figures_of(off_loopback)

    requests = "broker_oauth_requests_total"
    labels = {"grant": "client_credentials", "outcome": "success"}
    assert sum_of(after, requests, **labels) == sum_of(before, requests, **labels) + 1


def figures_of(broker: RunningBroker) -> Figures:
    headers = key_of(broker, "broker:metrics:read")
    return figures_in(broker.request("GET", "/metrics", headers=headers).text)
