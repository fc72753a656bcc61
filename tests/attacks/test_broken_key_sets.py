"""Attacks row 31: a trusted issuer that answers with rubbish, for a while or for good."""

import json
from typing import Any

import pytest

from tests.attacks.hostile_issuers import HostileIssuer, HostileIssuers
from tests.attacks.key_publisher import Answer, document
from tests.attacks.refusals import assert_refused

HTML = b"<!doctype html><title>Down for maintenance</title>"


def broken(issuer: HostileIssuer, name: str) -> Answer:
    """Each of these holds the good key, or could, and is still no key set."""
    good: Any = issuer.jwk()
    text = json.dumps({"keys": [good]}).encode()
    return {
        "an empty set": document(),
        "no object": Answer(json.dumps([good]).encode()),
        "no list": Answer(json.dumps({"keys": good}).encode()),
        "no keys": Answer(b"{}"),
        "keys without kid": document(issuer.jwk(kid=None)),
        "HTML": Answer(HTML, content_type="text/html"),
        "HTML that says JSON": Answer(HTML),
        "JSON that says HTML": Answer(text, content_type="text/html"),
        "JSON that says nothing": Answer(text, content_type=""),
        "truncated JSON": Answer(text[:-9]),
        "more than JSON": Answer(text + b"{}"),
        "duplicate members": Answer(b'{"keys":[],' + text[1:]),
        "UTF-16": Answer(text.decode().encode("utf-16")),
        "a byte order mark": Answer(b"\xef\xbb\xbf" + text),
        "NaN": Answer(b'{"x":NaN,' + text[1:]),
        "deep nesting": Answer(b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"," + text[1:]),
        "nothing": Answer(b""),
        "an error": Answer(text, status=500),
        "no such document": Answer(text, status=404),
        "an odd success": Answer(text, status=203),
        "no content": Answer(b"", status=204),
        "too short a body": Answer(text, headers=("Content-Length: 99999",)),
        "gzip that is none": Answer(text, headers=("Content-Encoding: gzip",)),
        "an unknown encoding": Answer(text, headers=("Content-Encoding: br",)),
    }[name]


BROKEN = [
    "an empty set", "no object", "no list", "no keys", "keys without kid", "HTML",
    "HTML that says JSON", "JSON that says HTML", "JSON that says nothing", "truncated JSON",
    "more than JSON", "duplicate members", "UTF-16", "a byte order mark", "NaN", "deep nesting",
    "nothing", "an error", "no such document", "an odd success", "no content", "too short a body",
    "gzip that is none", "an unknown encoding",
]  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_key_set_is_not_used(hostile_issuers: HostileIssuers, name: str) -> None:
    issuer = hostile_issuers.fresh()
    issuer.publish(broken(issuer, name))

    response = issuer.broker.exchange(issuer.token())

    assert_refused(issuer.broker, response, "issuer_unavailable")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_key_set_does_not_replace_a_good_one(
    hostile_issuers: HostileIssuers, name: str
) -> None:
    issuer = hostile_issuers.fresh()
    broker = issuer.broker
    issuer.publish_well()
    assert broker.exchange(issuer.token()).status_code == 200

    issuer.publish(broken(issuer, name))
    # An unknown key makes the broker fetch anew, and what it gets is the broken set.
    response = broker.exchange(issuer.token(header={"kid": "unheard-of"}))

    assert_refused(broker, response, "issuer_unavailable")
    assert len(issuer.requests()) == 2
    assert broker.exchange(issuer.token()).status_code == 200
