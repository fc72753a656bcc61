"""What observed policies would have made of a decision, in one sentence."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from broker.core.audit_text import event_words
from broker.core.condition_text import shown
from broker.core.durations import duration_text
from broker.core.observation import Would

_NAMED: Final = 5


def observation_text(observed: Sequence[object], would: Mapping[str, Any] | None) -> str:
    """Say it of the members `observed` and `would` of an event.

    Everything in it is printable, whatever the members hold.
    """
    if would is None:
        return f"{_names(observed)} held, and had no say"
    deciding = would.get("policies")
    named = [each for each in observed if isinstance(deciding, list) and each in deciding]
    who = named or list(observed)
    enforced = f"{_names(who)}, were {'it' if len(who) == 1 else 'they'} enforced"
    match would.get("kind"):
        case Would.PERMIT:
            return f"it would be permitted by {enforced}: {_granted(would)}"
        case Would.DENY:
            return f"it would be refused by {enforced}: {shown(would.get('reason'))}"
        case Would.CHANGE:
            return f"it would be changed by {enforced}: {_granted(would)}"
        case _:
            return f"it would be the same with {enforced}"


def _granted(would: Mapping[str, Any]) -> str:
    ttl = would.get("ttl")
    life = duration_text(ttl) if isinstance(ttl, int) else shown(ttl)
    scopes = event_words(would.get("scopes")) or "no scopes"
    # Not the `sub`: of an instance it may name a person, and messages for chats say this as well.
    account, audience = shown(would.get("service_account")), shown(would.get("audience"))
    return f"{account} at {audience} ({scopes}, {life})"


def _names(names: Sequence[object]) -> str:
    listed = ", ".join(map(shown, names[:_NAMED]))
    more = len(names) - _NAMED
    return f"{listed} and {more} more" if more > 0 else listed
