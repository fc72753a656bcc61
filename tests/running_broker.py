"""A whole broker on loopback for tests: real HTTP, real keys, real SQLite, a clock that is held.

The trusted issuers have the names and URLs of the real platforms; their keys come from
`FakeIssuer`s that record every request they get.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import apsw
import httpx
import uvicorn
import uvloop

from broker.bootstrap import Broker, running
from broker.core.policy import PolicySet
from broker.core.vocabulary import (
    ASSERTION_TYPE_JWT,
    GRANT_CLIENT_CREDENTIALS,
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
    TOKEN_TYPE_JWT,
)
from broker.http.connections import ConnectionLimits
from broker.ports import ReloadOutcome
from broker.reload.watch import SETTLE
from broker.serving.server import uvicorn_config
from broker.settings import Settings
from broker.settings import load as load_settings
from broker.testing import FakeIssuer, FrozenClock, github_claims, gitlab_claims
from broker.testing.issuer_server import IssuerServer
from broker.testing.jws import PrivateKey, generate_key
from broker.testing.loopback import free_port
from tests.profiles.checked import check_profile

NOW = 1_795_300_000.0
AUDIENCE = "https://broker.example"
GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
GITLAB_CORP = "https://gitlab.corp.example"
BUILDKITE = "https://agent.buildkite.com"
ISSUERS = ("github", "gitlab", "gitlab_corp", "buildkite")
# Seconds: a broker that has not ended by then never will.
ENDS_WITHIN = 90

# The base token of the attack catalogue: a push to main of octo-org/octo-repo.
OCTO_REPO = {
    "repository": "octo-org/octo-repo",
    "repository_id": "456789",
    "repository_owner": "octo-org",
    "repository_owner_id": "123456",
}

POLICIES = """\
issuers:
  github: {{preset: github, audiences: [{audience}], jwks_uri: "{github}"}}
  gitlab: {{preset: gitlab, audiences: [{audience}], jwks_uri: "{gitlab}"}}
  gitlab-corp:
    preset: gitlab
    issuer: https://gitlab.corp.example
    audiences: [{audience}]
    jwks_uri: "{gitlab_corp}"
    replay: per_audience
  buildkite:
    issuer: https://agent.buildkite.com
    audiences: [{audience}]
    jwks_uri: "{buildkite}"
    algorithms: [RS256, ES256]
    tenant: [organization_id]
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {{deploy:read: See deployments, deploy:write: Start a deployment}}
    signing_alg: ES256
  artifacts:
    audience: https://artifacts.example.com
    scopes: {{artifacts:read: Fetch, artifacts:write: Publish}}
  billing:
    audience: https://billing.example.com
    scopes: {{billing:read: See bills}}
service_accounts:
  deploy-web:
    description: Deploys octo-org/octo-repo
    organization: octo-org
    grants: {{deploy-api: [deploy:read, deploy:write], artifacts: [artifacts:read]}}
    metadata: {{team: web}}
organizations:
  octo-org: {{description: The organization of the tests}}
policies:
  octo-main:
    service_account: deploy-web
    issuer: github
    match: {{repository: octo-org/octo-repo, repository_id: 456789, ref: refs/heads/main}}
  octo-gitlab:
    service_account: deploy-web
    issuer: gitlab
    match: {{project_id: 20, ref_protected: true}}
  octo-gitlab-corp:
    service_account: deploy-web
    issuer: gitlab-corp
    match: {{project_id: 20, ref_protected: true}}
  octo-buildkite:
    service_account: deploy-web
    issuer: buildkite
    match: {{organization_id: 7b9a3c52-0000-4000-8000-000000000001}}
    grants: {{deploy-api: [deploy:read]}}
"""


class ClientOfEachThread:
    """An HTTP client for each thread: of one for all, a thread may close what another reads."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._opened: list[httpx.Client] = []

    def mine(self) -> httpx.Client:
        """Give the client of this thread."""
        client: httpx.Client | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = httpx.Client(trust_env=False, timeout=60)
            self._opened.append(client)
        return client

    def close(self) -> None:
        """Close all that there are."""
        for each in self._opened:
            each.close()


