"""`/api/v1/audit-logs`: the events on record, and whether their chain is whole."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request

from broker.core.audit_chain import StoredEvent
from broker.core.instants import InstantRefused, parse_instant
from broker.http.answers import Answer, json_answer, problem_answer
from broker.http.api.bearer import ApiCaller
from broker.http.api.body import NO_STORE, invalid_request
from broker.http.api.query import (
    PAGING,
    foreign_cursor,
    next_cursor,
    read_limit,
    read_position,
    read_query,
)
from broker.ports import (
    AccountRowReading,
    AuditLog,
    AuditVerification,
    Clock,
    EventFilter,
    PolicySource,
)

FILTERS: Final = {
    "service_account_id": "account",
    "start_date": "since",
    "end_date": "until",
    "type": "type",
    "outcome": "outcome",
    "policy": "policy",
    "issuer": "issuer",
    "decision_id": "decision_id",
}
"""The parameters, and what each is to an `EventFilter`."""

OUTCOMES: Final = ("success", "refused", "error")
VERIFY_SECONDS: Final = 45.0
"""How long a verification may take; the connection would end soon after."""

_LIST: Final = "audit-logs"
_TIMES: Final = frozenset({"start_date", "end_date"})


@dataclass(frozen=True, slots=True)
class AuditLogsApi:
    """What the endpoints below `/api/v1/audit-logs` answer."""

    log: AuditLog
    verification: AuditVerification
    policies: PolicySource
    accounts: AccountRowReading
    clock: Clock
    verify_seconds: float = VERIFY_SECONDS
    _verifying: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def show(self, request: Request, caller: ApiCaller) -> Answer:
        """List events, the newest first; whoever belongs to an organization sees its accounts'."""
        parameters = read_query(request, (*FILTERS, *PAGING))
        wanted = self._wanted(parameters, await self._visible(caller))
        limit, behind = read_limit(parameters), read_position(_LIST, parameters)
        try:
            page = await self.log.event_page(wanted, behind=behind, limit=limit)
        except ValueError:
            raise foreign_cursor("it is not one that the broker gave") from None
        following = None
        if page.next_behind is not None:
            following = next_cursor(_LIST, parameters, page.next_behind)
        # A thousand events take longer to check than others should wait.
        body = await asyncio.to_thread(_body, page.events, following)
        return Answer(200, body, [(b"content-type", b"application/json"), *NO_STORE])

    async def verify(self, request: Request, _caller: ApiCaller) -> Answer:
        """Verify the whole chain, as `broker audit verify` does without a checkpoint."""
        read_query(request, ())
        if self._verifying.locked():
            return _unavailable("a verification is under way; ask again when it has ended", 10)
        async with self._verifying:
            try:
                async with asyncio.timeout(self.verify_seconds):
                    report = await self.verification.verify()
            except TimeoutError:
                return _unavailable(
                    "to verify so many events takes longer than a request may: run"
                    " `broker audit verify` beside the store",
                    3600,
                )
        members: dict[str, object] = {"ok": report.ok, "events": report.events}
        if report.first_broken is not None:
            members |= {"first_broken": report.first_broken, "fault": report.fault}
        return json_answer(200, members, NO_STORE)

    def _wanted(
        self, parameters: Mapping[str, str], visible: tuple[str, ...] | None
    ) -> EventFilter:
        """Read what is asked for. Raises `ApiRefused`."""
        if parameters.get("outcome", OUTCOMES[0]) not in OUTCOMES:
            raise invalid_request(
                f"'outcome' must be one of: {', '.join(OUTCOMES)}", field="outcome"
            )
        texts = {
            FILTERS[name]: value
            for name, value in parameters.items()
            if name in FILTERS and name not in _TIMES
        }
        since = self._instant("start_date", parameters)
        until = self._instant("end_date", parameters)
        account = texts.pop("account", None)
        wanted = EventFilter(**texts, since=since, until=until, service_accounts=visible)
        return wanted.of(account)

    async def _visible(self, caller: ApiCaller) -> tuple[str, ...] | None:
        """Name the accounts of the caller's organization; None for a caller without one."""
        if caller.organization is None:
            return None
        in_files = self.policies.current().policy_set.service_accounts.values()
        made = await self.accounts.account_ids_within(caller.organization)
        return (
            *(each.client_id for each in in_files if each.organization == caller.organization),
            *made,
        )

    def _instant(self, name: str, parameters: Mapping[str, str]) -> float | None:
        text = parameters.get(name)
        if text is None:
            return None
        try:
            return parse_instant(text, self.clock.now())
        except InstantRefused as error:
            raise invalid_request(f"'{name}': {error}", field=name) from None


def _body(events: Sequence[StoredEvent], following: str | None) -> bytes:
    end = "" if following is None else f',"next_cursor":{json.dumps(following)}'
    return f'{{"items":[{",".join(map(_item, events))}]{end}}}'.encode()


def _item(event: StoredEvent) -> str:
    """Give the line of an event; of a damaged one its number alone, and that it is."""
    try:
        line = event.line()
        json.loads(line)
    except ValueError:
        return json.dumps({"seq": event.sequence, "damaged": True})
    return line


def _unavailable(detail: str, retry_after: int) -> Answer:
    headers = [*NO_STORE, (b"retry-after", str(retry_after).encode())]
    return problem_answer(503, "UNAVAILABLE", detail, headers)
