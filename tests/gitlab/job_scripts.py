"""Scripts of jobs that run in a shell alone, without a pipeline around them."""

import re
import subprocess
from collections.abc import Callable
from typing import Final

Script = Callable[..., subprocess.CompletedProcess[str]]

PROGRAMS: Final = ("curl", "sed", "tr", "cut", "mkdir", "rm")
"""What the component's page names as needed."""


def said(output: str) -> list[str]:
    """Give what the templates themselves have said, without their prefix."""
    return re.findall(r"^broker: (.*)$", output, re.MULTILINE)
