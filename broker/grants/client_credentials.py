"""Client credentials (RFC 6749 §4.4): a client's own secret or assertion in, a service token out.

For callers that no OIDC issuer speaks for. `ClientCredentials.issue` is the path, top to bottom;
where it can be, it is that of a token exchange: the same target, scope and time to live, the same
commit before anything is signed.
"""

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from broker.core import access_token, client
from broker.core.audit import AuditEvent
from broker.core.client import Client
from broker.core.client_assertion import ClientAssertion
from broker.core.decision import DecisionRequest, Permit
from broker.core.errors import DecisionRefused, Reason, RequestRefused
from broker.core.record import record
from broker.core.signing_keys import SigningKey
from broker.grants.client_authentication import ClientAuthentication
from broker.grants.current_state import by_current_state, commit
from broker.grants.in_a_row import InARow
from broker.grants.last_uses import LastUses
from broker.grants.rate_limits import RateLimits
from broker.grants.request import (
    AssertedCredentials,
    Caller,
    Credentials,
    IssuedToken,
    Parameters,
    read_wanted,
    requested,
)
from broker.ports import (
    AlreadySpent,
    Clock,
    Entry,
    Identifiers,
    Ledger,
    PolicySource,
    SigningKeySource,
    Spend,
    State,
)


@record
class ClientRequest:
    """A client that is authenticated, and what it wants."""

    client: Client
    wanted: DecisionRequest
    caller: Caller


def required_credentials(caller: Caller) -> Credentials | AssertedCredentials:
    """Give the client credentials of a request, without which this grant refuses.

    Raises `RequestRefused` (`client_unknown_or_bad_secret`).
    """
    if caller.credentials is None:
        raise RequestRefused(
            Reason.CLIENT_UNKNOWN_OR_BAD_SECRET,
            "this grant needs client credentials: a 'client_id' and its secret, or an assertion",
            with_basic=True,
        )
    return caller.credentials


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The grant and what it needs. `issuer` is the broker's own URL."""

    state: State
    policies: PolicySource
    authentication: ClientAuthentication
    limits: RateLimits
    signing_keys: SigningKeySource
    ledger: Ledger
    clock: Clock
    identifiers: Identifiers
    last_uses: LastUses
    issuer: str
    signing: InARow = field(default_factory=InARow, init=False)

    async def issue(self, parameters: Parameters, caller: Caller) -> IssuedToken:
        """Serve one request. Raises `Refusal`, with its `decision_id` once the client is known."""
        credentials = required_credentials(caller)
        return await by_current_state(
            self.state, lambda epoch: self._issue(credentials, parameters, caller, epoch)
        )

    async def _issue(
        self,
        credentials: Credentials | AssertedCredentials,
        parameters: Parameters,
        caller: Caller,
        epoch: int,
    ) -> IssuedToken:
        now = self.clock.now()
        # 1 authenticate; before that nobody is told what is wrong with the rest
        known = await self.authentication.require(credentials, caller)
        request = ClientRequest(known, read_wanted(parameters), caller)
        decision_id = self.identifiers.new(now)
        # 2 decide
        permit = await self._decide(request, decision_id, now, epoch)
        if (waiting := self.limits.ask_client(request.caller, permit.sub, now)) is not None:
            await waiting
        # 3 find the key
        key = self.signing_keys.signing_key(permit.service.signing_alg, now)
        token_id = self.identifiers.new(now)
        # 4 commit the record, and the one use of an assertion, before a token exists
        issued = self._event(
            request,
            id=decision_id,
            time=now,
            type="token.issued",
            outcome="success",
            sub=permit.sub,
            audience=permit.service.audience,
            scopes=permit.scopes,
            ttl=permit.ttl,
            token_id=token_id,
        )
        await self._commit(request, issued, epoch)
        self.last_uses.note(permit.service_account.client_id, known.secret_id, now)
        # 5 sign and 6 answer
        return await self._sign(permit, token_id, key, issued)

    async def _decide(
        self, request: ClientRequest, decision_id: str, now: float, epoch: int
    ) -> Permit:
        known = request.client
        policies = self.policies.current()
        decision = client.decide(
            known.account, request.wanted, policies.policy_set, policies.blocks, now
        )
        if isinstance(decision, Permit):
            return decision
        await self.limits.failed_account(request.caller, known.account.client_id, now)
        refused = self._refused(request, decision_id, now, decision.reason, decision.block)
        await commit(self.ledger, Entry(refused, epoch=epoch))
        refusal = DecisionRefused(
            decision.reason, client.describe(decision, request.wanted, known.account)
        )
        refusal.decision_id = decision_id
        raise refusal

    async def _commit(self, request: ClientRequest, issued: AuditEvent, epoch: int) -> None:
        assertion = request.client.assertion
        if assertion is None:
            await commit(self.ledger, Entry(issued, epoch=epoch))
            return
        spent = self._refused(request, issued.id, issued.time, Reason.TOKEN_ALREADY_USED)
        entry = Entry(issued, _spend(assertion), lambda: spent, epoch)
        if isinstance(await commit(self.ledger, entry), AlreadySpent):
            refusal = DecisionRefused(
                Reason.TOKEN_ALREADY_USED, "this client assertion was used before; sign a new one"
            )
            refusal.decision_id = issued.id
            raise refusal

    def _refused(
        self,
        request: ClientRequest,
        decision_id: str,
        now: float,
        reason: Reason,
        target: str | None = None,
    ) -> AuditEvent:
        return self._event(
            request,
            id=decision_id,
            time=now,
            type="token.refused",
            outcome="refused",
            reason=reason,
            target=target,
        )

    def _event(
        self,
        request: ClientRequest,
        *,
        time: float,
        **members: Any,  # noqa: ANN401 - of the event
    ) -> AuditEvent:
        return AuditEvent(
            time=time,
            request_id=request.caller.request_id,
            client_address=request.caller.client_address,
            service_account=request.client.account.client_id,
            requested=requested(request.wanted),
            policy_set=self.policies.current().policy_set.version,
            duration_ms=round(max(self.clock.now() - time, 0.0) * 1000, 3),
            actor=request.client.credential,
            **members,
        )

    async def _sign(
        self, permit: Permit, token_id: str, key: SigningKey, event: AuditEvent
    ) -> IssuedToken:
        members = access_token.claims_for(
            permit, issuer=self.issuer, now=event.time, token_id=token_id
        )
        text = access_token.unsigned(members, key, permit.service.token_typ)
        signature = await self.signing.do(partial(key.sign, text))
        return IssuedToken(
            access_token=access_token.signed(text, signature),
            expires_in=permit.ttl,
            scope=" ".join(permit.scopes) or None,
            service_account=permit.service_account.client_id,
            token_id=token_id,
            decision_id=event.id,
        )


def _spend(assertion: ClientAssertion) -> Spend:
    """Name the one use of an assertion: of this client, whichever of its keys signed it."""
    # No issuer of CI tokens is named so.
    named = f"client assertion\0{assertion.client_id}\0{assertion.token_id}"
    key = hashlib.sha256(named.encode()).digest()
    return Spend(key, assertion.remembered_until, assertion.issued_at)
