"""With `admin_listen`, nothing that a caller writes leads from the public address to the API."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from broker.http.openapi.operations import OPERATIONS
from tests.serving_process import ServingProcess, serving_process

SETTINGS = """\
listen: 127.0.0.1:0
admin_listen: "{admin}"
policies: policies/
store: sqlite:broker.db
master_key_file: master.key
audit: {{stdout: false}}
"""
EVERYWHERE = {"/healthz", "/readyz", "/openapi.json"}
PATHS = {path for _, path in OPERATIONS}
API = {path for path in PATHS if path.startswith("/api/v1/")} - {"/api/v1/auth/token"}
ADMIN = API | {"/metrics"}
PUBLIC = PATHS - ADMIN - EVERYWHERE


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two workers"])
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServingProcess]:
    home = tmp_path_factory.mktemp("home")
    # Another address as well as another port: both are the public one's neighbours.
    start(home, "127.0.0.2:0")
    with serving_process(home, "--workers", str(request.param)) as running:
        yield running


def start(home: Path, admin: str) -> None:
    (home / "policies").mkdir()
    (home / "policies" / "none.yaml").write_text("organizations: {acme: {description: The one}}\n")
    (home / "broker.yaml").write_text(SETTINGS.format(admin=admin))


def statuses(url: str, paths: set[str]) -> set[int]:
    """Ask for each several times over connections of their own, so that every worker answers."""
    found = set()
    for each in paths:
        path = each.replace("{decision_id}", "01a20b88-c550-7c2b-869f-de7a5e664017")
        for method in ("GET", "POST"):
            with httpx.Client(trust_env=False, timeout=60) as http:
                found.add(http.request(method, url + path).status_code)
    return found


def admin_url(broker: ServingProcess) -> str:
    return f"http://{broker.facts['admin_listen']}"


def test_what_is_for_operators_is_not_found_at_the_public_address(broker: ServingProcess) -> None:
    assert len(ADMIN) > 15
    assert statuses(broker.url, ADMIN) == {404}


def test_what_is_for_jobs_and_services_is_not_found_at_the_other(broker: ServingProcess) -> None:
    assert len(PUBLIC) > 8
    assert statuses(admin_url(broker), PUBLIC) == {404}


def test_each_is_found_where_it_belongs(broker: ServingProcess) -> None:
    assert 404 not in statuses(broker.url, PUBLIC | EVERYWHERE)
    # Without credentials, whatever is asked for.
    assert statuses(admin_url(broker), API) <= {401, 405}
    # Open, because both addresses are on loopback.
    assert statuses(admin_url(broker), {"/metrics"}) == {200, 405}
    assert 404 not in statuses(admin_url(broker), EVERYWHERE)


def raw(broker: ServingProcess, request: str) -> bytes:
    host, port = broker.facts["listen"].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request.encode())
        with connection.makefile("rb") as answer:
            return answer.read()


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/keys",
        "{admin}/api/v1/keys",
        "/api/v1/../v1/keys",
        "/oauth/../api/v1/keys",
        "//api/v1/keys",
        "/api/v1/keys/",
        "/api//v1/keys",
        f"/api/v1/{quote('k', safe='')}eys",
        "/%61pi/v1/keys",
        "/API/v1/keys",
        "/api/v1/keys;a=b",
        "/api/v1/auth/../keys",
    ],
)
def test_no_spelling_of_a_path_reaches_it(broker: ServingProcess, target: str) -> None:
    admin = broker.facts["admin_listen"]
    port = admin.rpartition(":")[2]
    answer = raw(
        broker,
        f"GET {target.format(admin=f'http://{admin}')} HTTP/1.1\r\nHost: {admin}\r\n"
        f"X-Forwarded-Host: {admin}\r\nX-Forwarded-Port: {port}\r\nX-Original-URL: /api/v1/keys\r\n"
        f"Forwarded: host={admin}\r\nConnection: close\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 404 ")


def test_a_connection_that_stays_keeps_to_its_address(broker: ServingProcess) -> None:
    ask = "GET {} HTTP/1.1\r\nHost: broker\r\n{}\r\n"
    answer = raw(
        broker,
        ask.format("/healthz", "") + ask.format("/api/v1/keys", "Connection: close\r\n"),
    )

    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 404 ") == 1


def test_an_admin_address_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        admin = f"127.0.0.1:{taken.getsockname()[1]}"
        start(tmp_path, admin)
        with pytest.raises(AssertionError) as said:
            serving_process(tmp_path).__enter__()

    assert f"admin_listen: cannot listen on {admin}: {os.strerror(98)}" in str(said.value)
    assert not (tmp_path / "broker.db").exists()
