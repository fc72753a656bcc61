"""Roles of the JWT auth method of Vault and OpenBao.

Source: `claims.go`, `path_role.go` and `path_login.go` of its plugin, and the API documentation.
Read are the role itself and what `vault read -format=json auth/jwt/role/NAME` prints.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from broker.core.conditions import Equals, Present, Single
from broker.core.errors import ConfigurationError, Problem
from broker.policy_imports.issuer_of import platform_of
from broker.policy_imports.members import mapping_in, text_in, texts_in
from broker.policy_imports.quoting import quoted
from broker.policy_imports.source import read_json
from broker.policy_imports.star_patterns import literal_start, sample, starred
from broker.policy_imports.translation import Draft, Translation, any_of
from broker.yaml_document import Document, Path, Tree

MAX_TTL: Final = 86_400
"""How long a service token may live at most, seconds."""

LEEWAY: Final = 60
"""How much the broker allows for clocks that differ, unless configured; seconds."""

_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_RIGHTS: Final = ("token_policies", "policies")
_TTLS: Final = ("token_ttl", "ttl")
_MAX_TTLS: Final = ("token_max_ttl", "max_ttl", "token_explicit_max_ttl")
_NOT_RENEWED: Final = ("batch", "default-batch")
"""Types of tokens that end with their first `ttl`."""
_LEEWAYS: Final = {"expiration_leeway": 150, "not_before_leeway": 150, "clock_skew_leeway": 60}
_NOT_CARRIED: Final[Mapping[str, str]] = {
    "allowed_redirect_uris": "logins of people",
    "bound_cidrs": "where a token may come from",
    "groups_claim": "groups out of a claim, which must be there",
    "max_age": "when somebody last logged in",
    "num_uses": "how often a token may be used",
    "oauth2_metadata": "logins of people",
    "oidc_scopes": "logins of people",
    "period": "tokens that are renewed without end",
    "token_bound_cidrs": "where a token may come from",
    "token_num_uses": "how often a token may be used",
    "token_period": "tokens that are renewed without end",
    "token_strictly_bind_ip": "where a token may be used",
}
"""What has no counterpart where it says something, and what it is about."""

_WITHOUT_EFFECT: Final = frozenset({
    "alias_metadata", "bound_claims_type", "callback_mode", "name", "poll_interval",
    "role_type", "token_no_default_policy", "token_type", "user_claim_json_pointer",
    "verbose_oidc_logging",
})  # fmt: skip
"""What decides nothing about who may log in, beside what is read."""

_ANSWER: Final = frozenset({
    "auth", "data", "lease_duration", "lease_id", "mount_type", "renewable", "request_id",
    "warnings", "wrap_info",
})  # fmt: skip
"""What `vault read` prints a role with."""

_READ: Final = frozenset({
    "bound_audiences", "bound_claims", "bound_subject", "claim_mappings", "user_claim",
    *_RIGHTS, *_TTLS, *_MAX_TTLS, *_LEEWAYS,
})  # fmt: skip


def translate(
    text: bytes, file: str, issuer: str | None, preset: str | None, problems: list[Problem]
) -> Translation | None:
    """Translate a role; what does not carry over goes to `problems`.

    `issuer` is the URL that the auth method trusts (`oidc_discovery_url`, `bound_issuer`): a role
    does not say it. Raises `ConfigurationError` where it is no role.
    """
    document = read_json(text, file)
    role = _Role(document)
    # 1. whose tokens
    if issuer is None:
        message = "a role does not say whose tokens it takes: name the issuer with --issuer"
        problems.append(document.problem((), message))
        return None
    platform = platform_of(issuer, preset, document, (), problems)
    if platform is None:
        return None
    draft = Draft(document, platform, problems)
    # 2. what has no counterpart
    _check_members(role, draft)
    # 3. the audience: ours takes its place
    _audiences(role, draft)
    # 4. subject and claims
    if subject := role.text("bound_subject"):
        path = role.at("bound_subject")
        said = f"bound_subject: {quoted(subject)}"
        draft.require(path, "sub", Equals(subject), said, sample=subject)
    _bound_claims(role, draft, issuer)
    _user_claim(role, draft)
    # 5. how long tokens live
    _lifetimes(role, draft)
    policy = draft.finish(role.at()) if not problems else None
    rights = [
        f"{draft.place(path)}: {name}: {quoted(value)}"
        for name in _RIGHTS
        for path, value in role.texts(name)
    ]
    if role.members.get("claim_mappings"):
        path = role.at("claim_mappings")
        mappings = quoted(role.members["claim_mappings"])
        rights.append(f"{draft.place(path)}: claim_mappings: {mappings}")
    policies = (policy,) if policy is not None else ()
    return Translation(platform, issuer, policies, tuple(rights))


class _Role:
    """The members of a role, each of the type that Vault takes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        data = document.value.get("data")
        # NOTE: a role beside `data` is read as one, or what it asks for would be passed over.
        wrapped = isinstance(data, dict) and _ANSWER.issuperset(document.value)
        self._path: Path = ("data",) if wrapped else ()
        self.members: Mapping[str, Tree] = (
            mapping_in(document, ("data",), data) if wrapped else document.value
        )

    def at(self, *path: str | int) -> Path:
        """Give the path of a member."""
        return (*self._path, *path)

    def text(self, name: str) -> str:
        """Give a text, empty where there is none."""
        value = self.members.get(name)
        return "" if value is None else text_in(self.document, self.at(name), value)

    def texts(self, name: str) -> list[tuple[Path, str]]:
        """Give a list of texts, also where one text holds it with commas."""
        value = self.members.get(name)
        if value is None:
            return []
        return texts_in(self.document, self.at(name), value, commas=True)

    def seconds(self, name: str) -> int:
        """Give a duration, 0 where there is none."""
        value = self.members.get(name)
        if value is None or value == "":
            return 0
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        found = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            problem = self.document.problem(self.at(name), "must be seconds, or as in `10m`")
            raise ConfigurationError([problem])
        return int(found[1]) * _UNITS[found[2]]


