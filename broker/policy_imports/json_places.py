"""Where everything stands in a JSON text, so that a fault can be told with its line."""

import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.yaml_document import Path, Place

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True, slots=True)
class JsonPlaces:
    """Line and column of every value and key; implements `Places`."""

    values: Mapping[Path, Place]
    keys: Mapping[Path, Place]

    def place(self, path: Path) -> Place:
        """Give line and column of the value at a path; of the nearest one above if it is absent."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def key_place(self, path: Path) -> Place:
        """Give line and column of the key that ends a path; otherwise like `place`."""
        return self.keys.get(path) or self.place(path)


@dataclass(slots=True)
class _Open:
    """An object or list whose end has not come yet, and which member is being read."""

    mapping: bool
    step: str | int


def json_places(text: str) -> JsonPlaces:
    """Find the places in a text that is known to be JSON."""
    line_starts = [0, *(found.end() for found in re.finditer(r"\n", text))]
    values: dict[Path, Place] = {}
    keys: dict[Path, Place] = {}
    stack: list[_Open] = []
    key_comes = False
    for found in _TOKEN.finditer(text):
        token = found.group()
        line = bisect_right(line_starts, found.start())
        place = (line, found.start() - line_starts[line - 1] + 1)
        if token in "}]":
            stack.pop()
        elif token == ",":
            key_comes = stack[-1].mapping
            if not key_comes:
                stack[-1].step = int(stack[-1].step) + 1
        elif token == ":":
            key_comes = False
        elif key_comes and token.startswith('"'):
            stack[-1].step = json.loads(token)
            keys[tuple(each.step for each in stack)] = place
        else:
            values[tuple(each.step for each in stack)] = place
            if token in "{[":
                key_comes = token == "{"
                stack.append(_Open(key_comes, "" if key_comes else 0))
    return JsonPlaces(values, keys)
