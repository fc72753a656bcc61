"""The five lines of the README: its workflow gets a token, and its service trusts that, alone."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from broker.testing import github_claims
from broker.verify import TokenError
from tests.docs.brokers_of_pages import broker_of
from tests.docs.markdown import Page
from tests.docs.policies_in_pages import policy_blocks
from tests.docs.workflow_jobs import JobRun, run_job
from tests.github_runner import GithubRunner
from tests.running_broker import RunningBroker

PAGE = Page("README.md")
SECTION = PAGE.section("Five lines each")
BROKER = "https://broker.example.com"
DEPLOYMENTS = "https://deploy.example.com/deployments"

# Another service, of whose tokens that of the page must take none.
OTHER = """\
services: {artifacts: {audience: https://artifacts.example.com}}
service_accounts: {artifacts: {grants: {artifacts: []}}}
policies:
  artifacts:
    service_account: artifacts
    issuer: github
    match: {repository_id: 456789, ref: refs/heads/main}
"""

Deploy = Callable[..., JobRun]


@pytest.fixture(scope="module")
def page_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker with the policies of the page."""
    (policies,) = [block.text for block in policy_blocks(PAGE)]
    # The issuer is the same, but for the place of its keys.
    shown = "  github: {preset: github}\n"
    assert shown in policies
    folder = tmp_path_factory.mktemp("broker")
    policies = policies.replace(f"issuers:\n{shown}", "")
    with broker_of(folder, policies, OTHER).serving() as broker:
        yield broker


@pytest.fixture(scope="module")
def service(page_broker: RunningBroker) -> Iterator[str]:
    """A server that asks the page's function who calls; gives its URL."""
    names = run_program(page_broker)

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            try:
                status, body = 200, names["caller"](token)
            except TokenError as error:
                status, body = error.status, {"error": str(error)}
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def deploy(page_broker: RunningBroker, service: str, tmp_path: Path) -> Deploy:
    """Run the job of the page with an ID token that has these claims."""
    (workflow,) = [yaml.safe_load(each.text) for each in PAGE.blocks("yaml") if "jobs" in each.text]
    (job,) = workflow["jobs"].values()

    def run(**claims: Any) -> JobRun:
        def mint(audience: str) -> str:
            return page_broker.github.token(github_claims(**claims), audience=audience)

        with GithubRunner(tmp_path, mint).serving() as runner:
            return run_job(job, runner, {BROKER: page_broker.url, DEPLOYMENTS: service})

    return run


def run_program(broker: RunningBroker) -> dict[str, Any]:
    """Run the Python of the page; give what it defines."""
    (program,) = [block.text for block in PAGE.blocks("python") if block.text in SECTION]
    names: dict[str, Any] = {}
    exec(program.replace(BROKER, broker.url), names)  # noqa: S102 - our own page
    return names


def post(service: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(service, headers=headers, trust_env=False, timeout=60)


def test_each_has_five_lines() -> None:
    action = SECTION.partition("    steps:\n")[2].partition("\n\n")[0]
    program = SECTION.partition("```python\n")[2].partition("```")[0]

    assert len(action.strip().splitlines()) == 5
    assert len([line for line in program.splitlines() if line]) <= 5


def test_the_workflow_deploys_at_the_service_and_gives_its_token_back(
    page_broker: RunningBroker, deploy: Deploy
) -> None:
    done = deploy(environment="production")

    assert done.passed, done.log
    (caller,) = [json.loads(line) for line in done.log.splitlines() if line.startswith("{")]
    assert (caller["client_id"], caller["scope"]) == ("deploy-web", "deploy:read deploy:write")
    assert caller["workload"]["repository"] == "acme/web"
    of_token = [each for each in page_broker.events() if each["token_id"] == caller["jti"]]
    assert [each["type"] for each in of_token] == ["token.exchanged", "token.revoked"]


def test_the_workflow_of_another_branch_is_refused_with_the_reason(deploy: Deploy) -> None:
    done = deploy(environment="production", ref="refs/heads/other")

    assert not done.passed
    assert "Refused%3A no_policy_matched" in done.log, done.log
    assert '"refs/heads/other"' in done.log
    assert done.outputs == {}


def test_the_service_takes_no_token_of_another_service(
    page_broker: RunningBroker, service: str
) -> None:
    token = exchanged(page_broker, "artifacts")

    assert post(service, exchanged(page_broker, "deploy-api")).status_code == 200
    refused = post(service, token)
    assert (refused.status_code, refused.json()["error"]) == (
        401,
        "the token is for another service than https://deploy.example.com",
    )


def test_the_service_takes_no_token_of_the_platform(
    page_broker: RunningBroker, service: str
) -> None:
    for audience in (page_broker.url, "https://deploy.example.com"):
        assert post(service, id_token(page_broker, audience)).status_code == 401


def test_the_service_takes_no_token_of_another_type(
    page_broker: RunningBroker, service: str
) -> None:
    file = page_broker.folder / "policies/page.yaml"
    text = file.read_text()
    shown = "    audience: https://deploy.example.com\n"
    assert shown in text
    file.write_text(text.replace(shown, f"{shown}    token_typ: JWT\n"))
    page_broker.reload(forced=True)
    try:
        refused = post(service, exchanged(page_broker, "deploy-api"))
    finally:
        file.write_text(text)
        page_broker.reload(forced=True)

    assert (refused.status_code, refused.json()["error"]) == (
        401,
        "the token's 'typ' is not at+jwt: of another kind",
    )


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_the_service_takes_nothing_else(service: str, token: str) -> None:
    assert post(service, token).status_code == 401


def test_the_service_takes_no_token_that_has_expired(page_broker: RunningBroker) -> None:
    token = exchanged(page_broker, "deploy-api")
    names = run_program(page_broker)
    assert names["caller"](token)["client_id"] == "deploy-web"

    names["verifier"]._clock = lambda: time.time() + 3600
    with pytest.raises(TokenError, match="expired"):
        names["caller"](token)


def id_token(broker: RunningBroker, audience: str) -> str:
    return broker.github.token(github_claims(environment="production"), audience=audience)


def exchanged(broker: RunningBroker, service: str, **parameters: str) -> str:
    """Give a token for a service."""
    answer = broker.exchange(id_token(broker, broker.url), audience=service, **parameters)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token
