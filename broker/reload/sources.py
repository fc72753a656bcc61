"""What a policy set is made of: the texts, the files that they name, and the deployment.

Packed, they are what is kept of a set that ran: enough to make the very same set again.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from broker.core.delegation import Delegation


@dataclass(frozen=True, slots=True)
class DeploymentParameters:
    """The broker's own configuration as far as policies depend on it; durations in seconds."""

    broker_issuer: str
    ttl: int
    max_ttl: int
    signing_algorithms: tuple[str, ...]
    loopback: bool
    """Whether the broker is reached on loopback only."""

    dev_issuers: Mapping[str, str] | None = None
    """URLs of the dev platform by name; None without `--dev`, and `dev/` is not read then."""

    folders: tuple[Delegation, ...] = ()
    """The delegated folders of the policy folder."""

    def as_json(self) -> dict[str, Any]:
        """Give plain members that `from_json` reads back."""
        places = [list(each.place) for each in self.folders]
        folders = [each.as_json() for each in self.folders]
        members = {each.name: getattr(self, each.name) for each in fields(self)}
        return members | {"folders": folders, "places": places}

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "DeploymentParameters":
        """Read what `as_json` gave."""
        rest = {name: value for name, value in members.items() if name != "places"}
        rest["signing_algorithms"] = tuple(members["signing_algorithms"])
        rest["folders"] = tuple(
            replace(Delegation.from_json(each), place=(file, line, column))
            for each, (file, line, column) in zip(
                members["folders"], members["places"], strict=True
            )
        )
        return cls(**rest)


@dataclass(frozen=True, slots=True)
class PolicySources:
    """Everything that one policy set was made of."""

    folder: str
    """The policy folder, as it stands at the beginning of every path."""

    texts: Mapping[str, bytes]
    """The policy files by path, in UTF-8."""

    attachments: Mapping[tuple[str, str], bytes]
    """By policy file and path as written there: the content of every file that it names."""

    parameters: DeploymentParameters

    def pack(self) -> bytes:
        """Write all of it into one compressed text. Raises `UnicodeDecodeError`."""
        members = {
            "folder": self.folder,
            "texts": {file: text.decode() for file, text in self.texts.items()},
            # Every byte is one character of Latin-1.
            "attachments": [
                [file, name, content.decode("latin-1")]
                for (file, name), content in self.attachments.items()
            ],
            "parameters": self.parameters.as_json(),
        }
        return zlib.compress(json.dumps(members, separators=(",", ":"), sort_keys=True).encode())

    @classmethod
    def unpack(cls, packed: bytes) -> "PolicySources":
        """Read what `pack` wrote; it must be authentic (`broker.reload.seal`)."""
        members = json.loads(zlib.decompress(packed))
        return cls(
            members["folder"],
            {file: text.encode() for file, text in members["texts"].items()},
            {
                (file, name): content.encode("latin-1")
                for file, name, content in members["attachments"]
            },
            DeploymentParameters.from_json(members["parameters"]),
        )
