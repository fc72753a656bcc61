"""Token exchange (RFC 8693): a CI job's token in, a service token out.

`TokenExchange.exchange` is the path of one exchange, top to bottom; the jwt-bearer grant is decided
by the same steps. The order is fixed: nothing is fetched for an issuer that is not configured,
nothing is spent before everything else holds, nothing is signed before the record is durable.
"""

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from broker.core import access_token, refusal_text, subject_token
from broker.core.claims import SignedClaims, VerifiedClaims
from broker.core.decision import Deny, Permit, decide
from broker.core.errors import DecisionRefused, Reason, Refusal, RequestRefused, SubjectTokenRefused
from broker.core.explain import explain, failing_conditions_for_caller
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import recognise
from broker.core.policy import Issuer, Replay, Service
from broker.core.refusal_counts import RefusalCounts
from broker.core.signing_keys import SigningKey
from broker.core.vocabulary import TOKEN_TYPE_ACCESS_TOKEN, TOKEN_TYPE_ID_TOKEN, TOKEN_TYPE_JWT
from broker.grants import decision_record
from broker.grants.current_state import by_current_state, commit
from broker.grants.decision_record import BegunRecord
from broker.grants.in_a_row import InARow
from broker.grants.rate_limits import RateLimits
from broker.grants.request import (
    Caller,
    ExchangeRequest,
    IssuedToken,
    Parameters,
    read_wanted,
    required,
    single,
)
from broker.ports import (
    NONE,
    NOT_MEASURED,
    OTHER,
    AlreadySpent,
    Clock,
    Entry,
    Identifiers,
    IssuerKeySource,
    Ledger,
    Measurements,
    PolicySource,
    SigningKeySource,
    Spend,
    State,
)

_SUBJECT_TOKEN_TYPES: Final = (TOKEN_TYPE_JWT, TOKEN_TYPE_ID_TOKEN)
ISSUED_TOKEN_TYPES: Final = (TOKEN_TYPE_ACCESS_TOKEN, TOKEN_TYPE_JWT)