class RunningBroker:
    """A broker that answers at `url`, and what tests need around it."""

    limits = ConnectionLimits()
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = staticmethod(uvloop.new_event_loop)

    def __init__(
        self,
        folder: Path,
        policies: str = POLICIES,
        *,
        now: float = NOW,
        settle: float = SETTLE,
    ) -> None:
        self.folder = folder
        self.policies = policies
        self.settle = settle
        self.clock = FrozenClock(now)
        self.github = self._issuer(GITHUB)
        self.gitlab = self._issuer(GITLAB, lifetime=3600, backdate=5)
        self.gitlab_corp = self._issuer(GITLAB_CORP, lifetime=3600, backdate=5)
        self.buildkite = self._issuer(BUILDKITE)
        self.issuer_servers: dict[str, IssuerServer] = {}
        self.url = ""
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._broker: Broker | None = None
        self._clients = ClientOfEachThread()
        # Events never change: each is read once, however often a test asks.
        self._events: list[dict[str, Any]] = []

    def _issuer(self, url: str, **times: Any) -> FakeIssuer:
        return FakeIssuer(url, key=_key_of(url), clock=self.clock, **times)

    # --- tokens -----------------------------------------------------------------------------------

    def github_token(self, *, header: Any = None, **claims: Any) -> str:
        """Mint the base token of the attack catalogue, with these differences."""
        return self.github.token(
            github_claims(**{**OCTO_REPO, **claims}), audience=AUDIENCE, header=header
        )

    def gitlab_token(self, **claims: Any) -> str:
        """Mint the token of a push to the protected main of project 20."""
        return self.gitlab.token(gitlab_claims(**claims), audience=AUDIENCE)

    # --- requests ---------------------------------------------------------------------------------

    def post(self, parameters: Any, **request: Any) -> httpx.Response:
        """Post a form to the token endpoint; a token for a service with a profile must fit it."""
        answer = self._clients.mine().post(f"{self.url}/oauth/token", data=parameters, **request)
        if answer.status_code == 200 and self._broker is not None:
            check_profile(answer.json()["access_token"], self.in_force(), on_loopback=True)
        return answer

    def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send any request."""
        return self._clients.mine().request(method, f"{self.url}{path}", **request)

    def exchange(self, token: str, **parameters: Any) -> httpx.Response:
        """Exchange a token, for deploy-api unless another audience is given (None for none)."""
        form = {
            "grant_type": GRANT_TOKEN_EXCHANGE,
            "subject_token": token,
            "subject_token_type": TOKEN_TYPE_JWT,
            "audience": "deploy-api",
            **parameters,
        }
        return self.post({name: value for name, value in form.items() if value is not None})

    def jwt_bearer(self, token: str, **parameters: Any) -> httpx.Response:
        """Present a token in the jwt-bearer grant."""
        form = {"grant_type": GRANT_JWT_BEARER, "assertion": token, "audience": "deploy-api"}
        return self.post(form | parameters)

    def client_assertion(self, token: str, **parameters: Any) -> httpx.Response:
        """Present a token as the client assertion of deploy-web."""
        form = {
            "grant_type": GRANT_CLIENT_CREDENTIALS,
            "client_assertion_type": ASSERTION_TYPE_JWT,
            "client_assertion": token,
            "client_id": "deploy-web",
            "audience": "deploy-api",
        }
        return self.post(form | parameters)

    # --- policies ---------------------------------------------------------------------------------

    def reload(self, *, forced: bool) -> ReloadOutcome:
        """Reload the policies now, as SIGHUP (forced) or a change of the files would."""
        assert self._broker is not None
        outcome: ReloadOutcome = self._run(self._broker.reload.reload(forced=forced, actor="test"))
        return outcome

    def in_force(self) -> PolicySet:
        """Give the policies that decide now."""
        assert self._broker is not None
        return self._broker.policies.current().policy_set

    # --- what the broker did ----------------------------------------------------------------------

    def events(self) -> list[dict[str, Any]]:
        """Read the whole audit, the counted refusals of the running minute included."""
        events: list[dict[str, Any]] = self._run(self._read_events())
        return events

    def decisions(self) -> list[dict[str, Any]]:
        """Read the events about tokens: not those of the keys, which the start wrote, or others."""
        return [event for event in self.events() if event["type"].startswith("token.")]

    def minted(self) -> int:
        """Count the service tokens issued so far."""
        return sum(event["type"] == "token.exchanged" for event in self.events())

    def tick_audit(self) -> None:
        """Do now what the broker does every minute: sign a head, and prune."""
        assert self._broker is not None
        self._run(self._broker.audit_heads.tick())

    async def _read_events(self) -> list[dict[str, Any]]:
        assert self._broker is not None
        await self._broker.counted_refusals.write_all()
        last = self._events[-1]["seq"] if self._events else 0
        self._events += await self._broker.store.events(after_seq=last, limit=1_000_000)
        return list(self._events)

    def fetches(self) -> int:
        """Count the requests that the issuers got so far."""
        return sum(len(server.requests) for server in self.issuer_servers.values())

    def _run(self, work: Any) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

    def database(self) -> apsw.Connection:
        """Open its SQLite file beside it; what it writes beside the requests is waited for."""
        connection = apsw.Connection(str(self.folder / "broker.db"))
        connection.set_busy_timeout(10_000)
        return connection

    # --- life -------------------------------------------------------------------------------------

    @contextmanager
    def serving(self) -> Iterator["RunningBroker"]:
        """Serve until the block ends."""
        with ExitStack() as stack:
            issuers: dict[str, FakeIssuer] = {name: getattr(self, name) for name in ISSUERS}
            self.issuer_servers |= stack.enter_context(_serving_at_once(issuers))
            uris = {name: server.jwks_uri for name, server in self.issuer_servers.items()}
            policies = self.folder / "policies"
            policies.mkdir(exist_ok=True)
            (policies / "octo.yaml").write_text(self.policies.format(audience=AUDIENCE, **uris))
            self._start(free_port())
            stack.callback(self._end)
            stack.callback(self._clients.close)
            yield self

    def restart(self) -> None:
        """End the broker as an operator does, and start it again at its URL, on what it stored."""
        self._end()
        self._start(urlsplit(self.url).port or 0)

    def _start(self, port: int) -> None:
        listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run_loop, args=(listener, started))
        self._thread.start()
        try:
            started.result(timeout=60)
        except BaseException:
            self._thread.join(ENDS_WITHIN)
            listener.close()
            raise

    def _end(self) -> None:
        self._stop()
        if self._thread is not None:
            self._thread.join(ENDS_WITHIN)
            assert not self._thread.is_alive(), "the broker does not end"

    def settings(self) -> Settings:
        """Give the settings of this broker."""
        environment = {
            "BROKER_ISSUER": self.url,
            "BROKER_POLICIES": str(self.folder / "policies"),
            "BROKER_STORE": f"sqlite:{self.folder / 'broker.db'}",
            "BROKER_MASTER_KEY_FILE": str(self.folder / "master.key"),
            "BROKER_AUDIT__STDOUT": "false",
            # Many tests ask far more in one minute of a clock that is held.
            "BROKER_RATE_LIMITS": "off",
        }
        return load_settings(None, environment, working_directory=self.folder)

    def _run_loop(self, listener: socket.socket, started: "Future[None]") -> None:
        try:
            with asyncio.Runner(loop_factory=self.loop_factory) as runner:
                runner.run(self._serve(listener, started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, listener: socket.socket, started: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        async with running(self.settings(), clock=self.clock, settle=self.settle) as broker:
            self._broker = broker
            self._server = _Server(uvicorn_config(broker.app, self.limits), started)
            await self._server.serve(sockets=[listener])

    def _stop(self) -> None:
        assert self._server is not None
        self._server.should_exit = True


@cache
def _key_of(url: str) -> PrivateKey:
    """Give each issuer a key for the whole session: to make one takes long."""
    return generate_key("RS256")


@contextmanager
def _serving_at_once(issuers: Mapping[str, FakeIssuer]) -> Iterator[dict[str, IssuerServer]]:
    """Serve several issuers, begun and ended side by side: to end takes each a quarter second."""
    stacks = [ExitStack() for _ in issuers]
    with ThreadPoolExecutor(len(issuers)) as pool:
        try:
            servers = pool.map(
                lambda stack, issuer: stack.enter_context(issuer.serve()), stacks, issuers.values()
            )
            yield dict(zip(issuers, servers, strict=True))
        finally:
            list(pool.map(ExitStack.close, stacks))


class _Server(uvicorn.Server):
    """A server that tells when it answers."""

    def __init__(self, config: uvicorn.Config, began: "Future[None]") -> None:
        super().__init__(config)
        self._began = began

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._began.set_result(None)
