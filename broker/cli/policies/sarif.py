"""The outcome of a check as a SARIF 2.1.0 log, for code scanning."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

from broker import __version__
from broker.cli.policies.checked import LOAD, LOAD_TITLE, Checked, Level, Told
from broker.core.policy_lint import LINTS

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS: Final[dict[Level, str]] = {"error": "error", "warning": "warning", "info": "note"}


def sarif_log(checked: Checked) -> dict[str, object]:
    """Make a log of one run; accepted findings are in it as suppressed results."""
    driver = {"name": "broker policies check", "version": __version__, "rules": _rules()}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(told) for told in (*checked.findings, *checked.accepted)],
            }
        ],
    }


def _rules() -> list[dict[str, object]]:
    lints = [
        _rule(lint.code, lint.title, lint.severity.value, f"See {lint.page}.")
        for lint in LINTS.values()
    ]
    return [*lints, _rule(LOAD, LOAD_TITLE, "error", "The message says how to mend the file.")]


def _rule(code: str, title: str, level: Level, text: str) -> dict[str, object]:
    return {
        "id": code,
        "shortDescription": {"text": title},
        "help": {"text": text},
        "defaultConfiguration": {"level": _LEVELS[level]},
    }


def _result(told: Told) -> dict[str, object]:
    location: dict[str, object] = {"artifactLocation": {"uri": _uri(told.file)}}
    if told.line:
        location["region"] = {"startLine": told.line, "startColumn": told.column}
    result: dict[str, object] = {
        "ruleId": told.code,
        "level": _LEVELS[told.level],
        "message": {"text": told.message},
        "locations": [{"physicalLocation": location}],
    }
    if told.reason is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": told.reason}]
    return result


def _uri(file: str) -> str:
    """Name a file relative to the working directory, or by its full path as it was given."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
