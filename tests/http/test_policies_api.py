"""`/api/v1/policies`: for the broker's own tokens, on record, of live accounts (BR-01)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

OPERATORS = """\
service_accounts:
  policy-reader: {grants: {broker: [broker:policies:read], deploy-api: [deploy:read]}}
  key-reader: {grants: {broker: [broker:keys:read]}}
  policy-writer: {grants: {broker: ["broker:policies:*"]}}
  org-reader: {organization: octo-org, grants: {broker: ["broker:policies:*"]}}
policies:
  reads-policies:
    service_account: policy-reader
    issuer: github
    match: {repository_id: 456789, environment: reads-policies}
    expires: 2030-01-01
  writes-policies:
    service_account: policy-writer
    issuer: github
    match: {repository_id: 456789, environment: writes-policies}
  reads-keys:
    service_account: key-reader
    issuer: github
    match: {repository_id: 456789, environment: reads-keys}
  reads-in-its-organization:
    service_account: org-reader
    issuer: github
    match: {repository_id: 456789, environment: org}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        yield running


def own_token(broker: RunningBroker, environment: str, service: str = "broker") -> str:
    ci_token = broker.github_token(environment=environment, ref="refs/heads/ops")
    token: str = broker.exchange(ci_token, audience=service).json()["access_token"]
    return token


def ask(broker: RunningBroker, *authorizations: str, query: str = "") -> httpx.Response:
    headers = [("Authorization", each) for each in authorizations]
    return broker.request("GET", f"/api/v1/policies{query}", headers=headers)


def test_a_reader_sees_what_is_in_force(broker: RunningBroker) -> None:
    answer = ask(broker, "Bearer " + own_token(broker, "reads-policies"))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    listed: dict[str, Any] = {each["name"]: each for each in answer.json()["items"]}
    assert {"octo-main", "reads-policies", "reads-keys"} <= listed.keys()
    assert listed["reads-policies"]["service_account"] == "policy-reader"
    assert listed["reads-policies"]["expires_at"] == "2030-01-01T00:00:00Z"
    assert listed["octo-main"]["expires_at"] is None
    assert len(answer.json()["version"]) == 64


def test_a_version_that_never_ran_is_not_found(broker: RunningBroker) -> None:
    bearer = "Bearer " + own_token(broker, "reads-policies")
    version = ask(broker, bearer).json()["version"]

    assert ask(broker, bearer, query=f"?version={version}").status_code == 200
    answer = ask(broker, bearer, query="?version=" + "0" * 64)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningBroker]:
    """Serve a broker whose policies a test may change."""
    with special_broker(tmp_path, OPERATORS) as running:
        yield running


def ask_to_reload(broker: RunningBroker, environment: str = "writes-policies") -> httpx.Response:
    headers = {"Authorization": "Bearer " + own_token(broker, environment)}
    return broker.request("POST", "/api/v1/policies/reload", headers=headers)


def test_a_writer_puts_changed_files_in_force(own: RunningBroker) -> None:
    before = own.in_force().version
    denies = "policies: {no-forks: {effect: deny, issuer: github, match: {ref: refs/heads/x}}}"
    (own.folder / "policies" / "denies.yaml").write_text(denies)

    answer = ask_to_reload(own)

    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == "reloaded"
    assert answer.json()["version"] == own.in_force().version != before
    assert answer.json()["changes"]["counts"]["policies"]["added"] == 1
    event = own.events()[-1]
    assert (event["type"], event["actor"]) == ("policy.reloaded", "policy-writer")


def test_files_that_say_the_same_change_nothing(own: RunningBroker) -> None:
    version = own.in_force().version

    answer = ask_to_reload(own).json()

    assert answer == {"outcome": "unchanged", "version": version, "changes": None}


def test_files_that_do_not_load_are_told_with_their_places(own: RunningBroker) -> None:
    version = own.in_force().version
    (own.folder / "policies" / "bad.yaml").write_text("policies: {x: {issuer: nobody}}")

    answer = ask_to_reload(own)

    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert answer.json()["version"] == version == own.in_force().version
    assert answer.json()["count"] == len(answer.json()["problems"])
    assert answer.json()["problems"][0].keys() == {"file", "line", "column", "message"}


