"""Where settings come from: `broker.yaml` and `BROKER_…` variables, each value with its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from broker.core.errors import ConfigurationError, Problem
from broker.settings.keys import KEYS, LIMITED, MASTER_KEY
from broker.settings.kinds import Fault, Key, escaped, kind_of
from broker.settings.unknown import CLIENT_VARIABLES, unknown_key, unknown_variable
from broker.yaml_document import MAX_BYTES, Document, Tree, read
from broker.yaml_document import Path as TreePath

KeyPath = tuple[str, ...]

_PREFIX: Final = "BROKER_"
_BY_PATH: Final[dict[KeyPath, Key[Any]]] = {key.path: key for key in KEYS if key is not MASTER_KEY}
_BY_VARIABLE: Final[dict[str, Key[Any]]] = {key.variable: key for key in KEYS}
_GROUPS: Final = frozenset(key.path[0] for key in KEYS if len(key.path) > 1)
# `off` is a word for false to many YAML readers; here it is the only way to say it.
_TEXT_KEYS: Final = ("rate_limits", *LIMITED)


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave, and where: relative paths in it start at `base`.

    Without a document it is the text of a variable or an option.
    """

    value: Tree
    base: Path
    source: str
    """The file's name, the variable's or the option's."""

    document: Document | None = None
    path: KeyPath = ()

    def problem(self, fault: Fault) -> Problem:
        """Describe a fault of the value, or of a part of it."""
        if self.document is None:
            return Problem(self.source, 0, 0, fault.message)
        place: TreePath = (*self.path, *fault.within)
        message = f"{'.'.join(self.path)}: {fault.message}"
        return self.document.problem(place, message, at_key=fault.at_key)

    def place_of_key(self, *spellings: str) -> tuple[str, int, int]:
        """Give file, line and column of a key in the value, however spelled; line 0 if no file."""
        if self.document is None:
            return self.source, 0, 0
        written = self.value if isinstance(self.value, dict) else {}
        key = next((each for each in spellings if each in written), "")
        return self.document.file, *self.document.key_place((*self.path, key))


def read_document(path: Path, name: str, *, required: bool) -> Document | None:
    """Read a configuration file; None when it is absent and need not be there.

    Raises `ConfigurationError` with every problem of the YAML in it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        # A link that leads nowhere was meant to be a file.
        if not required and not path.is_symlink():
            return None
        fault = "no such file; create it, or name another with --config"
        raise ConfigurationError([Problem(name, 0, 0, fault)]) from None
    except OSError as error:
        fault = f"cannot be read: {error.strerror or error}; mend its rights, or name another file"
        raise ConfigurationError([Problem(name, 0, 0, fault)]) from None
    return read(content, name, text_keys=_TEXT_KEYS)


def from_document(document: Document, base: Path, problems: list[Problem]) -> dict[KeyPath, Given]:
    """List what a file gives; unknown keys are added to `problems`."""
    given: dict[KeyPath, Given] = {}

    def take(path: KeyPath, value: Tree) -> None:
        if path in _BY_PATH:
            given[path] = Given(value, base, document.file, document, path)
        else:
            problems.append(document.problem(path, unknown_key(path), at_key=True))

    for name, value in document.value.items():
        if name not in _GROUPS:
            take((name,), value)
        elif isinstance(value, dict):
            for member, inner in value.items():
                take((name, member), inner)
        elif (name,) in _BY_PATH:
            take((name,), value)
        else:
            members = ", ".join(path[1] for path in _BY_PATH if path[0] == name and path[1:])
            fault = f"{name}: {kind_of(value)} where a mapping belongs, of {members}"
            problems.append(document.problem((name,), fault))
    return given


def from_environment(
    environment: Mapping[str, str], base: Path, problems: list[Problem]
) -> dict[KeyPath, Given]:
    """List what the `BROKER_` variables give, as text; unknown ones are added to `problems`."""
    given: dict[KeyPath, Given] = {}
    for name in sorted(environment):
        if not name.startswith(_PREFIX) or name in CLIENT_VARIABLES:
            continue
        key = _BY_VARIABLE.get(name)
        source = escaped(name)
        if key is None:
            problems.append(Problem(source, 0, 0, unknown_variable(name)))
        else:
            given[key.path] = Given(environment[name], base, source)
    return given
