"""What the peers' own rules say of a token: written from their documentation, not from our code.

Each function takes a policy as the peer reads it and the claims of a token, and tells whether the
peer admits it. `one_name` are claims whose ASCII case the platform itself does not tell apart: of
these a name that is written out may be spelled in any case, also one that a pattern begins with up
to a slash. All that a pattern leaves open is taken as it is.
"""

import fnmatch
import re
from collections.abc import Collection, Mapping
from typing import Any

Claims = Mapping[str, Any]

# IAM User Guide, "Available keys for AWS OIDC federation".
AWS_KEYS = {
    "token.actions.githubusercontent.com": {
        "sub", "aud", "actor", "actor_id", "job_workflow_ref", "repository", "repository_id",
        "workflow", "ref", "environment", "enterprise_id",
    },
    "gitlab.com": {"sub", "aud"},
}  # fmt: skip


def aws_admits(policy: Mapping[str, Any], token: Claims, one_name: Collection[str] = ()) -> bool:
    """A statement that applies allows, none that applies denies."""
    statements = policy["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    applying = [each for each in statements if _aws_applies(each, token, one_name)]
    effects = {each["Effect"] for each in applying}
    return effects == {"Allow"}


def _aws_applies(statement: Mapping[str, Any], token: Claims, one_name: Collection[str]) -> bool:
    provider = statement["Principal"]["Federated"].partition("oidc-provider/")[2]
    if token["iss"] != f"https://{provider}":
        return False
    return all(
        _aws_holds(operator, key, values, provider, token, one_name)
        for operator, block in statement.get("Condition", {}).items()
        for key, values in block.items()
    )


def _aws_holds(
    operator: str,
    key: str,
    values: Any,
    provider: str,
    token: Claims,
    one_name: Collection[str],
) -> bool:
    wanted = [values] if isinstance(values, str) else list(values)
    claim = key.lower().removeprefix(f"{provider}:")
    got = token.get(claim) if claim in AWS_KEYS.get(provider, set()) else None
    name, exists = operator.lower(), not operator.lower().endswith("ifexists")
    name = name.removesuffix("ifexists")
    quantifier, _, name = name.rpartition(":")
    if got is None:
        # A negation, IfExists and ForAllValues hold for an absent key; everything else does not.
        return not exists or quantifier == "forallvalues" or name.startswith("stringnot")
    assert isinstance(got, str)
    fold, ignore_case = claim in one_name, name.endswith("ignorecase")
    like = name in ("stringlike", "stringnotlike")
    found = any(
        _aws_same(each, got, like=like, fold=fold, ignore_case=ignore_case) for each in wanted
    )
    return not found if name.startswith("stringnot") else found


def _spelled_as(pattern: str, got: str, wildcards: str) -> str:
    """Spell the names that a value has in common with a pattern as the pattern does."""
    literal = re.split(f"[{wildcards}]", pattern)[0] if wildcards else pattern
    named = len(literal) if literal == pattern else literal.rfind("/") + 1
    if len(literal) == len(pattern) != len(got) or got[:named].lower() != pattern[:named].lower():
        return got
    return pattern[:named] + got[named:]


def _aws_same(pattern: str, got: str, *, like: bool, fold: bool, ignore_case: bool) -> bool:
    if ignore_case:
        pattern, got = pattern.lower(), got.lower()
    if fold:
        got = _spelled_as(pattern, got, "*?" if like else "")
    if not like:
        return pattern == got
    # fnmatch crosses slashes, as AWS does; brackets are no classes there.
    return fnmatch.fnmatchcase(got, pattern.replace("[", "[[]"))


def vault_admits(
    role: Mapping[str, Any], token: Claims, issuer: str, one_name: Collection[str] = ()
) -> bool:
    """`validateAudience`, the subject, `validateBoundClaims`, and the claim of the user."""
    if token["iss"] != issuer:
        return False
    audiences = role.get("bound_audiences") or []
    audiences = audiences.split(",") if isinstance(audiences, str) else audiences
    if token["aud"] not in audiences:
        return False
    if role.get("bound_subject") and token["sub"] != role["bound_subject"]:
        return False
    for claim, wanted in role.get("bound_claims", {}).items():
        got = token.get(claim)
        if got is None:
            return False
        gots = got if isinstance(got, list) else [got]
        wanteds = wanted if isinstance(wanted, list) else [wanted]
        fold = claim in one_name
        globs = role.get("bound_claims_type") == "glob"
        if not any(_vault_same(w, g, globs=globs, fold=fold) for w in wanteds for g in gots):
            return False
    return isinstance(token.get(role["user_claim"]), str)


def _vault_same(wanted: Any, got: Any, *, globs: bool, fold: bool) -> bool:
    if type(wanted) is not type(got):
        return False
    if not isinstance(wanted, str):
        return bool(wanted == got)
    if fold:
        got = _spelled_as(wanted, got, "*" if globs else "")
    if not globs:
        return bool(wanted == got)
    # The parts between the stars, one behind the other: `*` is the only sign, and crosses all.
    first, *rest = wanted.split("*")
    if not rest:
        return bool(wanted == got)
    if not got.startswith(first):
        return False
    left = got[len(first) :]
    for part in rest[:-1]:
        if part not in left:
            return False
        left = left[left.index(part) + len(part) :]
    return bool(left.endswith(rest[-1]))


# Whatever is no literal, group or alternative.
_LEAVES_OPEN = re.compile(r"(?<!\\)[.*+?\[{]|\\[a-zA-Z]")
_BAD_IN_SUBJECT = "\"'`\\<>;&$(){}[] \t\r\n"


def octo_sts_admits(
    policy: Mapping[str, Any], token: Claims, domain: str, one_name: Collection[str] = ()
) -> bool:
    """`CheckToken`; the whole value must match a pattern (`compileAnchored`)."""
    sub = token["sub"]
    if not sub or len(sub) > 255 or set(_BAD_IN_SUBJECT) & set(sub) or not sub.isprintable():
        return False
    if token["iss"] != policy["issuer"] or token["aud"] != policy.get("audience", domain):
        return False
    if "subject" in policy:
        if sub != policy["subject"]:
            return False
    elif re.fullmatch(policy["subject_pattern"], sub, re.ASCII) is None:
        return False
    for claim, pattern in policy.get("claim_pattern", {}).items():
        got = token.get(claim)
        if isinstance(got, bool):
            got = "true" if got else "false"
        fold = claim in one_name and not _LEAVES_OPEN.search(pattern)
        flags = re.ASCII | (re.IGNORECASE if fold else 0)
        if not isinstance(got, str) or re.fullmatch(pattern, got, flags) is None:
            return False
    return True