def _check_members(role: _Role, draft: Draft) -> None:
    kind = role.text("role_type")
    if kind != "jwt":
        draft.fault(
            role.at("role_type"),
            "the role is for logins of people"
            if kind == "oidc"
            else "`role_type` must say `jwt`: without it the role is for logins of people",
        )
    for name, value in role.members.items():
        if name in _NOT_CARRIED:
            if value not in (None, "", 0, [], {}, False):
                message = f"`{name}` has no counterpart: {_NOT_CARRIED[name]}"
                draft.fault(role.at(name), message)
        elif name not in _READ | _WITHOUT_EFFECT:
            draft.fault(role.at(name), f"`{name}` is no member of a role that is known")
    for name, default in _LEEWAYS.items():
        leeway = role.seconds(name)
        if leeway and leeway < LEEWAY:
            draft.fault(
                role.at(name),
                f"less than the broker's own (`leeway`); set that, and leave this at {default}",
            )


def _audiences(role: _Role, draft: Draft) -> None:
    audiences = [each for each in role.texts("bound_audiences") if each[1]]
    if not audiences:
        message = "no audience is bound: tokens made for any system would count"
        draft.fault(role.at("bound_audiences"), message)
        return
    place = draft.place(role.at("bound_audiences"))
    names = quoted([text for _, text in audiences])
    draft.notes.append(f"{place}: bound_audiences: {names}: jobs ask for the broker's now")


def _bound_claims(role: _Role, draft: Draft, issuer: str) -> None:
    kind = role.text("bound_claims_type") or "string"
    if kind not in ("string", "glob"):
        draft.fault(role.at("bound_claims_type"), "neither `string` nor `glob`")
        return
    path = role.at("bound_claims")
    single: Callable[[str], Single] = _glob if kind == "glob" else Equals
    bound = mapping_in(role.document, path, role.members.get("bound_claims") or {})
    for claim, value in bound.items():
        _bound_claim((*path, claim), claim, value, draft, single, issuer)


def _bound_claim(
    path: Path, claim: str, value: Tree, draft: Draft, single: Callable[[str], Single], issuer: str
) -> None:
    values = value if isinstance(value, list) else [value]
    texts = [each for each in values if isinstance(each, str)]
    if claim.startswith("/"):
        draft.fault(path, "a pointer; name the claim")
    elif not texts or len(texts) != len(values):
        draft.fault(
            path,
            "numbers, booleans and null never match: the platform writes its claims as text"
            if values
            else "an empty list, which nothing matches",
        )
    elif claim == "iss":
        if issuer not in texts:
            draft.fault(path, f"the issuer {quoted(issuer)} is not among them")
    else:
        matchers = [single(text) for text in texts]
        starts = [
            (text, True) if isinstance(each, Equals) else (literal_start(text), False)
            for text, each in zip(texts, matchers, strict=True)
        ]
        said = f"bound_claims: {quoted(claim)}: {quoted(value)}"
        example = sample(texts[0], claim) if single is _glob else texts[0]
        draft.require(path, claim, any_of(matchers), said, starts=starts, sample=example)


def _glob(text: str) -> Single:
    return starred(text, question_mark=False)


def _user_claim(role: _Role, draft: Draft) -> None:
    """Require the claim that names the user: without it nobody logs in."""
    claim = role.text("user_claim")
    path = role.at("user_claim")
    if not claim:
        draft.fault(path, "`user_claim` is missing")
    elif role.members.get("user_claim_json_pointer") and claim.startswith("/"):
        draft.fault(path, "a pointer; name the claim")
    elif not draft.is_always_there(claim) and not draft.requires(claim):
        draft.require(path, claim, Present(), f"user_claim: {quoted(claim)}")


def _lifetimes(role: _Role, draft: Draft) -> None:
    lifetimes = [role.seconds(name) for name in _TTLS]
    limits = [role.seconds(name) for name in _MAX_TTLS]
    ttl = min(filter(None, lifetimes), default=None)
    max_ttl = min(filter(None, limits), default=None)
    if role.text("token_type") in _NOT_RENEWED:
        max_ttl = min(filter(None, (ttl, max_ttl)), default=None)
    if max_ttl is not None:
        draft.max_ttl = min(max_ttl, MAX_TTL)
    if ttl is not None:
        draft.ttl = min(ttl, draft.max_ttl or MAX_TTL)
    if any(each is not None and each > MAX_TTL for each in (ttl, max_ttl)):
        draft.notes.append("service tokens live 24 hours at most")