def read_request(parameters: Parameters, caller: Caller) -> ExchangeRequest:
    """Read the parameters of RFC 8693 §2.1. Raises `RequestRefused`."""
    token = required(parameters, "subject_token")
    if required(parameters, "subject_token_type") not in _SUBJECT_TOKEN_TYPES:
        raise RequestRefused(
            Reason.UNSUPPORTED_TOKEN_TYPE,
            f"'subject_token_type' must be {TOKEN_TYPE_JWT} or {TOKEN_TYPE_ID_TOKEN}",
        )
    token_type = single(parameters, "requested_token_type") or TOKEN_TYPE_ACCESS_TOKEN
    if token_type not in ISSUED_TOKEN_TYPES:
        raise RequestRefused(
            Reason.UNSUPPORTED_TOKEN_TYPE,
            f"'requested_token_type' must be {TOKEN_TYPE_ACCESS_TOKEN}, or {TOKEN_TYPE_JWT} for a"
            " service with a profile",
        )
    if single(parameters, "actor_token") or single(parameters, "actor_token_type"):
        raise RequestRefused(
            Reason.MALFORMED_REQUEST, "'actor_token' and 'actor_token_type' are not supported"
        )
    return ExchangeRequest(token, read_wanted(parameters), caller, token_type)


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """The grant and what it needs. `issuer` is the broker's own URL, `leeway` in seconds."""

    state: State
    policies: PolicySource
    issuer_keys: IssuerKeySource
    signing_keys: SigningKeySource
    ledger: Ledger
    clock: Clock
    identifiers: Identifiers
    refusal_counts: RefusalCounts
    limits: RateLimits
    issuer: str
    leeway: int
    measurements: Measurements = NOT_MEASURED
    verifying: InARow = field(default_factory=InARow, init=False)
    signing: InARow = field(default_factory=InARow, init=False)

    async def exchange(self, request: ExchangeRequest) -> IssuedToken:
        """Serve one request. Raises `Refusal`, with its `decision_id`."""
        try:
            return await by_current_state(self.state, lambda epoch: self._exchange(request, epoch))
        except Refusal as refusal:
            self._count_refused(refusal, request)
            raise

    async def _exchange(self, request: ExchangeRequest, epoch: int) -> IssuedToken:
        now = self.clock.now()
        policies = self.policies.current()
        issuer, claims, record = await self.verified(request, policies, now, epoch)
        # 6 decide by the policies
        decision = decide(claims, issuer, request.wanted, policies, now)
        if record.observed:
            decision_record.compare(record, decision, claims, policies)
        if isinstance(decision, Deny):
            raise await self._denied(decision, claims, issuer, request, policies, record, epoch)
        if not request.issues(decision):
            raise await self.of_another_type(decision, claims, issuer, request, record, epoch)
        if (waiting := self.limits.ask_client(request.caller, decision.sub, now)) is not None:
            await waiting
        signing_key = self.signing_keys.signing_key(decision.service.signing_alg, now)
        token_id = self.identifiers.new(now)
        await self._commit(claims, issuer, decision, token_id, record, epoch)
        issued = await self._sign(claims, issuer, decision, token_id, signing_key, record)
        self.measurements.exchange_ended(issuer.name, decision.service.name, None)
        if record.would is not None:
            self.measurements.observed(record.would["kind"])
        return issued

    async def verified(
        self, request: ExchangeRequest, policies: IndexedPolicies, now: float, epoch: int
    ) -> tuple[Issuer, VerifiedClaims, BegunRecord]:
        """Take steps 1 to 5: whose token it is, what it says, and the record begun for it.

        Raises `Refusal`, with its `decision_id`, and `StateChanged`; nothing is spent.
        """
        issuer, signed_claims = await self._authenticate(request, policies, now)
        record = decision_record.begun(
            self.identifiers.new(now), request, policies, issuer, signed_claims, now
        )
        # 5 verify that the token counts now and here
        try:
            claims = subject_token.verify(signed_claims, issuer, now, self.leeway)
        except SubjectTokenRefused as refusal:
            refusal.issuer = issuer.name
            await self.limits.failed_token(request.caller, issuer, signed_claims, now)
            await self._record_refused(refusal, record, epoch)
            raise
        record.observed = policies.observed(issuer, claims, now)
        return issuer, claims, record

    async def _authenticate(
        self, request: ExchangeRequest, policies: IndexedPolicies, now: float
    ) -> tuple[Issuer, SignedClaims]:
        """Find out who wrote the token; nothing it says is believed before that."""
        issuer: Issuer | None = None
        try:
            # 1 parse
            token = subject_token.parse(request.subject_token)
            # 2 trust the issuer
            issuer = subject_token.trust(token, policies.policy_set)
            # 3 find the key
            key = await self.issuer_keys.find(issuer, token.key_id)
            # 4 verify the signature
            verify = partial(subject_token.verify_signature, token, key)
            return issuer, await self.verifying.do(verify)
        except Refusal as refusal:
            refusal.issuer = issuer.name if issuer else None
            await self.limits.failed_before_signature(refusal, request.caller, now)
            address = request.caller.client_address
            refusal.decision_id = self.refusal_counts.count(refusal.reason, address, now)
            raise

    async def _record_refused(
        self, refusal: SubjectTokenRefused, record: BegunRecord, epoch: int
    ) -> None:
        refused = decision_record.refused(record, refusal, self._since(record))
        await commit(self.ledger, Entry(refused, epoch=epoch))
        refusal.decision_id = record.id

    async def _denied(
        self,
        deny: Deny,
        claims: VerifiedClaims,
        issuer: Issuer,
        request: ExchangeRequest,
        policies: IndexedPolicies,
        record: BegunRecord,
        epoch: int,
    ) -> DecisionRefused:
        """Record a decision against the token, and say what its holder may know of it."""
        await self.limits.failed_token(request.caller, issuer, claims, record.time)
        denied = decision_record.denied(record, deny, self._since(record))
        await commit(self.ledger, Entry(denied, epoch=epoch))
        if record.would is not None:
            self.measurements.observed(record.would["kind"])
        explanation = explain(claims, issuer, request.wanted, policies, record.time)
        refusal = DecisionRefused(
            deny.public_reason,
            refusal_text.describe(deny, request.wanted, claims, issuer),
            service_accounts=deny.service_accounts,
            conditions=failing_conditions_for_caller(explanation),
        )
        refusal.decision_id = record.id
        refusal.issuer, refusal.decided = issuer.name, deny.reason
        return refusal

    async def of_another_type(
        self,
        permit: Permit,
        claims: VerifiedClaims,
        issuer: Issuer,
        request: ExchangeRequest,
        record: BegunRecord,
        epoch: int,
    ) -> RequestRefused:
        """Record that a service's tokens are not of the type asked for (RFC 8693 §2.1)."""
        await self.limits.failed_token(request.caller, issuer, claims, record.time)
        refusal = RequestRefused(
            Reason.UNSUPPORTED_TOKEN_TYPE,
            f"service '{permit.service.name}' has no profile: its tokens are access tokens, so"
            f" leave 'requested_token_type' out, or send {TOKEN_TYPE_ACCESS_TOKEN}",
        )
        refused = decision_record.refused(record, refusal, self._since(record))
        await commit(self.ledger, Entry(refused, epoch=epoch))
        refusal.decision_id = record.id
        refusal.issuer = issuer.name
        return refusal

    async def _commit(
        self,
        claims: VerifiedClaims,
        issuer: Issuer,
        permit: Permit,
        token_id: str,
        record: BegunRecord,
        epoch: int,
    ) -> None:
        """7 commit the one-time use and the record together, before a token exists."""
        duration = self._since(record)
        event = decision_record.granted(record, permit, token_id, duration)
        if issuer.replay is Replay.REUSABLE:
            entry = Entry(event, epoch=epoch)
        else:
            spend = _spend(claims, issuer, permit.service)
            entry = Entry(event, spend, lambda: decision_record.spent(record, duration), epoch)
        if isinstance(await commit(self.ledger, entry), AlreadySpent):
            refusal = SubjectTokenRefused(
                Reason.TOKEN_ALREADY_USED,
                f"this token was exchanged before; issuer '{issuer.name}' allows"
                f" {issuer.replay.replace('_', ' ')}: fetch a new token for every exchange",
            )
            refusal.decision_id = record.id
            refusal.issuer = issuer.name
            raise refusal

    async def _sign(
        self,
        claims: VerifiedClaims,
        issuer: Issuer,
        permit: Permit,
        token_id: str,
        key: SigningKey,
        record: BegunRecord,
    ) -> IssuedToken:
        """8 sign and 9 answer."""
        members = access_token.claims_for(
            permit,
            issuer=self.issuer,
            now=record.time,
            token_id=token_id,
            subject=claims,
            workload=recognise(claims, issuer.platform),
        )
        text = access_token.unsigned(members, key, permit.service.token_typ)
        signature = await self.signing.do(partial(key.sign, text))
        return IssuedToken(
            access_token=access_token.signed(text, signature),
            expires_in=permit.ttl,
            scope=" ".join(permit.scopes) or None,
            service_account=permit.service_account.client_id,
            token_id=token_id,
            decision_id=record.id,
            token_type=record.request.token_type,
        )

    def _count_refused(self, refusal: Refusal, request: ExchangeRequest) -> None:
        """Count a refusal; what the caller wrote is counted by the names that are configured."""
        targets, policies = request.wanted.targets, self.policies.current().policy_set
        found = [policies.service(target) for target in targets]
        names = {OTHER if service is None else service.name for service in found}
        service = NONE if not names else names.pop() if len(names) == 1 else OTHER
        reason = refusal.decided or refusal.reason
        self.measurements.exchange_ended(refusal.issuer or NONE, service, reason)

    def _since(self, record: BegunRecord) -> float:
        return max(self.clock.now() - record.time, 0.0)


def _spend(claims: VerifiedClaims, issuer: Issuer, service: Service) -> Spend:
    """Name the one-time use: issuer and `jti`, and the service where it counts per audience.

    Never the token's text, which is malleable (attacks row 14), nor the service's spelling (150).
    """
    parts = [issuer.url, str(claims["jti"])]
    if issuer.replay is Replay.PER_AUDIENCE:
        parts.append(service.name)
    key = hashlib.sha256("\0".join(parts).encode()).digest()
    return Spend(key, subject_token.replay_expiry(claims), int(claims["iat"]))
