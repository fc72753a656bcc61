"""Reading a Dockerfile: its instructions, stage by stage."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Stage:
    """What stands between one FROM and the next: each instruction with what follows it."""

    base: str
    name: str | None
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for each, rest in self.instructions if each == instruction]

    def only(self, instruction: str) -> str:
        [rest] = self.all(instruction)
        return rest

    def exec_form(self, instruction: str) -> list[str]:
        words: list[str] = json.loads(self.only(instruction))
        return words

    def variables(self, instruction: str) -> dict[str, str]:
        """Give the pairs of ENV or LABEL."""
        words = [word for rest in self.all(instruction) for word in shlex.split(rest)]
        return dict(word.split("=", 1) for word in words)

    def copies(self) -> list[tuple[list[str], str]]:
        """Give what is copied from the context, and where to."""
        found = [rest.split() for rest in self.all("COPY") if not rest.startswith("--from=")]
        return [(words[:-1], words[-1]) for words in found]


def read() -> tuple[dict[str, str], list[Stage]]:
    """Give the arguments before the first stage, and the stages."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(None, lines):
        instruction, rest = line.split(maxsplit=1)
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name or None))
        elif stages:
            stages[-1].instructions.append((instruction, rest))
        else:
            assert instruction == "ARG"
            name, _, value = rest.partition("=")
            arguments[name] = value
    return arguments, stages
