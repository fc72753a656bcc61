"""One fetch: where it goes, what it sends, and what it refuses to take (attacks rows 20-27, 32)."""

import asyncio
import gzip
import itertools
import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from broker import __version__
from broker.core.errors import Reason, Unavailable
from broker.core.issuer_keys import MAX_DOCUMENT_BYTES
from broker.core.policy import Issuer
from broker.issuer_keys import HttpIssuerKeys
from broker.testing import FrozenClock
from tests.issuer_keys.certificates import Authority, make_authority
from tests.issuer_keys.forward_proxy import ForwardProxy
from tests.issuer_keys.issuers import issuer_of
from tests.issuer_keys.jwks import document, rsa_jwk, rsa_key
from tests.issuer_keys.key_server import DISCOVERY, KEYS, Answer, KeyServer


async def failure_of(keys: HttpIssuerKeys, issuer: Issuer) -> str:
    """Ask for a key that cannot be had, and give what operators read about it."""
    with pytest.raises(Unavailable) as refused:
        await keys.find(issuer, "k1")
    assert refused.value.reason is Reason.ISSUER_UNAVAILABLE
    (status,) = keys.status()
    assert status.failure is not None
    return status.failure


def discovering(server: KeyServer, **members: object) -> Answer:
    metadata = {"issuer": server.origin, "jwks_uri": server.origin + KEYS} | members
    return Answer(json.dumps(metadata).encode())


# --- where it goes --------------------------------------------------------------------------------


async def test_keys_are_found_through_discovery(keys: HttpIssuerKeys, server: KeyServer) -> None:
    key = await keys.find(issuer_of(server), "k1")

    assert key.key_id == "k1"
    assert key.algorithm == "RS256"
    assert server.targets() == [DISCOVERY, KEYS]


@pytest.mark.parametrize("path", ["/", "/tenant", "/tenant/"])
async def test_an_issuer_with_a_path_or_a_trailing_slash_is_asked_without_a_double_slash(
    keys: HttpIssuerKeys, server: KeyServer, path: str
) -> None:
    url = server.origin + path
    expected = path.rstrip("/") + DISCOVERY
    server.answers[expected] = discovering(server, issuer=url)

    await keys.find(issuer_of(server, url=url), "k1")

    assert server.targets() == [expected, KEYS]


async def test_a_configured_jwks_uri_is_used_without_discovery_and_may_be_on_any_host(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    issuer = issuer_of(server, url="https://ci.example", jwks_uri=server.origin + KEYS)

    await keys.find(issuer, "k1")

    assert server.targets() == [KEYS]


@pytest.mark.parametrize("change", ["", "/", "/evil", ".evil.example", "#x", "?x"])
async def test_a_discovery_document_of_another_issuer_is_refused(
    keys: HttpIssuerKeys, server: KeyServer, change: str
) -> None:
    """Attacks row 24."""
    other = server.origin + change if change else server.origin.upper()
    server.answers[DISCOVERY] = discovering(server, issuer=other)

    failure = await failure_of(keys, issuer_of(server))

    assert "another issuer's" in failure
    assert server.fetches() == 0


@pytest.mark.parametrize("issuer", [None, [], {}, 1])
async def test_a_discovery_document_whose_issuer_is_no_text_is_refused(
    keys: HttpIssuerKeys, server: KeyServer, issuer: object
) -> None:
    server.answers[DISCOVERY] = discovering(server, issuer=issuer)

    assert "another issuer's" in await failure_of(keys, issuer_of(server))
    assert server.fetches() == 0


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"<html>", b'{"issuer":1,"issuer":2}', b"\xff\xfe{}", b"[" * 9000]
)
async def test_a_broken_discovery_document_is_refused(
    keys: HttpIssuerKeys, server: KeyServer, body: bytes
) -> None:
    server.answers[DISCOVERY] = Answer(body)

    assert "discovery document is unreadable" in await failure_of(keys, issuer_of(server))


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "http://10.0.0.5/jwks",
        "https://10.0.0.5/jwks",
        "http://169.254.169.254/latest/meta-data",
        "https://metadata.google.internal/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "data:application/json,{}",
        "//127.0.0.1/keys",
        "/keys",
        "keys",
        "",
        "https://",
        "https:///keys",
        "https://127.0.0.1@evil.example/keys",
        "https://127.0.0.1:443@evil.example/keys",
        "https://user:pw@127.0.0.1/keys",
        "https://127.0.0.1.evil.example/keys",
        "https://127.0.0.1\\@evil.example/keys",
        "https://evil.example\\.127.0.0.1/keys",
        "https://evil.example#@127.0.0.1/keys",
        "https://[::ffff:127.0.0.1]/keys",
        "https://127.0.0.1\t.evil.example/keys",
        "https://127.0.0.1\r\nHost: evil.example/keys",
        "https://127。0。0。1/keys",
        "https://127.0.0.1:x/keys",
        "https://127.0.0.1/" + "k" * 3000,
        None,
        1,
        ["https://127.0.0.1/keys"],
    ],
)
async def test_discovery_names_keys_on_the_issuers_own_host_or_none(
    keys: HttpIssuerKeys, server: KeyServer, jwks_uri: object
) -> None:
    """Attacks row 25: nothing but the discovery document is asked for, seen from a proxy."""
    server.answers[DISCOVERY] = discovering(server, jwks_uri=jwks_uri)
    async with ForwardProxy() as proxy:
        await failure_of(keys, issuer_of(server, proxy=proxy.url()))

        assert [request.target for request in proxy.requests] == [server.origin + DISCOVERY]


