"""AWS STS over HTTP: where it is asked, what it may answer, and what it is never asked with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.formats.aws import AwsCredentials
from broker.client.sts import (
    StsMisused,
    StsRefused,
    StsRequest,
    StsUnreachable,
    assume_role,
    sts_request,
)
from tests.client.formats.tokens import TOKEN
from tests.consumers.loopback_server import Answer, LoopbackServer, Request

ROLE = "arn:aws:iam::123456789012:role/deploy"
GOOD = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s&amp;t</SecretAccessKey>
<SessionToken>abc</SessionToken><Expiration>2026-11-26T09:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>
<a><AccessKeyId>&c;</AccessKeyId></a>"""
FILE = b"""<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<a><AccessKeyId>&f;</AccessKeyId></a>"""


@contextmanager
def sts(*answers: Answer) -> Iterator[tuple[LoopbackServer, Callable[[], AwsCredentials]]]:
    """Serve these answers in turn, the last one for ever; give the server, and the question."""
    left = list(answers)

    def answer(_: Request) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    with LoopbackServer(answer).serving() as server:
        request = StsRequest(server.url, ROLE, "deploy-web")
        yield server, lambda: assume_role(request, TOKEN, sleep=lambda _: None)


def test_keys_come_for_a_token() -> None:
    with sts(Answer(GOOD)) as (server, ask):
        assert ask() == AwsCredentials("ASIA1", "s&t", "abc", "2026-11-26T09:00:00Z")

    (asked,) = server.requests
    assert asked.form == {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "deploy-web",
        "WebIdentityToken": TOKEN.access_token,
    }
    assert TOKEN.access_token not in asked.target


def test_sts_is_asked_again_when_it_does_not_answer() -> None:
    with sts(Answer(status=503), Answer(b"<html>", status=500), Answer(GOOD)) as (server, ask):
        assert ask().access_key_id == "ASIA1"
        assert len(server.requests) == 3

    with sts(Answer(status=503)) as (server, ask):
        with pytest.raises(StsUnreachable, match="status 503"):
            ask()
        assert len(server.requests) == 3


def test_a_refusal_is_not_asked_again() -> None:
    refusal = b"<E><Error><Code>AccessDenied</Code><Message>not\x1b[31m you</Message></Error></E>"
    said = refusal.replace(b"\x1b", b"&#x85;")
    with sts(Answer(said, status=403)) as (server, ask):
        with pytest.raises(StsRefused, match=r"AccessDenied not\\x85\[31m you") as refused:
            ask()
        assert len(server.requests) == 1
    assert TOKEN.access_token not in str(refused.value)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(BOMB, "no XML that it would send", id="entities that grow"),
        pytest.param(FILE, "no XML that it would send", id="an entity that reads a file"),
        pytest.param(b"<!DOCTYPE a><a/>", "no XML that it would send", id="a document type"),
        pytest.param(b"<html><body>proxy", "no XML that it would send", id="HTML"),
        pytest.param(b"", "no XML that it would send", id="nothing"),
        pytest.param(b"<a/>", "has no AccessKeyId", id="another document"),
        pytest.param(b"<a>" + b"x" * 70_000, "more than an answer", id="too much"),
        pytest.param(b"<a>" * 20_000, "no XML that it would send", id="deep"),
    ],
)
def test_an_answer_that_is_not_of_sts_gives_no_keys(body: bytes, why: str) -> None:
    with sts(Answer(body)) as (_, ask), pytest.raises(StsUnreachable, match=why):
        ask()


def test_a_redirect_is_not_followed() -> None:
    elsewhere = Answer(b"<a/>", status=307, headers={"Location": "/other"})
    with sts(elsewhere) as (server, ask):
        with pytest.raises(StsRefused, match="307"):
            ask()
        assert {each.target for each in server.requests} == {"/"}


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, "https://sts.amazonaws.com"),
        ({"AWS_REGION": "eu-central-1"}, "https://sts.eu-central-1.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "us-gov-west-1"}, "https://sts.us-gov-west-1.amazonaws.com"),
        ({"AWS_REGION": "cn-north-1"}, "https://sts.cn-north-1.amazonaws.com.cn"),
        ({"AWS_ENDPOINT_URL_STS": "https://sts.corp.example"}, "https://sts.corp.example"),
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL_STS": "http://[::1]:4566"}, "http://[::1]:4566"),
    ],
)
def test_the_variables_of_the_sdks_say_where_sts_is(
    environment: dict[str, str], endpoint: str
) -> None:
    assert sts_request({"AWS_ROLE_ARN": ROLE, **environment}, TOKEN).endpoint == endpoint


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"AWS_ROLE_ARN": ""}, "AWS_ROLE_ARN"),
        ({"AWS_ROLE_ARN": "deploy"}, "AWS_ROLE_ARN"),
        ({"AWS_ROLE_ARN": f"{ROLE} x"}, "AWS_ROLE_ARN"),
        ({"AWS_REGION": "eu-central-1.evil.example/"}, "AWS_REGION"),
        ({"AWS_REGION": "evil.example#-1"}, "AWS_REGION"),
        ({"AWS_ENDPOINT_URL_STS": "http://sts.amazonaws.com"}, "AWS_ENDPOINT_URL_STS"),
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1.evil.example"}, "AWS_ENDPOINT_URL_STS"),
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1@evil.example"}, "AWS_ENDPOINT_URL_STS"),
        ({"AWS_ENDPOINT_URL_STS": "https://a:b@sts.amazonaws.com"}, "AWS_ENDPOINT_URL_STS"),
        ({"AWS_ENDPOINT_URL_STS": "https://[::1"}, "AWS_ENDPOINT_URL_STS"),
        ({"AWS_ENDPOINT_URL_STS": "https:///x"}, "AWS_ENDPOINT_URL_STS"),
        ({"AWS_ENDPOINT_URL_STS": "ftp://sts.example"}, "AWS_ENDPOINT_URL_STS"),
    ],
)
def test_what_would_send_the_token_elsewhere_is_refused(
    environment: dict[str, str], why: str
) -> None:
    with pytest.raises(StsMisused, match=why):
        sts_request({"AWS_ROLE_ARN": ROLE, **environment}, TOKEN)


@given(wanted=st.text(), account=st.text())
def test_every_session_has_a_name_that_sts_takes(wanted: str, account: str) -> None:
    environment = {"AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": wanted}
    name = sts_request(environment, replace(TOKEN, service_account=account)).session_name

    assert 2 <= len(name) <= 64
    assert all((sign.isascii() and sign.isalnum()) or sign in "+=,.@-" for sign in name)
