"""What a client meets in tests: a broker that answers as told, a job, clocks that are held."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from broker.client.patience import Patience
from broker.client.token_source import TokenSource
from tests.consumers.loopback_server import Answer, LoopbackServer, Request

SERVICE = "deploy-api"


def as_json(members: object, status: int = 200, **headers: str) -> Answer:
    text = json.dumps(members).encode()
    return Answer(text, status, {"content-type": "application/json", **headers})


def a_token(text: str = "one", life: int = 600, **members: Any) -> Answer:
    """Answer as a broker that grants."""
    return as_json(
        {"access_token": text, "token_type": "Bearer", "expires_in": life, **members},
    )


def refusal(status: int = 400, **members: Any) -> Answer:
    """Answer as a broker that refuses."""
    return as_json(
        {"error": "invalid_grant", "error_description": "no policy fits", **members}, status
    )


def trouble(status: int = 503, **headers: str) -> Answer:
    return as_json({"error": "server_error"}, status, **headers)


@contextmanager
def answering(*answers: Answer | Callable[[Request], Answer]) -> Iterator[LoopbackServer]:
    """Serve these answers in turn, the last one for ever."""
    left = list(answers)

    def answer(request: Request) -> Answer:
        given = left.pop(0) if len(left) > 1 else left[0]
        return given if isinstance(given, Answer) else given(request)

    with LoopbackServer(answer).serving() as server:
        yield server


def an_id_token(**claims: Any) -> str:
    """Write a token that looks like one; the signature is none."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "RS256"}, {"iss": "https://ci.example", "sub": "job", **claims})
    ]
    return ".".join([*parts, "c2lnbmF0dXJl"])


@dataclass
class HeldClock:
    """A monotonic clock that tests move; to sleep moves it, too."""

    now: float = 1000.0
    pauses: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, budget: float) -> Patience:
        return Patience(budget, monotonic=self, sleep=self.sleep)


def source_at(url: str, clock: HeldClock | None = None, **members: Any) -> TokenSource:
    """Make the source of a job with one ID token, whose pauses take no time."""
    clock = clock or HeldClock()
    defaults: dict[str, Any] = {
        "service": SERVICE,
        "environment": {"BROKER_ID_TOKEN": an_id_token()},
        "monotonic": clock,
        "patience": clock.patience,
    }
    return TokenSource(url, **(defaults | members))
