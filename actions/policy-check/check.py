"""Runs `broker policies check` and `test` on a folder, and tells GitHub what they find.

What the files hold may be a stranger's: it is printed as the escaped data of a command, or as HTML.
"""

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from broker.cli.policies.check_output import annotation
from broker.cli.policies.checked import Told
from broker.core.printable import printable

# -I: no variable of the job may lead to what is checked out.
BROKER = (sys.executable, "-I", "-m", "broker")
SHOWN = 50
"""How many findings stand in the summary."""


def main(env: Mapping[str, str]) -> int:
    """Check, tell, and give the exit status: 1 where a finding is an error or a test fails."""
    path = env.get("POLICY_CHECK_PATH", "").strip() or "policies"
    config = env.get("POLICY_CHECK_CONFIG", "").strip()
    wanted = env.get("POLICY_CHECK_SUMMARY", "").strip() or "on-error"
    if wanted not in ("on-error", "never", "always"):
        return _misused("The input 'summary' must be one of on-error, never, always.")
    named = [f"--config={config}"] if config else []

    checked = _run("check", "--json", *named, "--", path)
    if checked is None:
        return _misused("The policies could not be checked: see the lines above.")
    findings = [Told(**finding) for finding in checked["findings"]]
    tests = _run("test", "--json", *named, "--", path) if checked["loads"] else {"tests": []}
    if tests is None:
        return _misused("The tests in the policies could not be run: see the lines above.")
    failed = [_failed(test) for test in tests["tests"] if not test["holds"]]
    for told in (*findings, *failed):
        print(annotation(told))

    levels = [told.level for told in findings]
    counts = {
        "errors": levels.count("error"),
        "warnings": levels.count("warning"),
        "tests": len(tests["tests"]),
        "failed-tests": len(failed),
    }
    _append(env.get("GITHUB_OUTPUT"), "".join(f"{name}={n}\n" for name, n in counts.items()))
    sentence = _sentence(counts, policies=checked["policies"], loads=checked["loads"])
    print(sentence)
    bad = bool(counts["errors"] or counts["failed-tests"] or not checked["loads"])
    if wanted == "always" or (wanted == "on-error" and bad):
        _append(env.get("GITHUB_STEP_SUMMARY"), _summary(sentence, [*findings, *failed]))
    return 1 if bad else 0


def _run(command: str, *arguments: str) -> dict[str, Any] | None:
    """Run a command of `broker policies`; None when it printed no JSON, but said why."""
    done = subprocess.run(
        [*BROKER, "policies", command, *arguments], capture_output=True, text=True, check=False
    )
    try:
        printed: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        for line in done.stderr.splitlines():
            # Behind a bar nothing is the beginning of a command; the other form needs `##[`.
            print("|", re.sub(r"##+\[", "#[", printable(line)))
        return None
    return printed


def _failed(test: Mapping[str, Any]) -> Told:
    file, line = test["place"].rsplit(":", 1)
    message = f"The test '{printable(test['name'])}' failed: {test['fault']}"
    return Told(file, int(line), 1, "error", "test", message, "A test failed")


def _misused(message: str) -> int:
    print(f"::error title=The policy check did not run::{message}")
    return 2


def _sentence(counts: Mapping[str, int], *, policies: int, loads: bool) -> str:
    if not loads:
        return f"The files do not load: {counts['errors']} problem(s)."
    return (
        f"{policies} policies: {counts['errors']} error(s), {counts['warnings']} warning(s);"
        f" {counts['failed-tests']} of {counts['tests']} test(s) failed."
    )


def _summary(sentence: str, findings: Sequence[Told]) -> str:
    lines = [html.escape(str(told)) for told in findings[:SHOWN]]
    if len(findings) > SHOWN:
        lines.append(f"… and {len(findings) - SHOWN} more")
    listed = "<pre>{}</pre>\n\n".format("\n".join(lines)) if lines else ""
    return f"\n<h3>Check of trust policies</h3>\n\n{sentence}\n\n{listed}"


def _append(file: str | None, text: str) -> None:
    if file:
        with Path(file).open("a", encoding="utf-8") as opened:
            opened.write(text)


if __name__ == "__main__":
    sys.exit(main(os.environ))
