"""Why a change of accounts or secrets is refused: a code of the API, a sentence, and the field."""

from enum import StrEnum

from broker.core.errors import BrokerError


class Code(StrEnum):
    """The `code` of a problem (contract §5)."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    ACCOUNT_LIMIT = "ACCOUNT_LIMIT"


class ChangeRefused(BrokerError):
    """Nothing is changed; `field` is the member at fault, with dots, where there is one."""

    def __init__(self, code: Code, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence if field is None else f"{field}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.field = field


def invalid(field: str, sentence: str) -> ChangeRefused:
    """Refuse a member for what it says."""
    return ChangeRefused(Code.INVALID_REQUEST, sentence, field)


def beyond(field: str | None, sentence: str) -> ChangeRefused:
    """Refuse what is more than the caller may do."""
    return ChangeRefused(Code.INSUFFICIENT_PERMISSIONS, sentence, field)


def conflict(sentence: str, field: str | None = None) -> ChangeRefused:
    """Refuse what the state of the account does not allow."""
    return ChangeRefused(Code.CONFLICT, sentence, field)


def not_found(sentence: str) -> ChangeRefused:
    """Refuse what is about something that does not exist, as far as the caller may know."""
    return ChangeRefused(Code.NOT_FOUND, sentence)