def test_a_dropped_deny_policy_goes_when_the_api_says_so(own: RunningBroker) -> None:
    denies = own.folder / "policies" / "denies.yaml"
    denies.write_text(
        "policies: {no-forks: {effect: deny, issuer: github, match: {ref: refs/heads/x}}}"
    )
    ask_to_reload(own)
    denies.unlink()

    assert ask_to_reload(own).json()["changes"]["dropped_denies"] == ["no-forks"]
    assert "no-forks" not in own.in_force().policies


def test_a_set_that_ran_before_can_still_be_read(own: RunningBroker) -> None:
    before = own.in_force().version
    more = own.folder / "policies" / "more.yaml"
    more.write_text(OPERATORS.replace("reads-keys:", "reads-the-keys:"))
    ask_to_reload(own)

    bearer = "Bearer " + own_token(own, "reads-policies")
    answer = ask(own, bearer, query=f"?version={before}").json()

    assert answer["version"] == before != own.in_force().version
    assert "reads-keys" in {each["name"] for each in answer["items"]}


@pytest.mark.parametrize("environment", ["reads-policies", "reads-keys"])
def test_only_a_writer_may_reload(broker: RunningBroker, environment: str) -> None:
    answer = ask_to_reload(broker, environment)

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")


def bare_challenge(broker: RunningBroker) -> str:
    """RFC 6750 §3.1: without an error code, for whoever did not know that a token is needed."""
    place = f"{broker.url}/.well-known/oauth-protected-resource"
    return f'Bearer realm="broker", resource_metadata="{place}"'


def test_without_credentials_there_is_a_bare_challenge(broker: RunningBroker) -> None:
    answer = ask(broker)

    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == bare_challenge(broker)


def test_credentials_of_another_kind_get_the_same_challenge(broker: RunningBroker) -> None:
    answer = ask(broker, "Basic eDp5")

    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")
    assert answer.headers["www-authenticate"] == bare_challenge(broker)


def test_a_token_for_another_service_is_no_key(broker: RunningBroker) -> None:
    answer = ask(broker, "Bearer " + own_token(broker, "reads-policies", "deploy-api"))

    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("authorization", ["Bearer x", "bearer x", "Bearer a.b.c"])
def test_what_is_no_own_token_is_no_key(broker: RunningBroker, authorization: str) -> None:
    answer = ask(broker, authorization)

    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer a b", "Bearer a, Bearer b"])
def test_a_header_that_cannot_be_read_is_no_request(
    broker: RunningBroker, authorization: str
) -> None:
    answer = ask(broker, authorization)

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]


def test_a_ci_token_is_no_key(broker: RunningBroker) -> None:
    assert ask(broker, "Bearer " + broker.github_token()).status_code == 401


def test_two_authorization_headers_are_no_request(broker: RunningBroker) -> None:
    bearer = "Bearer " + own_token(broker, "reads-policies")

    assert ask(broker, bearer, bearer).json()["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("environment", ["reads-keys", "org"])
def test_who_lacks_the_scope_or_belongs_to_an_organization_is_kept_out(
    broker: RunningBroker, environment: str
) -> None:
    answer = ask(broker, "Bearer " + own_token(broker, environment))

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert (
        'error="insufficient_scope", scope="broker:policies:read"'
        in (answer.headers["www-authenticate"])
    )


def test_a_token_is_over_when_it_expires(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as own:
        bearer = "Bearer " + own_token(own, "reads-policies")
        own.clock.advance(600)

        assert ask(own, bearer).status_code == 401


def test_a_well_signed_token_that_is_not_on_record_is_no_key(tmp_path: Path) -> None:
    """A stolen signing key, or a restored backup (attacks row 153)."""
    with special_broker(tmp_path, OPERATORS) as own:
        bearer = "Bearer " + own_token(own, "reads-policies")
        assert ask(own, bearer).status_code == 200
        with own.database() as store:
            store.execute("DELETE FROM events")

        assert ask(own, bearer).status_code == 401


def test_a_store_that_is_gone_is_said(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as own:
        bearer = "Bearer " + own_token(own, "reads-policies")
        for file in own.folder.glob("broker.db*"):
            file.unlink()

        answer = ask(own, bearer)
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
