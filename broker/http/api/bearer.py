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
from broker.grants.token_standing import TokenStanding
from broker.http.answers import Answer, Headers, problem_answer
from broker.http.caller import Networks, caller_of
from broker.http.parameters import header_values
from broker.http.protected_resource import metadata_url
from broker.ports import Clock, SigningKeySource

KEY_BEGINNING: Final = "sa_"
"""How API keys begin; no token does."""

_HOW: Final = "send `Authorization: Bearer` and an API key, or a service token for 'broker'"


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
    standing: TokenStanding
    clock: Clock
    authentication: ClientAuthentication
    last_uses: LastUses
    trusted_proxies: Networks

    async def require(
        self,
        scope: Scope,
        wanted: str,
        *,
        or_scope: str | None = None,
        and_scope: str | None = None,
        confined: bool = False,
    ) -> ApiCaller:
        """Find out who calls and whether it holds the scope `wanted`, or else `or_scope`.

        With `and_scope` it has to hold that one as well. What is not `confined` to the caller's
        organization is for callers without one. Raises `ApiRefused`.
        """
        text = self._bearer_token(scope)
        address = caller_of(scope, self.trusted_proxies).client_address
        is_key = text.startswith(KEY_BEGINNING)
        caller = await (self._by_key if is_key else self._by_token)(text, address)
        if wanted not in caller.scopes and or_scope not in caller.scopes:
            either = wanted if or_scope is None else f"{wanted} or {or_scope}"
            raise self._insufficient(caller, wanted, f"this needs the scope {either}")
        if and_scope is not None and and_scope not in caller.scopes:
            raise self._insufficient(caller, and_scope, f"this needs the scope {and_scope} as well")
        if caller.organization is not None and not confined:
            # What concerns the whole broker is out of an organization's reach (attacks row 142).
            detail = (
                f"this concerns the whole broker; '{caller.sub}' belongs to the organization"
                f" '{caller.organization}', so that no scope is enough"
            )
            raise self._insufficient(caller, wanted, detail)
        return caller

    async def _by_token(self, text: str, address: str | None) -> ApiCaller:
        keys, now = self.signing_keys.current(), self.clock.now()
        try:
            token = own_token.read(text, keys, self.issuer, now)
        except OwnTokenRefused:
            raise self._invalid_token() from None
        account = await self.authentication.account(token.client_id, token.issued_at, address)
        if account is None or not await self.standing.counts(token):
            raise self._invalid_token()
        # A scope taken from the account since is gone at once.
        scopes = token.scopes & account.grants.get(BROKER_SERVICE, frozenset())
        organization = account.organization or token.organization
        return ApiCaller(token.sub, scopes, organization)

    async def _by_key(self, text: str, address: str | None) -> ApiCaller:
        client = await self.authentication.by_key(text, address)
        if client is None or BROKER_SERVICE not in client.account.grants:
            raise self._invalid_token()
        account, now = client.account, self.clock.now()
        if account.instances:
            # One identity for each value of a claim, and a key has no claims.
            raise self._invalid_token()
        if self.standing.blocks().of_account((account.client_id,), now):
            raise self._invalid_token()
        self.last_uses.note(account.client_id, client.secret_id, now)
        return ApiCaller(account.client_id, account.grants[BROKER_SERVICE], account.organization)

    def _bearer_token(self, scope: Scope) -> str:
        """Read the credentials. Raises `ApiRefused`, as RFC 6750 §3.1 says for each case."""
        values = header_values(scope, b"authorization")
        if not values:
            detail = f"credentials are missing; {_HOW}"
            raise self._refused(401, "INVALID_API_KEY", detail)
        if len(values) > 1 or "," in values[0]:
            # A proxy and the broker could read different ones (attacks row 189).
            raise self._malformed("send one Authorization header")
        scheme, _, token = values[0].partition(" ")
        if scheme.lower() != "bearer":
            raise self._refused(
                401, "INVALID_API_KEY", f"these credentials count for nothing; {_HOW}"
            )
        token = token.strip()
        if not token or " " in token:
            raise self._malformed(f"the Authorization header is unreadable; {_HOW}")
        return token

    def _malformed(self, detail: str) -> ApiRefused:
        return self._refused(400, "INVALID_REQUEST", detail, error="invalid_request")

    def _invalid_token(self) -> ApiRefused:
        detail = (
            "the credentials are not good here: a key is of an account that is granted scopes of"
            " 'broker', a token has the audience 'broker', and the account is live"
        )
        return self._refused(401, "INVALID_API_KEY", detail, error="invalid_token")

    def _insufficient(self, caller: ApiCaller, wanted: str, detail: str) -> ApiRefused:
        refused = self._refused(
            403, "INSUFFICIENT_PERMISSIONS", detail, error="insufficient_scope", scope=wanted
        )
        refused.client_id = caller.sub
        return refused

    def _refused(self, status: int, code: str, detail: str, **facts: str) -> ApiRefused:
        """Refuse; the challenge leads to where tokens are had from (RFC 9728 §5.1)."""
        facts = {"realm": "broker", **facts, "resource_metadata": metadata_url(self.issuer)}
        challenge = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in facts.items())
        headers: Headers = [
            (b"cache-control", b"no-store"),
            (b"www-authenticate", challenge.encode()),
        ]
        return ApiRefused(problem_answer(status, code, detail, headers))
