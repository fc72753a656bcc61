"""A CI job that meets a broker in trouble."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt

from broker.core.recorded_claims import subject_token_id
from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.testing import FakeIssuer, github_claims
from chaos.installation import AUDIENCE, Installation
from chaos.record import Attempt, ClientRecord
from chaos.verdict import Verdict, judge


@dataclass(frozen=True)
class Job:
    """Sends tokens to a broker, over a new connection each time."""

    broker: Installation
    issuer: FakeIssuer

    def token(self, **claims: Any) -> str:
        chosen = {"repository_id": "456789", "ref": "refs/heads/main"} | claims
        return self.issuer.token(github_claims(**chosen), audience=AUDIENCE)

    def exchange(self, token: str | None = None, seconds: float = 60) -> httpx.Response:
        form = {
            "grant_type": GRANT_TOKEN_EXCHANGE,
            "subject_token_type": TOKEN_TYPE_JWT,
            "subject_token": token or self.token(),
            "audience": "deploy-api",
        }
        with httpx.Client(base_url=self.broker.url, timeout=seconds, trust_env=False) as http:
            return http.post("/oauth/token", data=form)

    def status(self, path: str) -> int:
        with httpx.Client(base_url=self.broker.url, timeout=60, trust_env=False) as http:
            return http.get(path).status_code


def assert_unavailable(answer: httpx.Response) -> None:
    """Check that there is no token, and that the caller knows to come again."""
    body = answer.json()
    assert (answer.status_code, body["error"]) == (503, "temporarily_unavailable")
    assert body["reason"] == "store_unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert "access_token" not in body


def assert_token(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.json()["access_token"]


def judged(broker: Installation, answers: list[httpx.Response]) -> Verdict:
    """Hold what the answers said against the store of a broker that has ended."""
    attempts = []
    for answer in answers:
        body = answer.json()
        attempts.append(
            Attempt(
                "fresh",
                _subject_token_id(answer),
                answer.status_code,
                body.get("reason"),
                body.get("token_id"),
                body.get("decision_id"),
            )
        )
    return asyncio.run(judge(broker.database, ClientRecord(attempts)))


def _subject_token_id(answer: httpx.Response) -> str:
    [token] = parse_qs(answer.request.content.decode())["subject_token"]
    return subject_token_id(jwt.decode(token, options={"verify_signature": False})) or ""
