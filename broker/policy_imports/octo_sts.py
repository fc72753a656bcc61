"""Trust policies of octo-sts: `.github/chainguard/NAME.sts.yaml`.

Source: `pkg/octosts/trust_policy.go`, `pattern.go` and `pkg/oidcvalidate` of octo-sts. Every
pattern is a regex of Go that the whole value must match; a claim must be there and be a text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.core.conditions import Equals, Positive, Regex
from broker.core.errors import Problem
from broker.policy_imports.issuer_of import platform_of
from broker.policy_imports.members import mapping_in, text_in
from broker.policy_imports.quoting import quoted
from broker.policy_imports.regex_reader import RegexNotRead, read_regex
from broker.policy_imports.regex_tree import (
    PRINTABLE,
    Characters,
    Node,
    beginnings,
    has_limit,
    most_characters,
    sample,
    written,
)
from broker.policy_imports.source import read_yaml
from broker.policy_imports.translation import Draft, Translation, any_of
from broker.yaml_document import Document, Path, Tree

MAX_SUBJECT: Final = 255
"""How long a subject may be (`oidcvalidate.IsValidSubject`)."""

SUBJECT_CHARACTERS: Final = PRINTABLE - set(" \"'`\\<>;&$(){}[]")
"""What a subject may consist of there, as far as it is ASCII."""

_FEWEST_REPEATS: Final = 64
_KNOWN: Final = frozenset({
    "issuer", "issuer_pattern", "subject", "subject_pattern", "audience", "audience_pattern",
    "claim_pattern", "permissions", "repositories", "app", "app_pattern",
})  # fmt: skip


class _NotSayable(ValueError):
    """A pattern that no condition says exactly; the message says why."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a pattern admits, as a matcher."""

    matcher: Positive
    starts: list[tuple[str, bool]]
    sample: str


def translate(
    text: bytes, file: str, preset: str | None, problems: list[Problem]
) -> Translation | None:
    """Translate a trust policy; what does not carry over goes to `problems`.

    Raises `ConfigurationError` where it is no trust policy.
    """
    document = read_yaml(text, file)
    members = document.value
    for name in members:
        if name not in _KNOWN:
            message = f"`{name}` is no member of a trust policy that is known"
            problems.append(document.problem((name,), message, at_key=True))
    # 1. whose tokens
    issuer = _issuer(document, problems)
    platform = (
        platform_of(issuer, preset, document, ("issuer",), problems) if issuer is not None else None
    )
    if issuer is None or platform is None:
        return None
    draft = Draft(document, platform, problems)
    # 2. the audience: ours takes its place
    _audience(draft, document)
    # 3. the subject
    _subject(draft, document)
    # 4. further claims
    for claim, pattern in _mapping(document, "claim_pattern").items():
        path = ("claim_pattern", claim)
        _pattern(draft, path, claim, text_in(document, path, pattern))
    policy = draft.finish(()) if not problems else None
    # 5. what it allows, which has no counterpart
    rights = [
        f"{draft.place(('permissions', name))}: permissions: {quoted(name)}: {quoted(level)}"
        for name, level in _mapping(document, "permissions").items()
    ]
    rights += [
        f"{draft.place((name,))}: {name}: {quoted(members[name])}"
        for name in ("repositories", "app", "app_pattern")
        if name in members
    ]
    policies = (policy,) if policy is not None else ()
    return Translation(platform, issuer, policies, tuple(rights))


def _issuer(document: Document, problems: list[Problem]) -> str | None:
    if "issuer_pattern" in document.value:
        message = "a pattern for the issuer; the broker trusts issuers one by one, by name"
        problems.append(document.problem(("issuer_pattern",), message, at_key=True))
        return None
    if "issuer" not in document.value:
        problems.append(document.problem((), "`issuer` is missing"))
        return None
    return text_in(document, ("issuer",), document.value["issuer"])


