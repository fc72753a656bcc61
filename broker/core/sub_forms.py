"""What the platforms write into `sub`, taken apart for explanations only, never to decide.

GitHub's classic form is `repo:OWNER/REPO:CONTEXT`, the immutable one of 2026 carries ids,
`repo:OWNER@ID/REPO@ID:CONTEXT`; a repository may also choose a form of its own. GitLab writes
`project_path:GROUP/PROJECT:ref_type:TYPE:ref:NAME` unless the project chose otherwise.
"""

import re

_IMMUTABLE = re.compile(r"repo:([^/:@]+)@[0-9]+/([^/:@]+)@([0-9]+)(:.*)?", re.DOTALL)
_CLASSIC = re.compile(r"repo:([^/:@]+/[^/:@]+)(?::(.*))?", re.DOTALL)
_NAMED_TENANT = re.compile(
    r"(repository_id|repository_owner_id|repository_owner|project_id|project_path):([^:]+)(?::(.*))?",
    re.DOTALL,
)


def classic_form(sub: str) -> str | None:
    """Give the classic form of GitHub's immutable `sub`; None when it is not of that form."""
    parts = _IMMUTABLE.fullmatch(sub)
    if parts is None:
        return None
    owner, repository, _, context = parts.groups()
    return f"repo:{owner}/{repository}{context or ''}"


def repository_id_in(sub: str) -> str | None:
    """Give the repository's id from GitHub's immutable `sub`; None when it is not of that form."""
    parts = _IMMUTABLE.fullmatch(sub)
    return parts[3] if parts else None


def tenant_in(sub: str) -> tuple[str, str] | None:
    """Give the claim and the value that a `sub` begins with, None when it names no tenant."""
    classic = _CLASSIC.fullmatch(classic_form(sub) or sub)
    if classic:
        return "repository", classic[1]
    named = _NAMED_TENANT.fullmatch(sub)
    return (named[1], named[2]) if named else None


def context_in(sub: str) -> str:
    """Give what follows the tenant in a `sub`, the empty text when nothing does."""
    parts = _CLASSIC.fullmatch(classic_form(sub) or sub)
    if parts:
        return parts[2] or ""
    named = _NAMED_TENANT.fullmatch(sub)
    return named[3] or "" if named else ""


def immutable_form(sub: str, owner_id: str, repository_id: str) -> str | None:
    """Give GitHub's immutable form of a `sub`; None when it does not begin with a classic tenant.

    Of a customised one, too: whatever a repository chooses, `repo:` comes with ids (GitHub's OIDC
    reference, immutable subject claims).
    """
    parts = _CLASSIC.fullmatch(sub)
    if parts is None or not (owner_id.isdecimal() and repository_id.isdecimal()):
        return None
    owner, repository = parts[1].split("/")
    context = sub[len(f"repo:{parts[1]}") :]
    return f"repo:{owner}@{owner_id}/{repository}@{repository_id}{context}"