async def test_discovery_cannot_send_the_broker_to_another_server_but_configuration_can(
    keys: HttpIssuerKeys, server: KeyServer, other_server: KeyServer
) -> None:
    elsewhere = f"http://localhost:{other_server.port}{KEYS}"
    server.answers[DISCOVERY] = discovering(server, jwks_uri=elsewhere)

    failure = await failure_of(keys, issuer_of(server))

    assert "another host, 'localhost'" in failure
    assert other_server.connections == 0
    await keys.find(issuer_of(server, jwks_uri=elsewhere), "k1")
    assert other_server.targets() == [KEYS]


async def test_plain_http_is_refused_while_the_broker_is_not_on_loopback(
    clock: FrozenClock, server: KeyServer
) -> None:
    keys = HttpIssuerKeys(clock, broker_on_loopback=False, rng=lambda: 0.0)

    assert "is not https" in await failure_of(keys, issuer_of(server))
    assert server.connections == 0

    configured = issuer_of(server, jwks_uri=server.origin + KEYS)
    await keys.retain([])
    assert "is not https" in await failure_of(keys, configured)
    assert server.connections == 0
    await keys.close()


@pytest.mark.parametrize("host", ["gitlab.corp.example", "10.0.0.5", "0.0.0.0", "127.1"])
async def test_plain_http_is_for_loopback_hosts_alone(
    keys: HttpIssuerKeys, server: KeyServer, host: str
) -> None:
    async with ForwardProxy() as proxy:
        for jwks_uri in (None, f"http://{host}/keys"):
            issuer = issuer_of(server, url=f"http://{host}", jwks_uri=jwks_uri, proxy=proxy.url())
            await keys.retain([])

            assert "is not https" in await failure_of(keys, issuer)

        assert proxy.requests == []


async def test_discovery_over_tls_cannot_fall_back_to_another_scheme(
    clock: FrozenClock, tls_server: KeyServer, authority: Authority
) -> None:
    keys = HttpIssuerKeys(clock, broker_on_loopback=False, rng=lambda: 0.0)
    plain = tls_server.origin.replace("https", "http") + KEYS
    tls_server.answers[DISCOVERY] = discovering(tls_server, jwks_uri=plain)

    failure = await failure_of(keys, issuer_of(tls_server, ca_file=authority.ca_file))

    assert "is not https" in failure
    assert tls_server.connections == 1
    await keys.close()


@pytest.mark.parametrize("url", ["https://", "", "no URL", "https://[::1", "https://ci.example:x"])
async def test_an_issuer_that_is_no_url_is_unavailable(keys: HttpIssuerKeys, url: str) -> None:
    await failure_of(keys, issuer_of(KeyServer(), url=url))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", [DISCOVERY, KEYS])
async def test_a_redirect_is_not_followed(
    keys: HttpIssuerKeys,
    server: KeyServer,
    other_server: KeyServer,
    status: int,
    target: str,
) -> None:
    """Attacks row 26."""
    location = (("Location", other_server.origin + target),)
    server.answers[target] = Answer(b"{}", status=status, headers=location)

    failure = await failure_of(keys, issuer_of(server))

    assert failure.endswith(f"was answered with {status}; redirects are not followed")
    assert other_server.connections == 0


# --- what it sends --------------------------------------------------------------------------------