def _audience(draft: Draft, document: Document) -> None:
    if "audience_pattern" in document.value:
        message = "a pattern for the audience; tokens for the broker have one audience, its own"
        draft.fault(("audience_pattern",), message)
    elif "audience" in document.value:
        audience = text_in(document, ("audience",), document.value["audience"])
        place = draft.place(("audience",))
        draft.notes.append(f"{place}: audience: {quoted(audience)}: jobs ask for the broker's now")
    else:
        draft.notes.append("no audience, so that of octo-sts: jobs ask for the broker's now")


def _subject(draft: Draft, document: Document) -> None:
    members = document.value
    if ("subject" in members) == ("subject_pattern" in members):
        draft.fault((), "one of `subject` and `subject_pattern`, as in octo-sts")
    elif "subject" in members:
        subject = text_in(document, ("subject",), members["subject"])
        if len(subject) > MAX_SUBJECT or not SUBJECT_CHARACTERS.issuperset(subject):
            draft.fault(("subject",), "octo-sts refuses every such subject")
        else:
            said = f"subject: {quoted(subject)}"
            draft.require(("subject",), "sub", Equals(subject), said, sample=subject)
    else:
        pattern = text_in(document, ("subject_pattern",), members["subject_pattern"])
        _pattern(draft, ("subject_pattern",), "sub", pattern)


def _pattern(draft: Draft, path: Path, claim: str, pattern: str) -> None:
    try:
        tree = read_regex(pattern)
        said = _subject_said(tree) if claim == "sub" else _said(tree, pattern)
    except (RegexNotRead, _NotSayable) as error:
        draft.fault(path, f"the pattern {quoted(pattern)} cannot be said exactly: {error}")
        return
    if isinstance(said.matcher, Regex) and claim == "sub":
        draft.notes.append(
            f"{draft.place(path)}: octo-sts refuses subjects of more than {MAX_SUBJECT} characters"
            " or with others than here; the broker keeps to that, in ASCII"
        )
    draft.require(
        path,
        claim,
        said.matcher,
        f"{'.'.join(map(str, path))}: {quoted(pattern)}",
        starts=said.starts,
        sample=said.sample,
    )


def _said(tree: Node, pattern: str) -> _Said:
    starts = beginnings(tree)
    literals = _literals(starts)
    matcher = any_of(literals) if literals else Regex(pattern)
    return _Said(matcher, starts, sample(tree))


def _subject_said(tree: Node) -> _Said:
    """Say a pattern for subjects: octo-sts refuses many of them whatever the pattern says."""
    starts = beginnings(tree)
    literals = _literals(starts)
    if literals:
        allowed = [each for each in literals if _is_subject(each.text)]
        if not allowed:
            raise _NotSayable("octo-sts refuses every such subject")
        return _Said(any_of(allowed), starts, allowed[0].text)
    unlimited = MAX_SUBJECT
    while most_characters(tree, unlimited=unlimited) > MAX_SUBJECT:
        unlimited -= 1
        if unlimited < _FEWEST_REPEATS or has_limit(tree):
            raise _NotSayable(
                f"octo-sts refuses subjects of more than {MAX_SUBJECT} characters, and this one has"
                " too many parts that may be long"
            )
    regex = written(tree, unlimited=unlimited, characters=_of_subject)
    return _Said(Regex(regex), starts, sample(tree))


def _of_subject(node: Characters) -> frozenset[str]:
    left = node.printable & SUBJECT_CHARACTERS
    if not left:
        raise _NotSayable("it asks for a character that octo-sts refuses in subjects")
    return left


def _is_subject(text: str) -> bool:
    return 0 < len(text) <= MAX_SUBJECT and SUBJECT_CHARACTERS.issuperset(text)


def _literals(starts: list[tuple[str, bool]]) -> list[Equals]:
    return [Equals(text) for text, _ in starts] if all(whole for _, whole in starts) else []


def _mapping(document: Document, name: str) -> Mapping[str, Tree]:
    return mapping_in(document, (name,), document.value.get(name, {}))
