"""How the record of an exchange ends."""

from broker.core.audit import AuditEvent
from broker.core.errors import Reason, SubjectTokenRefused, Unavailable
from broker.grants import decision_record

BEGUN = AuditEvent(id="d-1", time=1_795_300_000, type="token.refused", outcome="refused")


def test_a_refusal_ends_it_with_its_reason_and_milliseconds() -> None:
    refusal = SubjectTokenRefused(Reason.AUDIENCE_MISMATCH, "not for us")

    event = decision_record.refused(BEGUN, refusal, 0.0123456)

    assert (event.outcome, event.reason) == ("refused", "audience_mismatch")
    assert event.duration_ms == 12.346


def test_being_unable_to_decide_ends_it_as_an_error() -> None:
    refusal = Unavailable(Reason.STORE_UNAVAILABLE, "the store is away")

    event = decision_record.refused(BEGUN, refusal, 0.0)

    assert (event.outcome, event.reason) == ("error", "store_unavailable")
