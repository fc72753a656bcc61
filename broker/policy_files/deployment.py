"""What the policy files depend on outside of themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from broker.core.delegation import Delegation


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a policy file names: where it lies and what it holds."""

    path: str
    content: bytes


ReadAttachment = Callable[[str, str], Attachment]
"""Takes the policy file and the path as written there. Raises `OSError`."""


PositionsOf = Callable[[str], tuple[str, ...]]
"""Takes a policy file as it is named; gives every path that it has below the policy folder.

Raises `ValueError` for a file of which that is not known.
"""


def no_attachments(_file: str, path: str) -> Attachment:
    """Have no files beside the texts."""
    raise FileNotFoundError(2, "no such file", path)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The broker's own configuration as far as policies depend on it; durations in seconds."""

    broker_issuer: str
    ttl: int
    max_ttl: int
    signing_algorithms: Sequence[str]
    loopback: bool
    """Whether the broker is reached on loopback only."""

    dev_issuers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """URL by name, `dev-PRESET`; trusted in addition to the files."""

    read_attachment: ReadAttachment = no_attachments
    # Required, lest somebody who makes a set of files forgets what some of them may not hold.
    folders: Sequence[Delegation] = field(kw_only=True)
    """The delegated folders of the policy folder."""

    positions_of: PositionsOf = field(kw_only=True)
