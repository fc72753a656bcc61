"""`broker issuers check`: what a broker would find if it fetched the keys of its issuers now."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.testing import FakeIssuer
from broker.testing.issuer_server import IssuerServer
from broker.testing.jws import generate_key, public_jwk
from broker.testing.loopback import free_port

Broker = Callable[..., subprocess.CompletedProcess[str]]

FILES = """\
issuers:
  corp:
    issuer: {corp}
    algorithms: [ES256]
    single_tenant: true
  by-uri:
    issuer: https://ci.example
    jwks_uri: {corp}/.well-known/jwks
    algorithms: [ES256]
    single_tenant: true
  by-file:
    issuer: https://files.example
    jwks_file: keys.json
    algorithms: [ES256]
    single_tenant: true
  retired:
    issuer: http://127.0.0.1:{closed}
    enabled: false
    single_tenant: true
"""
GONE = """\
issuers:
  gone:
    issuer: http://127.0.0.1:{closed}
    single_tenant: true
"""
KEY = generate_key("ES256")


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer("http://127.0.0.1:0", key=KEY, algorithm="ES256")


@pytest.fixture
def server(issuer: FakeIssuer, tmp_path: Path) -> Iterator[IssuerServer]:
    with issuer.serve() as server:
        policies = tmp_path / "policies"
        policies.mkdir()
        files = FILES.format(corp=issuer.url, closed=free_port())
        (policies / "issuers.yaml").write_text(files)
        keys = [public_jwk(KEY, "ES256", "in-a-file"), {"kty": "oct", "kid": "odd", "k": "c2Vj"}]
        (policies / "keys.json").write_text(json.dumps({"keys": keys}))
        yield server


def test_each_issuer_is_asked_as_the_broker_would(
    broker: Broker, issuer: FakeIssuer, server: IssuerServer
) -> None:
    done = broker("issuers", "check")

    assert (done.returncode, done.stderr) == (0, "")
    kid = issuer.key_id
    uri = f"{issuer.url}/.well-known/jwks"
    assert done.stdout.splitlines() == [
        "[ok] by-file: 1 key can be used: in-a-file (https://files.example by jwks_file)",
        "     skipped: key 'odd' is of an unusable type ('kty')",
        f"[ok] by-uri: 1 key can be used: {kid} (https://ci.example by {uri})",
        f"[ok] corp: 1 key can be used: {kid} ({issuer.url} by discovery)",
        "[--] retired: switched off, not asked",
    ]


def test_one_without_keys_is_told_and_ends_with_1(
    broker: Broker, server: IssuerServer, tmp_path: Path
) -> None:
    (tmp_path / "policies" / "gone.yaml").write_text(GONE.format(closed=free_port()))

    done = broker("issuers", "check")

    assert (done.returncode, done.stderr) == (1, "")
    [line] = [each for each in done.stdout.splitlines() if each.startswith("[no]")]
    assert line.startswith("[no] gone: the discovery document: no connection: ")
    assert done.stdout.count("[ok]") == 3


def test_as_json_it_is_the_same(broker: Broker, issuer: FakeIssuer, server: IssuerServer) -> None:
    server.status = 500
    done = broker("issuers", "check", "--json", "by-file", "corp", "retired")

    assert done.returncode == 1
    by_file, corp, retired = json.loads(done.stdout)["items"]
    assert (by_file["usable"], by_file["kids"], by_file["failure"]) == (True, ["in-a-file"], None)
    assert corp == {
        "name": "corp",
        "issuer": issuer.url,
        "enabled": True,
        "source": "discovery",
        "usable": False,
        "kids": [],
        "skipped": [],
        "failure": "the discovery document was answered with 500",
    }
    assert (retired["enabled"], retired["usable"]) == (False, None)


def test_names_choose_who_is_asked(broker: Broker, server: IssuerServer) -> None:
    done = broker("issuers", "check", "by-file")

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert server.requests == []


def test_an_unknown_name_is_a_usage_error(broker: Broker, server: IssuerServer) -> None:
    done = broker("issuers", "check", "corq")

    assert (done.returncode, done.stdout) == (2, "")
    known = "known: by-file, by-uri, corp, retired"
    assert done.stderr == f"broker: there is no issuer 'corq'; {known}\n"


def test_files_that_do_not_load_end_with_2(
    broker: Broker, server: IssuerServer, tmp_path: Path
) -> None:
    (tmp_path / "policies" / "issuers.yaml").write_text("issuers: {corp: {issuer: 7}}")

    done = broker("issuers", "check")

    assert (done.returncode, done.stdout) == (2, "")
    assert "issuers.yaml:1:" in done.stderr


def test_what_an_issuer_names_its_keys_gives_the_terminal_no_orders(
    broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "issuers.yaml").write_text(
        "issuers: {by-file: {issuer: https://files.example, jwks_file: keys.json,"
        " algorithms: [ES256], single_tenant: true}}"
    )
    keys = [public_jwk(KEY, "ES256", "a\x1b]0;owned\x07\nb\u202e")]
    (tmp_path / "policies" / "keys.json").write_text(json.dumps({"keys": keys}))

    [line] = broker("issuers", "check").stdout.splitlines()
    assert "a\\x1b]0;owned\\x07\\nb\\u202e (https://files.example" in line