async def test_a_request_says_who_asks_and_nothing_else(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    await keys.find(issuer_of(server), "k1")

    for request in server.requests:
        assert request.method == "GET"
        assert request.headers == {
            "host": f"127.0.0.1:{server.port}",
            "user-agent": f"ci-token-broker/{__version__}",
            "accept": "application/jwk-set+json, application/json",
            "accept-encoding": "identity",
            "connection": "keep-alive",
        }


async def test_a_key_id_never_reaches_the_url(keys: HttpIssuerKeys, server: KeyServer) -> None:
    """Attacks rows 8 and 17: nothing of a token decides what is fetched."""
    issuer = issuer_of(server)

    for key_id in ("../../etc/passwd", "http://169.254.169.254/", "k1?x=1"):
        with pytest.raises(Exception, match="key_not_found"):
            await keys.find(issuer, key_id)

    assert set(server.targets()) == {DISCOVERY, KEYS}


async def test_cookies_are_not_kept(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    cookie = (("Set-Cookie", "session=1; Path=/"),)
    for target in (DISCOVERY, KEYS):
        server.answers[target] = replace(server.answers[target], headers=cookie)

    await keys.find(issuer_of(server), "k1")
    clock.advance(300)
    await keys.refresh_due()

    assert server.fetches() == 2
    assert all("cookie" not in request.headers for request in server.requests)


async def test_proxies_and_credentials_of_the_environment_are_not_used(
    keys: HttpIssuerKeys, server: KeyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with ForwardProxy() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())

        await keys.find(issuer_of(server), "k1")

        assert proxy.requests == []
    assert all("authorization" not in request.headers for request in server.requests)


# --- what it takes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/jwk-set+json",
        "Application/JWK-Set+JSON;charset=UTF-8",
    ],
)
async def test_json_and_jwk_sets_are_taken(
    keys: HttpIssuerKeys, server: KeyServer, content_type: str
) -> None:
    server.answers[KEYS] = replace(server.answers[KEYS], content_type=content_type)

    await keys.find(issuer_of(server), "k1")


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/html", "text/plain; application/json", "application/jsonp", "application"],
)
@pytest.mark.parametrize("target", [DISCOVERY, KEYS])
async def test_another_content_type_is_refused(
    keys: HttpIssuerKeys, server: KeyServer, target: str, content_type: str | None
) -> None:
    server.answers[target] = replace(server.answers[target], content_type=content_type)

    assert "is not sent as application/json" in await failure_of(keys, issuer_of(server))


