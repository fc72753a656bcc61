"""docs/guides/self-managed-behind-a-firewall.md: what it quotes, and where it leads."""

import asyncio
import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest

from broker.core.kept_keys import MAX_AGE
from broker.testing import FakeIssuer, gitlab_claims
from broker.testing.issuer_app import documents
from tests.docs.brokers_of_pages import broker_of
from tests.docs.markdown import ROOT, Page, code, rows
from tests.gitlab.answering import answering
from tests.gitlab.component_project import ComponentProject, in_this_project, require_programs
from tests.issuer_keys.certificates import Authority, make_authority
from tests.issuer_keys.forward_proxy import ForwardProxy
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token

PAGE = Page("docs/guides/self-managed-behind-a-firewall.md")
# What OpenSSL says is not in our code.
QUOTED = [text for row in rows(PAGE.text) if not (text := code(row[0])).isupper()]


@pytest.mark.parametrize("text", QUOTED)
def test_the_log_really_says_so(text: str) -> None:
    said = "".join(file.read_text() for file in (ROOT / "broker/issuer_keys").glob("*.py"))

    assert text in re.sub(r'"\s+f?"', "", said)


def test_held_keys_count_as_long_as_the_page_says() -> None:
    assert f"count for {MAX_AGE // 3600} hours" in PAGE.text


# --- from the pipeline to the service -------------------------------------------------------------

HOST = "gitlab.corp.example"
BROKER = "https://broker.corp.example"
POLICIES, PIPELINE = PAGE.blocks("yaml")[-2:]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The company's own, with a certificate for its GitLab and for the broker."""
    return make_authority(tmp_path_factory.mktemp("corp") / "authority", "127.0.0.1", HOST)


@contextmanager
def gitlab_at_corp(issuer: FakeIssuer, context: ssl.SSLContext) -> Iterator[int]:
    """Serve the documents of the company's GitLab by https; gives the port."""
    found = documents([issuer])

    class Documents(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = json.dumps(found[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Expect handshakes to fail."""

    with Server(("127.0.0.1", 0), Documents) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def corp_broker(
    folder: Path, policies: str, files: Mapping[str, bytes] = MappingProxyType({})
) -> RunningBroker:
    """Make a broker with the policy file of the page and the files that it names."""
    broker = broker_of(folder, policies, issuers="organizations: {{corp: {{description: Ours}}}}")
    for name, content in files.items():
        (folder / "policies" / name).write_bytes(content)
    return broker


def id_token(broker: RunningBroker, **claims: str) -> str:
    return broker.gitlab_corp.token(gitlab_claims(**claims), audience=broker.url)


async def test_a_job_behind_the_firewall_gets_its_token(
    tmp_path: Path, authority: Authority
) -> None:
    require_programs()
    project = ComponentProject.cloned(tmp_path / "broker")
    (project.folder / "deploy").write_text('#!/bin/sh\nprintf %s "$BROKER_TOKEN" >"$SEEN"\n')
    (project.folder / "deploy").chmod(0o755)
    async with ForwardProxy() as proxy:
        policies = POLICIES.text.replace("http://proxy.corp.example:3128", proxy.url())

        def deploy() -> None:
            broker = corp_broker(
                tmp_path / "served", policies, {"corp-ca.pem": authority.ca_file.read_bytes()}
            )
            with (
                broker.serving(),
                gitlab_at_corp(broker.gitlab_corp, authority.server) as port,
                answering(broker.url, context=authority.server) as front,
            ):
                proxy.hosts[HOST] = port
                shown = in_this_project(PIPELINE.text)
                shown = shown.replace(
                    "audience: https://broker.corp.example", f"audience: {broker.url}"
                )
                done = project.run(
                    "deploy",
                    pipeline=shown.replace("https://broker.corp.example", front),
                    variables={
                        "BROKER_ID_TOKEN": id_token(broker),
                        "CORP_CA": str(authority.ca_file),
                        "SEEN": str(tmp_path / "seen"),
                    },
                )
                assert done.passed, done.log
                token = verified_token(broker, (tmp_path / "seen").read_text())
                assert token["act"]["iss"] == f"https://{HOST}"
                refused = broker.exchange(id_token(broker, ref="feature"))
                assert refused.json()["reason"] == "no_policy_matched"

        await asyncio.to_thread(deploy)
        assert {request.target for request in proxy.requests} == {f"{HOST}:443"}


async def test_without_the_certificate_the_job_is_told_that_the_issuer_is_unavailable(
    tmp_path: Path, authority: Authority
) -> None:
    async with ForwardProxy() as proxy:
        policies = POLICIES.text.replace("http://proxy.corp.example:3128", proxy.url())
        policies = policies.replace("    ca_file: corp-ca.pem\n", "")

        def exchange() -> None:
            with (
                corp_broker(tmp_path, policies).serving() as broker,
                gitlab_at_corp(broker.gitlab_corp, authority.server) as port,
            ):
                proxy.hosts[HOST] = port
                answer = broker.exchange(id_token(broker))
                assert (answer.status_code, answer.json()["reason"]) == (503, "issuer_unavailable")

        await asyncio.to_thread(exchange)


def test_with_the_keys_in_a_file_nobody_is_asked(tmp_path: Path) -> None:
    (with_file,) = [each.text for each in PAGE.blocks("yaml") if "jwks_file:" in each.text]
    policies = with_file + POLICIES.text[POLICIES.text.index("\npolicies:") :]
    broker = corp_broker(tmp_path, policies)
    keys = json.dumps(broker.gitlab_corp.jwks())
    (tmp_path / "policies/gitlab-corp.jwks.json").write_text(keys)

    with broker.serving():
        answer = broker.exchange(id_token(broker))

    assert answer.json()["service_account"] == "deploy-web"
