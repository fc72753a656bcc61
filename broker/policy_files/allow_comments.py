"""Comments that accept findings: `# allow: CODE reason` (contract §2, `policies check`).

One stands on the line that the finding names, or on the first line of the policy, account, service
or issuer that it is about. A comment can hold several of them, each behind a `#`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from broker.core.policy_lint import ALLOW_UNUSED, ALLOW_WITHOUT_REASON, LINTS, Lint
from broker.policy_files.sentences import did_you_mean
from broker.yaml_document import Document, comments_with

_WORD: Final = "allow:"
_BEGIN: Final = re.compile(r"# *allow:(?= |\Z)")


@dataclass(frozen=True, slots=True)
class AllowComment:
    """One acceptance: where it stands, of which lint's finding, and why."""

    file: str
    line: int
    column: int
    code: str
    reason: str


def allow_comments(document: Document) -> Iterator[AllowComment]:
    """Yield the acceptances in a file, in the order of lines and columns."""
    for comment in comments_with(document, _WORD):
        begins = list(_BEGIN.finditer(comment.text))
        ends = [each.start() for each in begins[1:]]
        for begin, end in zip(begins, [*ends, None], strict=False):
            code, _, reason = comment.text[begin.end() : end].strip().partition(" ")
            column = comment.column + begin.start()
            yield AllowComment(document.file, comment.line, column, code, reason.strip())


def fault_of(comment: AllowComment, *, used: bool) -> tuple[Lint, str] | None:
    """Say what is wrong with an acceptance, None when nothing is."""
    if not used:
        if not comment.code:
            text = "this accepts nothing; name a lint and say why, `# allow: CODE REASON`"
        elif comment.code in LINTS:
            text = f"there is no finding `{comment.code}` here to accept; delete the comment"
        else:
            known = did_you_mean(comment.code, LINTS)
            text = f"there is no lint `{comment.code}`{known}"
        return ALLOW_UNUSED, text
    if not comment.reason:
        return ALLOW_WITHOUT_REASON, (
            "whoever reads this next cannot tell whether it is still right; say why,"
            f" `# allow: {comment.code} REASON`"
        )
    return None
