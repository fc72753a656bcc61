"""Trust policies of IAM roles, for the OIDC providers of GitHub and GitLab.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Multivalued context keys"
and "Available keys for AWS OIDC federation". Read are the policy document itself and what
`aws iam get-role` prints.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from broker.core.conditions import Equals, Glob, Not, Regex, Single
from broker.core.errors import ConfigurationError, Problem
from broker.core.platforms import Platform
from broker.policy_imports.aws_role import AwsRole
from broker.policy_imports.issuer_of import platform_of
from broker.policy_imports.members import mapping_in, texts_in
from broker.policy_imports.quoting import quoted
from broker.policy_imports.source import read_json
from broker.policy_imports.star_patterns import literal_start, sample, starred
from broker.policy_imports.translation import (
    Draft,
    TranslatedPolicy,
    Translation,
    any_of,
    regex_ignoring_case,
)
from broker.yaml_document import Document, Path, Tree

ASSUME: Final = "sts:assumerolewithwebidentity"
_BESIDE: Final = frozenset({ASSUME, "sts:tagsession", "sts:setsourceidentity"})
_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_PROVIDER: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/(?P<provider>[^\s]+)")
_STATEMENT: Final = frozenset({"Sid", "Effect", "Principal", "Action", "Condition"})

KEYS_OF_OTHERS: Final = frozenset({"aud", "sub"})
"""The claims that AWS makes keys of where the platform is a self-managed one."""

KEYS: Final[Mapping[str, frozenset[str]]] = {
    "github": frozenset({
        "actor", "actor_id", "aud", "enterprise_id", "environment", "job_workflow_ref", "ref",
        "repository", "repository_id", "sub", "workflow",
    }),
    "gitlab": KEYS_OF_OTHERS,
}  # fmt: skip
"""The claims that AWS makes keys of, by preset. A condition on any other one never holds there."""

_OPERATORS: Final = frozenset({
    "stringequals", "stringequalsignorecase", "stringlike", "stringnotequals", "stringnotlike",
})  # fmt: skip
_ANY_VALUE: Final = "foranyvalue:"


def translate(
    text: bytes, file: str, preset: str | None, problems: list[Problem]
) -> Translation | None:
    """Translate a trust policy; what does not carry over goes to `problems`.

    Raises `ConfigurationError` where it is no trust policy.
    """
    document = read_json(text, file)
    role = AwsRole(document)
    policy, path = role.policy, role.path
    problems += [
        document.problem(each, f"`{each[-1]}` is not known", at_key=True)
        for each in role.unknown_members()
    ]
    if policy.get("Version", _VERSIONS[0]) not in _VERSIONS:
        problems.append(document.problem((*path, "Version"), "a version that is not known"))
    statements = policy.get("Statement")
    found: list[TranslatedPolicy] = []
    issuers: dict[str, Platform] = {}
    for place, statement in _statements(document, (*path, "Statement"), statements):
        read = _Statement(document, place, statement, problems)
        issuer = read.issuer()
        if issuer is None:
            continue
        platform = platform_of(issuer, preset, document, (*place, "Principal"), problems)
        if platform is None:
            continue
        issuers[issuer] = platform
        translated = read.translated(issuer, platform)
        if translated is not None:
            found.append(translated)
    if len(issuers) > 1:
        text_of_all = "statements for several issuers; translate them one by one"
        problems.append(document.problem((*path, "Statement"), text_of_all))
    if not issuers:
        return None
    issuer, platform = next(iter(issuers.items()))
    rights = (
        f"{file}: what the permission policies of the role allow, which are not in this file",
    )
    policies = tuple(replace(each, max_ttl=role.max_session) for each in found)
    return Translation(platform, issuer, policies, rights, role.name)


def _statements(
    document: Document, path: Path, value: Tree
) -> list[tuple[Path, Mapping[str, Tree]]]:
    if isinstance(value, list):
        found = [
            ((*path, index), mapping_in(document, (*path, index), each))
            for index, each in enumerate(value)
        ]
    else:
        found = [] if value is None else [(path, mapping_in(document, path, value))]
    if not found:
        raise ConfigurationError([document.problem(path, "no statement")])
    return found


class _Statement:
    """One statement of the policy."""

    def __init__(
        self,
        document: Document,
        path: Path,
        members: Mapping[str, Tree],
        problems: list[Problem],
    ) -> None:
        self._document = document
        self._path = path
        self._members = members
        self._problems = problems

    def issuer(self) -> str | None:
        """Give the issuer whose tokens the statement admits; None, and a problem, for others."""
        before = len(self._problems)
        for member in self._members:
            if member not in _STATEMENT:
                self._fault((member,), f"`{member}` has no counterpart")
        if self._members.get("Effect") != "Allow":
            self._fault(
                ("Effect",), "only `Allow`; write what is denied as a policy with `effect: deny`"
            )
        self._check_action()
        provider = self._provider()
        return f"https://{provider}" if provider and len(self._problems) == before else None

    def translated(self, issuer: str, platform: Platform) -> TranslatedPolicy | None:
        """Translate the conditions."""
        before = len(self._problems)
        draft = Draft(self._document, platform, self._problems)
        reader = _Conditions(self._document, draft, issuer, platform)
        path: Path = (*self._path, "Condition")
        conditions = mapping_in(self._document, path, self._members.get("Condition", {}))
        for operator, block in conditions.items():
            for key, values in mapping_in(self._document, (*path, operator), block).items():
                at = (*path, operator, key)
                reader.read(at, operator, key, texts_in(self._document, at, values))
        if not reader.has_audience:
            self._fault(
                ("Condition",),
                "no condition on the audience (`…:aud`): tokens made for any system would count",
            )
        return draft.finish(path) if len(self._problems) == before else None

    def _check_action(self) -> None:
        path: Path = (*self._path, "Action")
        actions = [
            each.lower()
            for _, each in texts_in(self._document, path, self._members.get("Action", []))
        ]
        if ASSUME not in actions or not _BESIDE.issuperset(actions):
            self._fault(
                ("Action",), "the action must be `sts:AssumeRoleWithWebIdentity`, written out"
            )

    def _provider(self) -> str | None:
        principal = self._members.get("Principal")
        path: Path = (*self._path, "Principal")
        if isinstance(principal, dict) and list(principal) == ["Federated"]:
            federated = texts_in(self._document, (*path, "Federated"), principal["Federated"])
            if len(federated) == 1 and (found := _PROVIDER.fullmatch(federated[0][1])):
                return found["provider"]
        self._fault(
            ("Principal",),
            "it admits others than the tokens of one OIDC provider (`Federated:"
            " arn:aws:iam::…:oidc-provider/…`); leave the statement out of the file to translate"
            " the rest",
        )
        return None

    def _fault(self, path: Path, message: str) -> None:
        self._problems.append(self._document.problem((*self._path, *path), message, at_key=True))


class _Conditions:
    """Reads the conditions of one statement into a draft."""

    def __init__(self, document: Document, draft: Draft, issuer: str, platform: Platform) -> None:
        self._document = document
        self._draft = draft
        self._prefix = f"{issuer.removeprefix('https://')}:".lower()
        is_public = f"{issuer}/".startswith(f"{platform.issuer}/")
        self._keys = KEYS[platform.name] if is_public else KEYS_OF_OTHERS
        self._audiences: set[str] | None = None

    @property
    def has_audience(self) -> bool:
        """Whether there is a condition on the audience."""
        return self._audiences is not None

    def read(self, path: Path, operator: str, key: str, values: list[tuple[Path, str]]) -> None:
        """Read one condition: an operator, a key and its values, of which one must hold."""
        # Names of operators and keys are not case-sensitive.
        name = operator.lower().removeprefix(_ANY_VALUE)
        if name not in _OPERATORS:
            self._draft.fault(path, f"the operator {quoted(operator)}: {_why_not(name)}")
            return
        claim = key.lower().removeprefix(self._prefix)
        if claim == key.lower() or claim not in self._keys:
            message = f"the key {quoted(key)} is none that AWS takes from tokens of this provider"
            self._draft.fault(path, message)
            return
        if not values or any("${" in text for _, text in values):
            message = "no value" if not values else "a policy variable (`${…}`)"
            self._draft.fault(path, f"{quoted(key)} has {message}")
            return
        texts = [text for _, text in values]
        said = f"{operator} {key}: {quoted(texts if len(texts) > 1 else texts[0])}"
        if claim == "aud":
            self._audience(path, name, texts, said)
        elif name.startswith("stringnot"):
            self._negated(path, name, claim, texts, said)
        else:
            matchers = [self._single(name, claim, text) for text in texts]
            starts = [
                (text, True)
                if isinstance(matcher, Equals)
                else (literal_start(text) if name == "stringlike" else "", False)
                for text, matcher in zip(texts, matchers, strict=True)
            ]
            self._draft.require(
                path, claim, any_of(matchers), said, starts=starts, sample=sample(texts[0], claim)
            )

    def _single(self, name: str, claim: str, text: str) -> Single:
        if name == "stringlike":
            return starred(text, question_mark=True)
        if name == "stringequalsignorecase" and not self._draft.is_folded(claim):
            return regex_ignoring_case(text)
        return Equals(text)

    def _audience(self, path: Path, name: str, texts: list[str], said: str) -> None:
        patterns = [starred(text, question_mark=True) for text in texts]
        if name not in ("stringequals", "stringlike") or (
            name == "stringlike" and any(isinstance(each, Glob | Regex) for each in patterns)
        ):
            message = "the audience must be named; tokens for the broker have one, its own"
            self._draft.fault(path, message)
            return
        self._audiences = set(texts) if self._audiences is None else self._audiences & set(texts)
        if not self._audiences:
            self._draft.fault(path, "no token has this audience and the one asked for before")
            return
        self._draft.notes.append(
            f"{self._draft.place(path)}: {said}: jobs ask for the broker's audience now"
        )

    def _negated(self, path: Path, name: str, claim: str, texts: list[str], said: str) -> None:
        """Say a negation where every token has the claim: in AWS it holds for those without."""
        if not self._draft.is_always_there(claim) or self._draft.is_folded(claim):
            self._draft.fault(
                path,
                f"a negation holds in AWS for tokens without `{claim}`, or in another case; name"
                " what is allowed instead, or write a policy with `effect: deny`",
            )
            return
        like = name == "stringnotlike"
        matchers = [starred(text, question_mark=True) if like else Equals(text) for text in texts]
        self._draft.require(path, claim, Not(any_of(matchers)), said)


def _why_not(name: str) -> str:
    if name.endswith("ifexists") or name.startswith("forallvalues:"):
        return "it also holds for tokens without the claim; with the broker none does"
    return "no condition of the broker says this"
