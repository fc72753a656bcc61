"""How the record of an exchange ends."""

from broker.core.decision import DecisionRequest
from broker.core.errors import Reason, SubjectTokenRefused, Unavailable
from broker.core.recorded_claims import RecordedObject
from broker.grants import decision_record
from broker.grants.decision_record import BegunRecord
from broker.grants.request import Caller, ExchangeRequest
from tests.core.builders import an_issuer

BEGUN = BegunRecord(
    id="d-1",
    time=1_795_300_000,
    request=ExchangeRequest("a.b.c", DecisionRequest(), Caller("request-1")),
    issuer=an_issuer("github"),
    subject=None,
    claims=RecordedObject("{}"),
    subject_token_id=None,
    policy_set="0" * 64,
)


def test_a_refusal_ends_it_with_its_reason_and_milliseconds() -> None:
    refusal = SubjectTokenRefused(Reason.AUDIENCE_MISMATCH, "not for us")

    event = decision_record.refused(BEGUN, refusal, 0.0123456)

    assert (event.outcome, event.reason) == ("refused", "audience_mismatch")
    assert event.duration_ms == 12.346


def test_being_unable_to_decide_ends_it_as_an_error() -> None:
    refusal = Unavailable(Reason.STORE_UNAVAILABLE, "the store is away")

    event = decision_record.refused(BEGUN, refusal, 0.0)

    assert (event.outcome, event.reason) == ("error", "store_unavailable")
