"""The accounts of the policy files in the order of their ids, for lists."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice

from broker.core.policy import PolicySet, ServiceAccount


class FileAccounts:
    """Sorts the ids of a policy set once, for as long as it is in force."""

    def __init__(self) -> None:
        self._policy_set: PolicySet | None = None
        self._all: list[str] = []
        self._of_organization: dict[str | None, list[str]] = {}

    def page(
        self, policy_set: PolicySet, organization: str | None, after: str, limit: int
    ) -> list[ServiceAccount]:
        """Give up to `limit` accounts behind an id; those of one organization only, if given."""
        ids = self._ids(policy_set, organization)
        accounts = policy_set.service_accounts
        return [accounts[each] for each in islice(_behind(ids, after), limit)]

    def _ids(self, policy_set: PolicySet, organization: str | None) -> Sequence[str]:
        if self._policy_set is not policy_set:
            self._all = sorted(policy_set.service_accounts)
            self._of_organization = {}
            for each in self._all:
                owner = policy_set.service_accounts[each].organization
                self._of_organization.setdefault(owner, []).append(each)
            self._policy_set = policy_set
        return self._all if organization is None else self._of_organization.get(organization, [])


def _behind(ids: Sequence[str], after: str) -> Iterator[str]:
    return (ids[place] for place in range(bisect_right(ids, after), len(ids)))
