"""Values as literals of other languages, so that none of them ends its quotes.

All values are printable ASCII: the policy files and the configuration allow nothing else for what
comes in here, and quoting refuses it.
"""

import json
import shlex

from broker.core.claims import is_printable_ascii


def quoted(text: str) -> str:
    r"""Quote for JSON, and for all that reads `\"` and `\\` alike.

    These are JavaScript, Python, Go, Java, YAML and CEL. Raises `ValueError` for what is not
    printable ASCII.
    """
    if not is_printable_ascii(text):
        raise ValueError("not printable ASCII")
    return json.dumps(text)


def hcl_quoted(text: str) -> str:
    """Quote for HCL, where `${` and `%{` would begin a template. Raises `ValueError` likewise."""
    return quoted(text).replace("${", r"\u0024{").replace("%{", r"\u0025{")


def shell_quoted(text: str) -> str:
    """Quote for a POSIX shell. Raises `ValueError` likewise."""
    if not is_printable_ascii(text):
        raise ValueError("not printable ASCII")
    return shlex.quote(text)
