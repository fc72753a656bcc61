"""What is imported admits nothing that its source does not, and all else but for the guard.

The sources' rules are those of `source_rules`, written from the peers' documentation.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.policy_imports.deciding import ONE_NAME, Imported
from tests.policy_imports.source_rules import aws_admits, octo_sts_admits, vault_admits
from tests.policy_imports.tokens_near import (
    ISSUERS,
    near_values,
    regexes,
    star_patterns,
    token_families,
)

DOMAIN = "octo-sts.dev"
PLAIN = ["StringEquals", "StringLike", "StringLike", "ForAnyValue:StringLike"]
ODD = [
    "StringEqualsIgnoreCase", "ForAllValues:StringLike", "StringEqualsIfExists",
    "StringLikeIfExists", "StringNotEquals", "StringNotLike", "ForAllValues:StringEquals",
]  # fmt: skip
PRESETS = st.sampled_from(["github", "github", "gitlab"])
quick = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def hold(
    imported: Imported,
    tokens_tried: list[dict[str, Any]],
    admits: Callable[[dict[str, Any], frozenset[str]], bool],
) -> None:
    """Compare what the imported set permits with what its source admits."""
    event("refused" if imported.text is None else "faithful")
    if imported.text is None:
        return
    for token in tokens_tried:
        # One name, however it is written: that is all that the broker may take more loosely.
        admitted, admitted_as_one_name = admits(token, frozenset()), admits(token, ONE_NAME)
        permitted = imported.permits(token)
        event(f"permitted: {permitted}, admitted: {admitted}")
        assert admitted_as_one_name or not permitted, (token, imported.text)
        if admitted and not imported.is_guarded(token):
            assert permitted, (token, imported.text)


def claims_of(token: dict[str, Any], names: list[str]) -> list[str]:
    return [name for name in names if isinstance(token.get(name), str) and token[name]]


@st.composite
def aws_statements(draw: st.DrawFn, preset: str, token: dict[str, Any]) -> dict[str, Any]:
    provider = ISSUERS[preset].removeprefix("https://")
    # A tenant, without which a policy is refused, a condition beside it, and one odd thing at most.
    odd = draw(st.sampled_from([None, None, "operator", "operator", "key", "twice"]))
    names = ["ref", "environment", "actor", "workflow", "job_workflow_ref", "repository"]
    further = claims_of(token, [] if preset == "gitlab" else names)
    pins = ["sub"] if preset == "gitlab" else ["sub", "sub", "repository_id", "repository_id"]
    chosen = [draw(st.sampled_from(pins))]
    is_beside = draw(st.booleans())
    if further and is_beside:
        chosen.append(draw(st.sampled_from([each for each in further if each not in chosen])))
    if odd == "operator" and "environment" in further and draw(st.booleans()):
        # The one claim that jobs of the same repository are with and without.
        chosen = [*(each for each in chosen if each != "environment"), "environment"]
    if odd in ("key", "twice"):
        chosen.append("event_name" if odd == "key" and preset == "github" else chosen[0])
    block: dict[str, dict[str, Any]] = {"StringEquals": {f"{provider}:aud": "sts.amazonaws.com"}}
    for claim in chosen:
        operator = draw(st.sampled_from(PLAIN if claim != "repository_id" else PLAIN[:1]))
        if odd == "operator" and claim == chosen[-1]:
            operator = draw(st.sampled_from(ODD))
        like = "Like" in operator
        values = [
            draw(star_patterns(token[claim]) if like else near_values(token[claim]))
            for _ in range(draw(st.integers(1, 2)))
        ]
        block.setdefault(operator, {})[f"{provider}:{claim}"] = (
            values[0] if len(values) == 1 else values
        )
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{provider}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": block,
    }


@quick
@given(st.data())
def test_a_trust_policy_of_aws(data: st.DataObject) -> None:
    preset = data.draw(PRESETS)
    known = data.draw(token_families(preset))
    number = data.draw(st.sampled_from([1, 1, 2]))
    statements = [data.draw(aws_statements(preset, each)) for each in known[:number]]
    policy = {"Version": "2012-10-17", "Statement": statements}

    imported = Imported("aws", policy)

    hold(
        imported,
        known,
        lambda token, one: aws_admits(policy, token | {"aud": "sts.amazonaws.com"}, one),
    )


@quick
@given(st.data())
def test_a_role_of_vault(data: st.DataObject) -> None:
    preset = data.draw(PRESETS)
    known = data.draw(token_families(preset))
    token = known[0]
    globs = data.draw(st.booleans())
    names = claims_of(
        token,
        ["repository", "repository_id", "repository_owner", "ref", "environment", "event_name"]
        if preset == "github"
        else [
            "project_path",
            "project_id",
            "namespace_path",
            "ref",
            "ref_protected",
            "environment",
        ],
    )
    bound: dict[str, Any] = {}
    for claim in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        values: list[Any] = [
            data.draw(star_patterns(token[claim]) if globs else near_values(token[claim]))
            for _ in range(data.draw(st.integers(1, 2)))
        ]
        if token[claim].isdecimal() and data.draw(st.booleans()):
            values.append(int(token[claim]))
        bound[claim] = values[0] if len(values) == 1 else values
    role: dict[str, Any] = {
        "role_type": "jwt",
        "bound_audiences": ["https://vault.example"],
        "bound_claims_type": "glob" if globs else "string",
        "bound_claims": bound,
        "user_claim": data.draw(st.sampled_from(["sub", "environment", "ref", "actor"])),
    }
    if data.draw(st.booleans()):
        role["bound_subject"] = token["sub"]

    imported = Imported("vault", role, issuer=ISSUERS[preset])

    hold(
        imported,
        known,
        lambda token, one: vault_admits(
            role, token | {"aud": "https://vault.example"}, ISSUERS[preset], one
        ),
    )


@quick
@given(st.data())
def test_a_trust_policy_of_octo_sts(data: st.DataObject) -> None:
    preset = data.draw(PRESETS)
    known = data.draw(token_families(preset))
    token = known[0]
    policy: dict[str, Any] = {"issuer": ISSUERS[preset]}
    if data.draw(st.booleans()):
        policy["subject"] = data.draw(near_values(token["sub"]))
    else:
        policy["subject_pattern"] = data.draw(regexes(token["sub"]))
    names = claims_of(
        token,
        ["repository", "ref", "environment", "job_workflow_ref", "workflow"]
        if preset == "github"
        else ["project_path", "ref", "ref_protected", "environment"],
    )
    chosen = data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    if chosen:
        policy["claim_pattern"] = {claim: data.draw(regexes(token[claim])) for claim in chosen}

    imported = Imported("octo-sts", policy)

    def admits(token: dict[str, Any], one_name: frozenset[str]) -> bool:
        # Beyond ASCII the broker is narrower, which the file says.
        return (bool(one_name) or token["sub"].isascii()) and octo_sts_admits(
            policy, token | {"aud": DOMAIN}, DOMAIN, one_name
        )

    hold(imported, known, admits)
