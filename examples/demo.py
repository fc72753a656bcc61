"""`make demo`: one exchange from end to end, on this machine alone; leaves nothing running.

Everything is real: the broker with its SQLite store, the HTTP between the parts, keys, signatures
and tokens. Only GitHub and GitLab are played by the dev platform of `broker serve --dev`.
"""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlencode, urlsplit

import jwt

from broker.testing.dev_platform import DevPlatform, PlatformName

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
SERVICE = "deploy-api"
AUDIENCE = "https://deploy.example.com"
PATIENCE = 30.0

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
CI_CLAIMS = (
    "iss", "sub", "aud", "repository_id", "project_id", "ref", "event_name", "pipeline_source",
)  # fmt: skip
SERVICE_CLAIMS = ("iss", "sub", "aud", "scope", "policy", "act", "workload")
WORKLOAD_MEMBERS = ("platform", "repository", "repository_id", "ref", "run_id")


class DemoFailed(Exception):
    """Something went otherwise than told here."""


# --- the story ------------------------------------------------------------------------------------


def main() -> int:
    """Tell the story; 0 when everything went as told."""
    signal.signal(signal.SIGTERM, _stop)
    begun = time.monotonic()
    with ExitStack() as cleanup:
        try:
            tell(cleanup)
        except DemoFailed as failure:
            print(f"\nThe demo failed: {failure}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nStopped.", file=sys.stderr)
            return 130
    print(
        f"\nEverything went as told, in {time.monotonic() - begun:.1f} s; nothing is left running."
    )
    print("Next: `make run` leaves a broker running; README.md shows how to be a job against it.")
    return 0


def tell(cleanup: ExitStack) -> None:
    """Run the seven steps."""
    data = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="broker-demo-")))
    broker_port, dev_port = free_ports(2)
    broker_url, dev_url = f"http://127.0.0.1:{broker_port}", f"http://127.0.0.1:{dev_port}"
    broker = cleanup.enter_context(
        running(
            data / "broker.log",
            *("-m", "broker", "serve", "--dev"),
            *("--listen", f"127.0.0.1:{broker_port}", "--dev-listen", f"127.0.0.1:{dev_port}"),
            *("--data", str(data)),
        )
    )
    service = cleanup.enter_context(
        running(
            data / "service.log",
            *(str(ROOT / "examples" / "protected_service.py"), "--port", "0"),
            *("--issuer", broker_url, "--audience", AUDIENCE),
        )
    )
    wait_until_ready(broker, broker_url)
    (service_url,) = service.wait_for(list, 1)
    platform = DevPlatform.open(dev_url, data / "dev")

    title(1, "Four parts are running on this machine")
    show("broker", f"{broker_url}  (SQLite in a folder that is deleted afterwards)")
    show("GitHub, played", platform.github.url)
    show("GitLab, played", platform.gitlab.url)
    show(SERVICE, f"{service_url}  (accepts the broker's tokens and nothing else)")

    title(2, "A GitHub job on main gets its ID token, as in any workflow with 'id-token: write'")
    github_token = ci_token(platform, "github", broker_url)
    say(f"{SERVICE} does not accept that token itself:")
    call_service(service_url, github_token, expected=401)

    title(3, "The job exchanges it at the broker for a short-lived service token (RFC 8693)")
    service_token = exchange(broker_url, github_token)

    title(4, f"{SERVICE} verifies the service token with the broker's public keys, and accepts it")
    verify(broker_url, service_token)
    call_service(service_url, service_token, expected=200)

    title(5, "A GitLab job does the same; only the shape of its ID token differs")
    service_token = exchange(broker_url, ci_token(platform, "gitlab", broker_url))
    verify(broker_url, service_token)
    call_service(service_url, service_token, expected=200)

    title(6, "What is refused is refused with its reason")
    say("A pull request of the same repository; anybody may open one, so no policy lets it deploy:")
    pull_request = ci_token(platform, "github", broker_url, event_name="pull_request")
    refused(broker_url, pull_request, "no_policy_matched", "denied_by_policy")
    say("The token of step 2 once more, as a thief would use it who found it in a log:")
    refused(broker_url, github_token, "token_already_used")

    title(7, "Each decision was written to the audit log before it was answered")
    say("One JSON line each, chained by 'prev' and 'hash'. Here: without nulls, few of the claims.")
    for line in audit_lines(broker, 4):
        print(f"\n   {line}")


def ci_token(platform: DevPlatform, name: PlatformName, broker_url: str, **claims: object) -> str:
    """Mint a CI token and show what it says."""
    token = platform.token(name, claims, audience=broker_url)
    options = "".join(f" --claim {claim}={value}" for claim, value in claims.items())
    say(f"(as `broker dev token --platform {name}{options}` does)")
    show_claims(payload_of(token), CI_CLAIMS)
    return token


def exchange(broker_url: str, token: str) -> str:
    """Exchange a CI token that the policies permit."""
    status, answer = ask_for_token(broker_url, token)
    if status != 200:
        raise DemoFailed(f"the broker answered {status}: {answer}")
    for member in ("service_account", "scope", "expires_in", "token_type"):
        show(member, answer.get(member))
    return str(answer["access_token"])


