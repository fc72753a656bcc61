"""Who calls `/api/v1`: a service token of the broker's own, on record, or an API key.

Either is of an account that is live, and that is granted what it does here at this moment.

RFC 6750 §3 says how a refusal reads; the body is an RFC 9457 problem with `code`.
"""

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from broker.core import own_token
from broker.core.broker_service import BROKER_SERVICE
from broker.core.own_token import OwnTokenRefused
from broker.grants.client_authentication import ClientAuthentication
from broker.grants.last_uses import LastUses
from broker.http.answers import Answer, Headers, problem_answer
from broker.http.caller import Networks, caller_of
from broker.http.parameters import header_values
from broker.ports import Clock, SigningKeySource, TokenRecord

KEY_BEGINNING: Final = "sa_"
"""How API keys begin; no token does."""


class ApiRefused(Exception):
    """The request is refused; holds the whole answer.

    `client_id` is the account that the credentials are for, or that they name.
    """

    def __init__(self, answer: Answer, client_id: str | None = None) -> None:
        super().__init__("refused")
        self.answer = answer
        self.client_id = client_id


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The account behind a request to the API, and what it may do there."""

    sub: str
    """Its id, or that of its instance: as the audit and the limits know it."""

    scopes: frozenset[str]
    organization: str | None


@dataclass(frozen=True, slots=True)
class Bearer:
    """Authenticates and authorizes requests to the API. `issuer` is the broker's own URL."""

    issuer: str
    signing_keys: SigningKeySource
    record: TokenRecord
    clock: Clock
    authentication: ClientAuthentication
    last_uses: LastUses
    trusted_proxies: Networks

    async def require(
        self, scope: Scope, wanted: str, *, or_scope: str | None = None, confined: bool = False
    ) -> ApiCaller:
        """Find out who calls and whether it holds the scope `wanted`, or else `or_scope`.

        What is not `confined` to the caller's organization is for callers without one. Raises
        `ApiRefused`.
        """
        text = _bearer_token(scope)
        address = caller_of(scope, self.trusted_proxies).client_address
        is_key = text.startswith(KEY_BEGINNING)
        caller = await (self._by_key if is_key else self._by_token)(text, address)
        held = wanted in caller.scopes or or_scope in caller.scopes
        if not held or (caller.organization is not None and not confined):
            # What concerns the whole broker is out of an organization's reach (attacks row 142).
            challenge = f'Bearer realm="broker", error="insufficient_scope", scope="{wanted}"'
            refused = _refused(
                403, "INSUFFICIENT_PERMISSIONS", f"needs the scope {wanted}", challenge
            )
            refused.client_id = caller.sub
            raise refused
        return caller

    async def _by_token(self, text: str, address: str | None) -> ApiCaller:
        keys, now = self.signing_keys.current(), self.clock.now()
        try:
            token = own_token.read(text, keys, self.issuer, now)
        except OwnTokenRefused:
            raise _invalid_token() from None
        account = await self.authentication.account(token.client_id, token.issued_at, address)
        if account is None or not await self.record.token_was_issued(token.token_id):
            # Signed with a stolen key, or issued after the backup that was restored (row 153).
            raise _invalid_token()
        # A scope taken from the account since is gone at once.
        scopes = token.scopes & account.grants.get(BROKER_SERVICE, frozenset())
        organization = account.organization or token.organization
        return ApiCaller(token.sub, scopes, organization)

    async def _by_key(self, text: str, address: str | None) -> ApiCaller:
        client = await self.authentication.by_key(text, address)
        if client is None or BROKER_SERVICE not in client.account.grants:
            raise _invalid_token()
        account = client.account
        if account.instances:
            # One identity for each value of a claim, and a key has no claims.
            raise _invalid_token()
        self.last_uses.note(account.client_id, client.secret_id, self.clock.now())
        return ApiCaller(account.client_id, account.grants[BROKER_SERVICE], account.organization)


def _bearer_token(scope: Scope) -> str:
    values = header_values(scope, b"authorization")
    if not values:
        raise _refused(401, "INVALID_API_KEY", "credentials are missing", 'Bearer realm="broker"')
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or "," in values[0]:
        # A proxy and the broker could read different ones (attacks row 189).
        raise _refused(400, "INVALID_REQUEST", "send one Authorization header", None)
    if scheme.lower() != "bearer":
        raise _invalid_token()
    return token.strip()


def _invalid_token() -> ApiRefused:
    challenge = 'Bearer realm="broker", error="invalid_token"'
    return _refused(401, "INVALID_API_KEY", "the credentials are not good here", challenge)


def _refused(status: int, code: str, title: str, challenge: str | None) -> ApiRefused:
    headers: Headers = [(b"cache-control", b"no-store")]
    if challenge is not None:
        headers.append((b"www-authenticate", challenge.encode()))
    return ApiRefused(problem_answer(status, code, title, headers))
