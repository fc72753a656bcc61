"""Runs `broker policies check`, `test` and `simulate` on a folder, and tells GitHub what they find.

What the files hold may be a stranger's: it is printed as the escaped data of a command, or as HTML.
"""

import html
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    report = _simulated(env, [*named, "--", path]) if checked["loads"] else _NONE
    if report is None:
        return _misused("The policies could not be simulated: see the lines above.")
    written = {
        **counts,
        "simulation": report.outcome,
        "comment": report.file,
    }
    _append(env.get("GITHUB_OUTPUT"), "".join(f"{name}={each}\n" for name, each in written.items()))
    sentence = _sentence(counts, policies=checked["policies"], loads=checked["loads"])
    print(sentence)
    bad = bool(counts["errors"] or counts["failed-tests"] or not checked["loads"])
    if wanted == "always" or (wanted == "on-error" and bad):
        _append(env.get("GITHUB_STEP_SUMMARY"), _summary(sentence, [*findings, *failed]))
    if report.outcome:
        print(_OUTCOMES[report.outcome])
    if report.markdown and wanted != "never":
        # Asked for by its input: it is worth reading also when nothing is wrong.
        _append(env.get("GITHUB_STEP_SUMMARY"), report.markdown)
    return 1 if bad or report.outcome == "changed" else 0


@dataclass(frozen=True)
class Report:
    """What came of a simulation: one word, the Markdown, and the file that holds it."""

    outcome: str = ""
    markdown: str = ""
    file: str = ""


_NONE = Report()
_OUTCOMES = {
    "unchanged": "The simulation found nothing that fails.",
    "changed": "The simulation found changes that fail: see the summary.",
}


def _simulated(env: Mapping[str, str], arguments: Sequence[str]) -> Report | None:
    """Simulate, where that is asked for; None when it could not be done, but was said why."""
    against = env.get("POLICY_CHECK_AGAINST", "").strip()
    server = env.get("POLICY_CHECK_SERVER", "").strip()
    if not against and not server:
        return _NONE
    asked = (
        ("--against", against),
        ("--server", server),
        ("--since", env.get("POLICY_CHECK_SINCE", "").strip()),
        ("--fail-on", env.get("POLICY_CHECK_FAILON", "").strip()),
    )
    options = [f"{option}={value}" for option, value in asked if value]
    done = subprocess.run(
        [*BROKER, "policies", "simulate", "--format=markdown", *options, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1) or not done.stdout:
        _show_behind_bars(done.stderr)
        return None
    file = Path(env["RUNNER_TEMP"]) / "broker-policy-check" / "comment.md"
    file.write_text(done.stdout, encoding="utf-8")
    return Report("changed" if done.returncode else "unchanged", done.stdout, str(file))


def _show_behind_bars(text: str) -> None:
    for line in text.splitlines():
        # Behind a bar nothing is the beginning of a command; the other form is not printable.
        print("|", printable(line))


def _run(command: str, *arguments: str) -> dict[str, Any] | None:
    """Run a command of `broker policies`; None when it printed no JSON, but said why."""
    done = subprocess.run(
        [*BROKER, "policies", command, *arguments], capture_output=True, text=True, check=False
    )
    try:
        printed: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        _show_behind_bars(done.stderr)
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