def refused(broker_url: str, token: str, *reasons: str) -> None:
    """Exchange a CI token that must be refused, and show the broker's explanation."""
    status, answer = ask_for_token(broker_url, token)
    if status != 400 or answer.get("reason") not in reasons:
        raise DemoFailed(f"a refusal was due; the broker answered {status}: {sorted(answer)}")
    for member, value in answer.items():
        show(member, value)


def ask_for_token(broker_url: str, token: str) -> tuple[int, dict[str, Any]]:
    """Ask at the token endpoint, as RFC 8693 §2.1 says."""
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token_type": JWT_TYPE,
        "subject_token": token,
        "audience": SERVICE,
    }
    status, answer = request("POST", f"{broker_url}/oauth/token", form=form)
    say(f"POST {broker_url}/oauth/token  audience={SERVICE}  ->  {status}")
    return status, answer


def verify(broker_url: str, token: str) -> None:
    """Verify a service token as anybody can who knows the broker's URL, and show what it says."""
    _, metadata = request("GET", f"{broker_url}/.well-known/openid-configuration")
    _, key_set = request("GET", metadata["jwks_uri"])
    header = jwt.get_unverified_header(token)
    key = jwt.PyJWKSet.from_dict(key_set)[header["kid"]]
    claims = jwt.decode(
        token,
        key,
        algorithms=metadata["id_token_signing_alg_values_supported"],
        issuer=broker_url,
        audience=AUDIENCE,
    )
    if header["typ"] != "at+jwt":
        raise DemoFailed(f"the service token has the typ {header['typ']}")
    say(f"The {header['alg']} signature holds under a key of {metadata['jwks_uri']}:")
    workload = claims.get("workload", {})
    short = {name: workload[name] for name in WORKLOAD_MEMBERS if name in workload}
    show_claims(claims | {"workload": short}, SERVICE_CLAIMS)


def call_service(service_url: str, token: str, *, expected: int) -> None:
    """Call the protected service with a token."""
    status, answer = request("POST", f"{service_url}/deployments", bearer=token)
    say(f"POST {service_url}/deployments  ->  {status} {json.dumps(answer)}")
    if status != expected:
        raise DemoFailed(f"{SERVICE} answered {status} where {expected} was due")


# --- what is shown --------------------------------------------------------------------------------


def title(number: int, text: str) -> None:
    """Print the head of a step."""
    print(f"\n{number}. {text}\n")


def say(text: str) -> None:
    """Print a line of the story."""
    print(f"   {text}")


def show(name: str, value: object) -> None:
    """Print a name and its value, never a whole token."""
    text = value if isinstance(value, str) else json.dumps(value)
    print(f"     {name:<18} {text}")


def show_claims(claims: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Print some claims of a token and how long it lives."""
    for name in names:
        if name in claims:
            show(name, claims[name])
    show("lives for", f"{claims['exp'] - claims['iat']} s")


def payload_of(token: str) -> dict[str, Any]:
    """Read what a token says, believing nothing."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def audit_lines(broker: "Child", count: int) -> list[str]:
    """Wait for the audit events of this demo and shorten them."""
    shortened = []
    for event in broker.wait_for(_audit_events, count):
        kept = {name: value for name, value in event.items() if value not in (None, [])}
        claims = kept.get("claims", {})
        kept["claims"] = {name: claims[name] for name in CI_CLAIMS if name in claims}
        shortened.append(json.dumps(kept))
    return shortened


def _audit_events(lines: list[str]) -> list[dict[str, Any]]:
    """Find the events of decisions among what the broker logs."""
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in objects if str(each.get("type")).startswith("token.")]


# --- processes and HTTP ---------------------------------------------------------------------------


class Child:
    """A process of this demo, with the lines that it has printed."""

    def __init__(self, log: Path, arguments: tuple[str, ...]) -> None:
        self.log = log
        self.lines: list[str] = []
        self._news = threading.Condition()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def running(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def wait_for(self, found: Callable[[list[str]], list[T]], count: int) -> list[T]:
        """Wait until so many things are found in its lines. Raises `DemoFailed` if they are not."""
        with self._news:
            if not self._news.wait_for(lambda: len(found(self.lines)) >= count, PATIENCE):
                self.fail("did not print what was expected of it")
            return found(self.lines)

    def fail(self, what: str) -> NoReturn:
        """Give up, with the end of what it logged."""
        last = self.log.read_text(errors="replace").splitlines()[-20:]
        raise DemoFailed("\n  ".join([f"'{self.log.stem}' {what}", *last]))

    def stop(self) -> None:
        """End it, kindly at first."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5)
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()


@contextmanager
def running(log: Path, *arguments: str) -> Iterator[Child]:
    """Run a Python program of ours while the context lasts."""
    child = Child(log, arguments)
    try:
        yield child
    finally:
        child.stop()


def wait_until_ready(broker: Child, url: str) -> None:
    """Wait until the broker serves."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not broker.running():
            broker.fail("stopped at once")
        try:
            if request("GET", f"{url}/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    broker.fail("did not become ready")


def request(
    method: str, url: str, *, form: Mapping[str, str] | None = None, bearer: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Send a request past all proxies and give the status and the JSON of the answer."""
    parts = urlsplit(url)
    headers = {"Accept": "application/json"}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    connection = HTTPConnection(parts.netloc, timeout=PATIENCE)
    try:
        connection.request(method, parts.path, urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _environment() -> dict[str, str]:
    """Give the environment without anything that configures a broker."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
