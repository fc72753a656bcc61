"""`/api/v1/policies/simulate`: what changed policy files would have made of what was decided."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from starlette.requests import Request

from broker.core.instants import InstantRefused, parse_instant
from broker.core.json_text import JsonRefused, loads_object
from broker.http.answers import Answer, json_answer, problem_answer
from broker.http.api.bearer import ApiCaller
from broker.http.api.body import NO_STORE, invalid_request, read_document
from broker.ports import CandidateRefused, Clock, PolicySimulation, Rejected

MAX_BYTES: Final = 1 << 20
"""Of the body (attacks row 35)."""

_MEMBERS: Final = ("files", "since", "until")


@dataclass(frozen=True, slots=True)
class SimulationApi:
    """What the endpoint answers."""

    simulation: PolicySimulation
    clock: Clock

    async def simulate(self, request: Request, caller: ApiCaller) -> Answer:
        """Try files in the place of those in force. Raises `ApiRefused` and `Unavailable`."""
        members = await _members(request)
        files = _files(members.get("files", {}))
        since, until = (self._instant(name, members) for name in ("since", "until"))
        if since is not None and until is not None and since >= until:
            raise invalid_request("'until' must be after 'since'", field="until")
        try:
            found = await self.simulation.simulate(
                files, since=since, until=until, actor=caller.sub
            )
        except CandidateRefused as refused:
            raise invalid_request(str(refused), field="files") from None
        if isinstance(found, Rejected):
            problems = [asdict(each) for each in found.problems]
            more = {"version": found.version, "count": found.count, "problems": problems}
            detail = "nothing was simulated: the policy files would not load"
            return problem_answer(409, "CONFLICT", detail, NO_STORE, more)
        return json_answer(200, {**found.report.as_json(), "complete": found.complete}, NO_STORE)

    def _instant(self, name: str, members: dict[str, Any]) -> float | None:
        text = members.get(name)
        if text is None:
            return None
        if not isinstance(text, str):
            raise invalid_request(f"'{name}' must be a text", field=name)
        try:
            return parse_instant(text, self.clock.now())
        except InstantRefused as error:
            raise invalid_request(f"'{name}': {error}", field=name) from None


async def _members(request: Request) -> dict[str, Any]:
    body = await read_document(request, ("application/json",), MAX_BYTES)
    try:
        members = loads_object(body) if body else {}
    except JsonRefused as error:
        raise invalid_request(f"the body is no JSON object: {error}") from None
    if unknown := sorted(members.keys() - set(_MEMBERS)):
        known = ", ".join(_MEMBERS)
        raise invalid_request(f"unknown member '{unknown[0][:64]}'; there are: {known}")
    return members


def _files(value: object) -> dict[str, str | None]:
    if not isinstance(value, dict) or not all(
        isinstance(text, str | None) for text in value.values()
    ):
        raise invalid_request(
            "'files' must be an object: the text by path below the policy folder, null for a file"
            " that is gone",
            field="files",
        )
    return value
