"""`PUT /api/v1/issuers/{name}/jwks`: keys of an issuer that the broker cannot reach."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.core.issuer_keys import MAX_DOCUMENT_BYTES, MAX_KEYS
from tests.corp_issuer import NAME, CorpIssuer, another_broker, corp_issuer, jwk, text_of
from tests.registry_api import RegistryClient, calling, problem

ON_BOTH = pytest.mark.parametrize("issuer", ["sqlite", "redis"], indirect=True)
PATH = f"/api/v1/issuers/{NAME}/jwks"
DAY = 24 * 3600


@pytest.fixture
def issuer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CorpIssuer]:
    """An issuer that the broker has no keys of, and that does not answer."""
    on_redis = getattr(request, "param", "sqlite") == "redis"
    redis = request.getfixturevalue("redis") if on_redis else None
    with corp_issuer(tmp_path, redis) as issuer:
        issuer.away()
        yield issuer


@pytest.fixture
def admin(issuer: CorpIssuer) -> dict[str, str]:
    return issuer.operator()


def put(
    issuer: CorpIssuer,
    headers: dict[str, str],
    body: bytes,
    *,
    path: str = PATH,
    media_type: str = "application/jwk-set+json",
) -> httpx.Response:
    sent = headers | {"content-type": media_type}
    return issuer.broker.request("PUT", path, headers=sent, content=body)


def with_files(issuer: CorpIssuer, document: dict[str, Any]) -> None:
    """Have the keys of `gitlab-corp` come from a file."""
    policies = issuer.broker.folder / "policies"
    (policies / "corp.json").write_text(json.dumps(document))
    octo = policies / "octo.yaml"
    lines = octo.read_text().split("\n")
    at = lines.index("  gitlab-corp:")
    place = next(number for number in range(at, len(lines)) if "jwks_uri" in lines[number])
    lines[place] = "    jwks_file: corp.json"
    octo.write_text("\n".join(lines))
    issuer.broker.reload(forced=True)


@ON_BOTH
def test_uploaded_keys_count_at_once(issuer: CorpIssuer, admin: dict[str, str]) -> None:
    assert issuer.outcome("first") == "issuer_unavailable"

    answer = put(issuer, admin, text_of("first", "second"))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "name": NAME,
        "kids": ["first", "second"],
        "skipped": [],
        "expires_at": "2026-11-22T22:26:40.000Z",
    }
    assert [issuer.outcome(name) for name in ("first", "second")] == ["ok", "ok"]
    shown = issuer.shown(admin)
    assert (shown["usable"], shown["uploaded"], shown["age"]) == (True, True, 0)
    assert shown["kids"] == ["first", "second"]
    assert shown["failures"] >= 1


@ON_BOTH
def test_uploaded_keys_count_at_other_brokers_of_the_store_within_seconds(
    issuer: CorpIssuer, admin: dict[str, str], tmp_path: Path
) -> None:
    with another_broker(issuer, tmp_path / "another") as other:
        assert other.outcome("first") == "issuer_unavailable"

        put(issuer, admin, text_of("first"))

        until = time.monotonic() + 60
        while not other.shown(admin)["usable"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert other.outcome("first") == "ok"


def test_an_upload_is_recorded_with_who_and_what(issuer: CorpIssuer, admin: dict[str, str]) -> None:
    body = text_of("first")
    answer = put(issuer, admin, body)

    event = issuer.broker.events()[-1]
    assert (event["type"], event["target"], event["outcome"]) == (
        "issuer.keys_uploaded", NAME, "success",
    )  # fmt: skip
    assert event["actor"].startswith("m-")
    assert event["request_id"] == answer.headers["x-request-id"]
    assert event["changes"] == {"kids": ["first"], "sha256": hashlib.sha256(body).hexdigest()}


@ON_BOTH
def test_uploaded_keys_count_for_a_day_through_restarts_and_no_longer(
    issuer: CorpIssuer, admin: dict[str, str]
) -> None:
    put(issuer, admin, text_of("first"))
    issuer.broker.restart()
    assert issuer.outcome("first") == "ok"

    issuer.broker.clock.advance(DAY - 1)
    issuer.broker.restart()
    assert issuer.outcome("first") == "ok"
    issuer.broker.clock.advance(1)
    assert issuer.outcome("first") == "issuer_unavailable"
    put(issuer, admin, text_of("first"))
    assert issuer.outcome("first") == "ok"


@ON_BOTH
def test_a_second_upload_takes_the_place_of_the_first(
    issuer: CorpIssuer, admin: dict[str, str]
) -> None:
    put(issuer, admin, text_of("first"))
    assert issuer.outcome("first") == "ok"
    issuer.broker.clock.advance(1)

    put(issuer, admin, text_of("second"))

    assert [issuer.outcome(name) for name in ("second", "first")] == ["ok", "issuer_unavailable"]


def test_the_next_good_fetch_takes_the_place_of_what_was_uploaded(
    issuer: CorpIssuer, admin: dict[str, str]
) -> None:
    put(issuer, admin, text_of("first", "second"))
    assert issuer.outcome("first") == "ok"
    issuer.settle()

    issuer.publish("second")
    issuer.broker.clock.advance(301)
    issuer.fetch_if_due()

    assert [issuer.outcome(name) for name in ("second", "first")] == ["ok", "key_not_found"]
    assert issuer.shown(admin)["uploaded"] is False


def test_keys_that_cannot_be_used_are_told_and_left_out(
    issuer: CorpIssuer, admin: dict[str, str]
) -> None:
    keys = [jwk("first"), jwk("second") | {"use": "enc"}]
    answer = put(issuer, admin, json.dumps({"keys": keys}).encode(), media_type="application/json")

    assert answer.json()["kids"] == ["first"]
    assert answer.json()["skipped"] == ["key 'second' is not for signatures ('use')"]


PRIVATE = jwk("first") | {"d": "c2VjcmV0"}


NO_KEY_SETS = [
    (b"", "not JSON"),
    (b"{}", "no list 'keys'"),
    (b'{"keys": []}', "no usable key"),
    (b"[]", "not a JSON object"),
    (b'{"keys":[],"keys":[]}', "unreadable"),
    (json.dumps({"keys": [PRIVATE]}).encode(), "private part"),
    (json.dumps({"keys": [jwk("second"), PRIVATE]}).encode(), "private part"),
    (
        json.dumps({"keys": [jwk("second"), {"kty": "oct", "kid": "x", "k": "c2Vj"}]}).encode(),
        "private part",
    ),
    (json.dumps({"keys": [jwk("first")] * (MAX_KEYS + 1)}).encode(), f"more than {MAX_KEYS}"),
    (json.dumps({"keys": [jwk("first")] * 2}).encode(), "appears twice"),
]


def test_what_is_no_set_of_public_keys_changes_nothing(
    issuer: CorpIssuer, admin: dict[str, str]
) -> None:
    put(issuer, admin, text_of("first"))
    kept = issuer.kept_row()

    for body, said in NO_KEY_SETS:
        answer = put(issuer, admin, body)
        assert problem(answer, 400) == ("INVALID_REQUEST", "keys")
        assert said in answer.json()["detail"]
        assert "c2VjcmV0" not in answer.text

    assert issuer.kept_row() == kept
    assert issuer.outcome("first") == "ok"
    uploads = [each for each in issuer.broker.events() if each["type"] == "issuer.keys_uploaded"]
    assert len(uploads) == 1


def test_a_large_set_is_taken_up_to_the_limit(issuer: CorpIssuer, admin: dict[str, str]) -> None:
    padding = b" " * (MAX_DOCUMENT_BYTES - len(text_of("first")))

    assert put(issuer, admin, text_of("first") + padding).status_code == 200
    answer = put(issuer, admin, text_of("second") + padding + b" " * 10)
    assert problem(answer, 413)[0] == "INVALID_REQUEST"
    assert str(MAX_DOCUMENT_BYTES) in answer.json()["detail"]
    assert [issuer.outcome(name) for name in ("first", "second")] == ["ok", "issuer_unavailable"]


def test_another_media_type_is_refused(issuer: CorpIssuer, admin: dict[str, str]) -> None:
    answer = put(issuer, admin, text_of("first"), media_type="text/plain")

    assert problem(answer, 415)[0] == "INVALID_REQUEST"


def test_an_issuer_with_a_key_file_takes_none(issuer: CorpIssuer, admin: dict[str, str]) -> None:
    with_files(issuer, json.loads(text_of("first")))

    answer = put(issuer, admin, text_of("first"), path="/api/v1/issuers/gitlab-corp/jwks")

    assert problem(answer, 409)[0] == "CONFLICT"
    assert "jwks_file" in answer.json()["detail"]


def test_an_unknown_issuer_is_not_found(issuer: CorpIssuer, admin: dict[str, str]) -> None:
    answer = put(issuer, admin, text_of("first"), path="/api/v1/issuers/githob/jwks")

    assert problem(answer, 404)[0] == "NOT_FOUND"


def test_what_a_reload_has_changed_needs_another_upload(
    issuer: CorpIssuer, admin: dict[str, str]
) -> None:
    put(issuer, admin, text_of("first"))
    octo = issuer.broker.folder / "policies" / "octo.yaml"
    octo.write_text(octo.read_text().replace("algorithms: [RS256, ES256]", "algorithms: [ES256]"))
    issuer.broker.reload(forced=True)

    assert issuer.outcome("first") == "issuer_unavailable"
    put(issuer, admin, text_of("first"))
    assert issuer.outcome("first") == "ok"


def test_only_who_may_change_issuers_uploads_and_no_organization(
    issuer: CorpIssuer, admin: dict[str, str]
) -> None:
    registry = RegistryClient(issuer.broker, admin)
    reading = registry.create(grants={"broker": ["broker:issuers:read"]})
    weak = {"Authorization": f"Bearer {reading['client_secret']}"}
    for headers in (weak, calling(issuer.broker, "acme-admin").headers):
        answer = put(issuer, headers, text_of("first"))
        assert problem(answer, 403)[0] == "INSUFFICIENT_PERMISSIONS"
    assert put(issuer, {}, text_of("first")).status_code == 401
    assert issuer.outcome("first") == "issuer_unavailable"
    assert issuer.kept_row() is None