@pytest.mark.parametrize("status", [201, 203, 204, 206, 304, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("target", [DISCOVERY, KEYS])
async def test_any_status_but_200_is_refused(
    keys: HttpIssuerKeys, server: KeyServer, target: str, status: int
) -> None:
    server.answers[target] = replace(server.answers[target], status=status)

    assert (await failure_of(keys, issuer_of(server))).endswith(f"was answered with {status}")


async def test_a_document_of_exactly_the_largest_size_is_taken_and_one_byte_more_is_not(
    keys: HttpIssuerKeys, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    largest = document(rsa_jwk(rsa_key(), "k1")).ljust(MAX_DOCUMENT_BYTES)
    server.answers[KEYS] = Answer(largest + b" ")

    assert "is larger than 262144 bytes" in await failure_of(keys, issuer)

    clock.advance(30)
    server.answers[KEYS] = Answer(largest)
    await keys.find(issuer, "k1")


@pytest.mark.parametrize("target", [DISCOVERY, KEYS])
async def test_a_document_without_end_is_given_up(
    keys: HttpIssuerKeys, server: KeyServer, target: str
) -> None:
    """Attacks row 32."""
    server.answers[target] = Answer(b" " * 65_536, endless=True)

    assert "is larger than 262144 bytes" in await failure_of(keys, issuer_of(server))


async def test_a_document_that_is_declared_huge_but_never_comes_is_given_up(
    hasty_keys: HttpIssuerKeys, server: KeyServer
) -> None:
    server.answers[KEYS] = Answer(b"{", declared_length=10**9, stalls=True)

    assert await failure_of(hasty_keys, issuer_of(server)) == (
        "no complete answer within 0.3 seconds"
    )


GZIP = (("Content-Encoding", "gzip"),)


async def test_gzip_that_was_not_asked_for_is_taken_all_the_same(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    body = gzip.compress(server.answers[KEYS].body, mtime=0)
    server.answers[KEYS] = Answer(body, headers=GZIP)

    await keys.find(issuer_of(server), "k1")


@pytest.mark.parametrize("target", [DISCOVERY, KEYS])
async def test_a_gzip_bomb_is_given_up(
    keys: HttpIssuerKeys, server: KeyServer, target: str
) -> None:
    """Attacks row 32: some 60 kB that would become 64 MB."""
    server.answers[target] = Answer(gzip.compress(b" " * 2**26, mtime=0), headers=GZIP)

    assert "is larger than 262144 bytes" in await failure_of(keys, issuer_of(server))


async def test_gzip_that_goes_on_after_its_end_is_given_up(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    body = gzip.compress(server.answers[KEYS].body, mtime=0)
    server.answers[KEYS] = Answer(body, headers=GZIP, endless=True)

    assert "is larger than 262144 bytes" in await failure_of(keys, issuer_of(server))


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (gzip.compress(b'{"keys": []}', mtime=0)[:-9], "is cut short"),
        (b'{"keys": []}', "is not the gzip that it is said to be"),
        (b"", "is cut short"),
    ],
)
async def test_broken_gzip_is_refused(
    keys: HttpIssuerKeys, server: KeyServer, body: bytes, failure: str
) -> None:
    server.answers[KEYS] = Answer(body, headers=GZIP)

    assert (await failure_of(keys, issuer_of(server))).endswith(failure)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "x"])
async def test_any_other_content_encoding_is_refused(
    keys: HttpIssuerKeys, server: KeyServer, encoding: str
) -> None:
    server.answers[KEYS] = replace(server.answers[KEYS], headers=(("Content-Encoding", encoding),))

    assert "Content-Encoding" in await failure_of(keys, issuer_of(server))


@pytest.mark.parametrize("target", [DISCOVERY, KEYS])
async def test_an_issuer_that_does_not_answer_in_time_is_unavailable(
    hasty_keys: HttpIssuerKeys, server: KeyServer, target: str
) -> None:
    server.answers[target] = Answer(until=asyncio.Event())

    assert "no complete answer" in await failure_of(hasty_keys, issuer_of(server))


async def test_an_issuer_that_sends_all_but_the_last_byte_is_unavailable(
    hasty_keys: HttpIssuerKeys, server: KeyServer
) -> None:
    server.answers[KEYS] = replace(server.answers[KEYS], stalls=True)

    assert "no complete answer" in await failure_of(hasty_keys, issuer_of(server))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 200\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nz",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000,
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
async def test_what_is_no_http_is_refused(
    keys: HttpIssuerKeys, server: KeyServer, raw: bytes
) -> None:
    server.answers[KEYS] = Answer(raw=raw)

    assert "ProtocolError" in await failure_of(keys, issuer_of(server))


async def test_a_server_that_is_down_is_unavailable(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    await server.down()

    assert "no connection" in await failure_of(keys, issuer_of(server))


# --- certificates ---------------------------------------------------------------------------------


async def test_an_issuer_behind_its_own_authority_is_reached_with_its_ca_file(
    keys: HttpIssuerKeys, tls_server: KeyServer, authority: Authority
) -> None:
    await keys.find(issuer_of(tls_server, ca_file=authority.ca_file), "k1")

    assert tls_server.targets() == [DISCOVERY, KEYS]


async def test_an_issuer_behind_its_own_authority_is_not_reached_without_it(
    keys: HttpIssuerKeys, tls_server: KeyServer, tmp_path: Path
) -> None:
    stranger = make_authority(tmp_path / "stranger")

    for ca_file in (None, stranger.ca_file):
        await keys.retain([])
        failure = await failure_of(keys, issuer_of(tls_server, ca_file=ca_file))

        assert "certificate verify failed" in failure
    assert tls_server.requests == []


async def test_a_certificate_for_another_address_is_refused(
    keys: HttpIssuerKeys, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path / "authority", address="127.0.0.9")
    async with KeyServer(tls=authority.server) as server:
        failure = await failure_of(keys, issuer_of(server, ca_file=authority.ca_file))

        assert "certificate is not valid for '127.0.0.1'" in failure
        assert server.requests == []


@pytest.mark.parametrize("certificates", [b"", b"no certificate"])
async def test_unusable_ca_certificates_are_told(
    keys: HttpIssuerKeys, tls_server: KeyServer, certificates: bytes
) -> None:
    issuer = issuer_of(tls_server)
    issuer = replace(issuer, keys=replace(issuer.keys, ca_certificates=certificates))

    assert "CA certificates" in await failure_of(keys, issuer)
    assert tls_server.connections == 0


async def test_a_fault_that_nobody_foresaw_is_told_by_its_kind_alone(
    keys: HttpIssuerKeys, tls_server: KeyServer
) -> None:
    issuer = issuer_of(tls_server)
    issuer = replace(issuer, keys=replace(issuer.keys, proxy=cast("str", 7)))

    assert (await failure_of(keys, issuer)).startswith("unexpected ")


async def test_keys_fetched_under_other_ca_certificates_are_not_used(
    keys: HttpIssuerKeys, tls_server: KeyServer, authority: Authority, tmp_path: Path
) -> None:
    await keys.find(issuer_of(tls_server, ca_file=authority.ca_file), "k1")
    stranger = make_authority(tmp_path / "stranger")

    with pytest.raises(Unavailable):
        await keys.find(issuer_of(tls_server, ca_file=stranger.ca_file), "k1")


# --- proxies --------------------------------------------------------------------------------------


async def test_a_configured_proxy_carries_plain_requests(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    async with ForwardProxy() as proxy:
        await keys.find(issuer_of(server, proxy=proxy.url()), "k1")

        assert [request.target for request in proxy.requests] == [
            server.origin + DISCOVERY,
            server.origin + KEYS,
        ]


async def test_a_configured_proxy_tunnels_tls_which_is_still_verified(
    keys: HttpIssuerKeys, tls_server: KeyServer, authority: Authority
) -> None:
    tunnel = f"127.0.0.1:{tls_server.port}"
    async with ForwardProxy() as proxy:
        issuer = issuer_of(tls_server, proxy=proxy.url(), ca_file=authority.ca_file)
        await keys.find(issuer, "k1")

        assert {(each.method, each.target) for each in proxy.requests} == {("CONNECT", tunnel)}

        await keys.retain([])
        assert "certificate verify failed" in await failure_of(
            keys, issuer_of(tls_server, proxy=proxy.url())
        )


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxys_password_is_sent_to_the_proxy_alone_and_told_to_nobody(
    keys: HttpIssuerKeys,
    server: KeyServer,
    tls_server: KeyServer,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    scheme: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    target = server if scheme == "http" else tls_server
    async with ForwardProxy(authorization="Basic dXNlcjpzM2NyZXQ=") as proxy:
        good = issuer_of(target, proxy=proxy.url("user:s3cret@"), ca_file=authority.ca_file)
        await keys.find(good, "k1")
        assert all("proxy-authorization" not in each.headers for each in target.requests)

        bad = issuer_of(target, "refused", proxy=proxy.url("other:s3cret@"))
        with pytest.raises(Unavailable) as refused:
            await keys.find(bad, "k1")

    told = f"{caplog.text} {keys.status()} {refused.value} {good!r} {bad!r}"
    assert "its keys were not fetched" in told
    assert "s3cret" not in told


@pytest.mark.parametrize(
    "proxy", ["socks5://u:s3cret@127.0.0.1:1", "ftp://u:s3cret@h", "http://u:s3cret@h:x", "s3cret"]
)
async def test_an_unusable_proxy_is_told_without_its_url(
    keys: HttpIssuerKeys, server: KeyServer, caplog: pytest.LogCaptureFixture, proxy: str
) -> None:
    failure = await failure_of(keys, issuer_of(server, proxy=proxy))

    assert failure == "the configured proxy cannot be used"
    assert "s3cret" not in caplog.text
    assert server.connections == 0


async def test_a_proxy_that_is_down_is_not_gone_round(
    keys: HttpIssuerKeys, server: KeyServer
) -> None:
    async with ForwardProxy() as proxy:
        pass

    assert "no connection" in await failure_of(keys, issuer_of(server, proxy=proxy.url()))
    assert server.connections == 0


# --- what callers and operators are told ----------------------------------------------------------


async def test_a_caller_learns_no_url_and_nothing_that_a_server_sent(
    keys: HttpIssuerKeys, server: KeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The octo-sts advisory: error bodies were reflected (attacks row 17)."""
    answers = itertools.product(
        (DISCOVERY, KEYS),
        (
            Answer(b"AKIA-s3cret", status=500),
            Answer(b"AKIA-s3cret"),
            Answer(raw=b"AKIA-s3cret\r\n"),
        ),
    )
    for target, answer in answers:
        server.publish("k1")
        server.answers[target] = answer
        await keys.retain([])

        with pytest.raises(Unavailable) as refused:
            await keys.find(issuer_of(server), "k1")

        assert refused.value.description == ("the keys of the token's issuer cannot be fetched now")
        assert refused.value.__cause__ is None
    assert "AKIA" not in caplog.text + repr(keys.status())


def test_importing_the_room_imports_no_http_client() -> None:
    code = "import sys, broker.issuer_keys; print('httpx' in sys.modules)"

    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    assert output.stdout.strip() == b"False"
