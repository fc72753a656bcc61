"""CI jobs that never stop asking: honest ones, impatient ones, and thieves."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import jwt

from broker.core.recorded_claims import subject_token_id
from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.testing import FakeIssuer, github_claims
from chaos.installation import AUDIENCE
from chaos.record import UNANSWERED, Attempt, ClientRecord

REMEMBERED: Final = 200
VERIFIED_SHARE: Final = 0.05

# What no broker may accept, however often and in whatever trouble it is asked.
_NEVER: Final = frozenset({"denied", "expired", "forged"})

# What a client does next, and how often.
_CHOICES: Final = {
    "fresh": 55,
    "replay": 15,
    "again": 8,
    "denied": 6,
    "expired": 4,
    "forged": 4,
    "door": 8,
}


@dataclass
class Door:
    """Whether the jobs of one repository are let in; None while that is being changed."""

    opened: bool | None = None
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Presented:
    """A CI token that was sent before, and what it was sent as."""

    kind: str
    token: str


@dataclass
class Clients:
    """The jobs that ask one broker, and what they remember."""

    url: str
    issuer: FakeIssuer
    record: ClientRecord
    rng: random.Random
    door: Door = field(default_factory=Door)
    _accepted: deque[Presented] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _unanswered: deque[Presented] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _thief: FakeIssuer = field(default_factory=lambda: FakeIssuer("https://thief.example"))

    async def run(self, until: float) -> None:
        """Ask without a pause until the loop's time is `until`."""
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as http:
            while asyncio.get_running_loop().time() < until:
                kind = self.rng.choices(list(_CHOICES), weights=list(_CHOICES.values()))[0]
                await self._ask(http, kind)

    async def operator_token(self, http: httpx.AsyncClient) -> str | None:
        """Get a token for the broker's own API; None when there is no answer now."""
        token = self._mint(repository_id="700")
        _, body = await self._exchange(http, "operator", token, audience="broker")
        issued = body.get("access_token")
        return issued if isinstance(issued, str) else None

    async def _ask(self, http: httpx.AsyncClient, kind: str) -> None:
        if kind == "replay":
            await self._ask_again(http, kind, self._accepted)
        elif kind == "again":
            await self._ask_again(http, kind, self._unanswered)
        elif kind == "door":
            await self._try_door(http)
        else:
            await self._exchange(http, kind, self._token(kind))

    def _token(self, kind: str) -> str:
        if kind == "denied":
            return self._mint(ref="refs/heads/feature")
        if kind == "expired":
            return self._mint(iat=1_700_000_000, nbf=1_700_000_000, exp=1_700_000_300)
        if kind == "forged":
            claims = github_claims(ref="refs/heads/main", repository_id="456789")
            return self.issuer.token(claims, audience=AUDIENCE, key=self._thief.key)
        return self._mint()

    def _mint(self, **claims: object) -> str:
        chosen: dict[str, Any] = {"ref": "refs/heads/main", "repository_id": "456789"} | claims
        return self.issuer.token(github_claims(**chosen), audience=AUDIENCE)

    async def _ask_again(
        self, http: httpx.AsyncClient, kind: str, tokens: deque[Presented]
    ) -> None:
        if not tokens:
            return
        presented = self.rng.choice(tokens)
        status, _ = await self._exchange(http, presented.kind, presented.token, told_as=kind)
        if kind == "replay" and status == httpx.codes.OK:
            self.record.wrongly_accepted.append("a token that was accepted before")

    async def _try_door(self, http: httpx.AsyncClient) -> None:
        before, changes = self.door.opened, self.door.changes
        status, _ = await self._exchange(http, "door", self._mint(repository_id="800"))
        unchanged = changes == self.door.changes
        if unchanged and before is False and status == httpx.codes.OK:
            self.record.wrongly_accepted.append("a job by a policy that was reloaded away")
        if unchanged and before is True and status == httpx.codes.BAD_REQUEST:
            self.record.broken.append("a job was refused by a policy set that is past")

    async def _exchange(
        self,
        http: httpx.AsyncClient,
        kind: str,
        token: str,
        *,
        audience: str = "deploy-api",
        told_as: str | None = None,
    ) -> tuple[int, dict[str, Any]]:
        form = {
            "grant_type": GRANT_TOKEN_EXCHANGE,
            "subject_token_type": TOKEN_TYPE_JWT,
            "subject_token": token,
            "audience": audience,
        }
        claims = jwt.decode(token, options={"verify_signature": False})
        fingerprint = subject_token_id(claims) or ""
        try:
            answer = await http.post("/oauth/token", data=form)
        except httpx.HTTPError:
            self.record.attempts.append(Attempt(told_as or kind, fingerprint, UNANSWERED))
            self._unanswered.append(Presented(kind, token))
            await asyncio.sleep(0.05)
            return UNANSWERED, {}
        body = self._read(answer)
        self.record.attempts.append(
            Attempt(
                told_as or kind,
                fingerprint,
                answer.status_code,
                body.get("reason"),
                body.get("token_id"),
                body.get("decision_id"),
            )
        )
        if answer.status_code == httpx.codes.OK:
            self._accepted.append(Presented(kind, token))
            if kind in _NEVER:
                self.record.wrongly_accepted.append(f"a token that is {kind}")
            if self.rng.random() < VERIFIED_SHARE:
                await self._verify(http, body["access_token"])
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self._unanswered.append(Presented(kind, token))
            await asyncio.sleep(0.02)
        return answer.status_code, body

    async def _verify(self, http: httpx.AsyncClient, service_token: str) -> None:
        """Verify a service token as a service would that has just fetched the keys."""
        try:
            answer = await http.get("/.well-known/jwks.json")
            keys = jwt.PyJWKSet.from_dict(answer.raise_for_status().json())
            key = keys[jwt.get_unverified_header(service_token)["kid"]]
            options: Any = {"verify_aud": False}
            jwt.decode(service_token, key, algorithms=["ES256", "RS256"], options=options)
        except httpx.HTTPError:
            return
        except (KeyError, jwt.PyJWTError) as error:
            self.record.broken.append(f"a service token does not verify: {error}")

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        allowed = (httpx.codes.OK, httpx.codes.BAD_REQUEST, httpx.codes.SERVICE_UNAVAILABLE)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.status_code not in allowed or not isinstance(body, dict):
            self.record.broken.append(f"an answer {answer.status_code}: {answer.text[:80]!r}")
            return {}
        return body
