"""The trust policy in a file, and what is said of its role where that is there."""

from collections.abc import Iterator, Mapping
from typing import Final

from broker.core.errors import ConfigurationError
from broker.policy_imports.members import mapping_in
from broker.yaml_document import Document, Path, Tree

_ROLE: Final = "Role"
_POLICY: Final = frozenset({"Version", "Id", "Statement"})


class AwsRole:
    """A trust policy alone, or in what `aws iam get-role` prints.

    Raises `ConfigurationError` where it is neither.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.path: Path = ()
        """Where the policy stands."""
        self.policy: Mapping[str, Tree] = document.value
        self.name: str | None = None
        self.max_session: int | None = None
        """How long a session may last, seconds."""
        role = document.value.get(_ROLE)
        if not isinstance(role, dict):
            return
        self.path = (_ROLE, "AssumeRolePolicyDocument")
        self.policy = mapping_in(document, self.path, role.get("AssumeRolePolicyDocument"))
        name = role.get("RoleName")
        self.name = name if isinstance(name, str) else None
        seconds = role.get("MaxSessionDuration")
        if seconds is not None:
            self.max_session = _seconds_in(document, (_ROLE, "MaxSessionDuration"), seconds)

    def unknown_members(self) -> Iterator[Path]:
        """Name what stands in the policy, or beside the role, and is not read."""
        yield from ((*self.path, member) for member in self.policy if member not in _POLICY)
        if self.path:
            yield from ((member,) for member in self._document.value if member != _ROLE)


def _seconds_in(document: Document, path: Path, value: Tree) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError([document.problem(path, "must be a number of seconds")])
    return value
