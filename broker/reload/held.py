"""The reference to the policy set in force."""

from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet

_NOTHING = IndexedPolicies.of(PolicySet({}, {}, {}, {}))


class HeldPolicies:
    """The policy set in force, as the grants ask for it; implements the port `PolicySource`.

    Each request takes the reference once, so that it is decided by one set whole.
    """

    __slots__ = ("_held",)

    def __init__(self, held: IndexedPolicies = _NOTHING) -> None:
        """Without a set nothing is trusted and everything is refused."""
        self._held = held

    def current(self) -> IndexedPolicies:
        """Give the set that decides from now on."""
        return self._held

    def replace(self, policies: IndexedPolicies) -> None:
        """Let another set decide from now on."""
        self._held = policies
