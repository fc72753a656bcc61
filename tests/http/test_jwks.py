"""The public keys, and how verifiers keep them (RFC 7517, RFC 9110 §13)."""

import jwt
import pytest

from tests.running_broker import RunningBroker

PATH = "/.well-known/jwks.json"


def test_the_keys_may_be_kept_for_five_minutes(broker: RunningBroker) -> None:
    answer = broker.request("GET", PATH)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert jwt.PyJWKSet.from_dict(answer.json()).keys


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "W/{}, x", "*"])
def test_who_has_them_already_is_told_so(broker: RunningBroker, form: str) -> None:
    etag = broker.request("GET", PATH).headers["etag"]

    answer = broker.request("GET", PATH, headers={"if-none-match": form.format(etag)})

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == etag
    assert answer.headers["cache-control"] == "public, max-age=300"


@pytest.mark.parametrize("known", ['"other"', "", '"', "W/"])
def test_who_has_others_gets_them(broker: RunningBroker, known: str) -> None:
    answer = broker.request("GET", PATH, headers={"if-none-match": known})

    assert answer.status_code == 200
    assert answer.json()["keys"]


def test_a_head_request_gets_the_headers_alone(broker: RunningBroker) -> None:
    head, get = (broker.request(method, PATH) for method in ("HEAD", "GET"))

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == str(len(get.content))


def test_the_etag_changes_with_the_document_alone(broker: RunningBroker) -> None:
    etags = {broker.request("GET", PATH).headers["etag"] for _ in range(3)}
    other = broker.request("GET", "/.well-known/openid-configuration").headers["etag"]

    assert len(etags) == 1
    assert other not in etags
