"""Tokens that the platforms issue, near each other, and patterns made of what is in them."""

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from broker.core.typical_claims import typical_claims

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
ISSUERS = {"github": GITHUB, "gitlab": GITLAB}

NAMES = [
    "acme/web", "acme/web-x", "acme/webs", "acme/Web", "acme/WEB", "acme/wEB-x", "acme/api",
    "acme-evil/web", "ACME/web",
]  # fmt: skip
REFS = [
    "refs/heads/main", "refs/heads/main-x", "refs/heads/release/1", "refs/heads/release/1/2",
    "refs/tags/v1", "refs/heads/a;b", "refs/heads/$(id)", "refs/heads/gr\u00f6\u00dfe", "",
    "refs/heads/" + "x" * 250, "refs/heads/repo:acme/web",
]  # fmt: skip
GITHUB_EVENTS = ["push", "push", "workflow_dispatch", "pull_request", "pull_request_target", "x"]
GITLAB_EVENTS = ["push", "push", "web", "merge_request_event", "pipeline", "x"]
ENVIRONMENTS = [None, None, "production", "Production", "prod:eu", "prod%3Aeu", "staging"]


Facts = dict[str, list[Any]]
GITHUB_FACTS: Facts = {
    "repository": NAMES,
    "repository_id": ["456789", "4567890"],
    "repository_owner_id": ["1234567", "1"],
    "ref": REFS,
    "environment": ENVIRONMENTS,
    "actor": ["octocat", "dependabot[bot]"],
    "workflow": ["Deploy", "deploy", "a*b", "what?"],
    "event_name": GITHUB_EVENTS,
    "form": ["classic", "classic", "immutable", "repo", "owner", "workflow"],
}
GITLAB_FACTS: Facts = {
    "project_path": [*NAMES, "acme/group/web", "acme/group/sub/web"],
    "project_id": ["20", "200"],
    "ref": ["main", "main-x", "release/1", "release/1/2", "v1", "a;b"],
    "ref_type": ["branch", "branch", "tag"],
    "ref_protected": ["true", "false"],
    "environment": ENVIRONMENTS,
    "pipeline_source": GITLAB_EVENTS,
}


def github_token(facts: dict[str, Any]) -> dict[str, Any]:
    facts, repository = dict(facts), facts["repository"]
    form, event = facts.pop("form"), facts["event_name"]
    custom = {
        "repo": f"repo:{repository}",
        "owner": f"repository_owner:{repository.partition('/')[0]}:environment:x",
        "workflow": f"job_workflow_ref:{repository}/.github/workflows/x.yml@refs/heads/main",
    }
    if form in custom:
        facts["sub"] = custom[form]
    token = typical_claims("github", event, facts, immutable_sub=form == "immutable")
    return token | {"iss": GITHUB}


def gitlab_token(facts: dict[str, Any]) -> dict[str, Any]:
    return typical_claims("gitlab", facts["pipeline_source"], facts) | {"iss": GITLAB}


@st.composite
def token_families(draw: st.DrawFn, preset: str) -> list[dict[str, Any]]:
    """A token, and every other one that differs in one fact, with its environment and without."""
    pools = GITHUB_FACTS if preset == "github" else GITLAB_FACTS
    token = github_token if preset == "github" else gitlab_token
    facts = draw(
        st.fixed_dictionaries({name: st.sampled_from(pool) for name, pool in pools.items()})
    )
    near = [
        facts | {name: value, "environment": environment}
        for environment in dict.fromkeys([facts["environment"], None, "production"])
        for name, pool in pools.items()
        if name != "environment"
        for value in dict.fromkeys(pool)
    ]
    near += [facts | {"environment": value} for value in ENVIRONMENTS]
    return [token(facts), *map(token, near)]


Edit = Callable[[str], str]


def _first_part_starred(value: str) -> str:
    return re.sub(r"[^/:@]+", "*", value, count=1)


@st.composite
def near_values(draw: st.DrawFn, value: str) -> str:
    """The value, or one that is nearly it."""
    edits: list[Edit] = [
        str,
        str,
        str,
        str.swapcase,
        lambda each: f"{each}-x",
        lambda each: each[:-1],
        lambda each: f"{each[:-1]}*",
    ]
    return draw(st.sampled_from(edits))(value)


@st.composite
def star_patterns(draw: st.DrawFn, value: str) -> str:
    """A pattern with stars and question marks that is near a value."""
    # Rather behind the tenant: before it, a pattern names none and is refused.
    ends = [found.end() for found in re.finditer("[/:]", value)] or [0]
    at = draw(st.one_of(st.sampled_from(ends), st.integers(max(ends), len(value))))
    end = draw(st.integers(at, len(value)))
    edits: list[Edit] = [
        str,
        lambda each: each[:at] + "*",
        lambda each: each[: at + 1] + "*",
        lambda each: each[:at] + "*" + each[end:],
        lambda each: each[:at] + "**" + each[end:],
        lambda each: each[:at] + "?" + each[at + 1 :],
        lambda each: f"{each[:-1]}?",
        lambda each: re.sub(r"[^:]*\Z", "*", each),
        lambda each: re.sub(r"[^/]*\Z", "*", each),
        _first_part_starred,
        str.swapcase,
        lambda _: "*",
    ]
    return draw(st.sampled_from(edits))(value)


@st.composite
def regexes(draw: st.DrawFn, value: str) -> str:
    """A regex that is near a value."""
    # Rather behind the tenant: before it, a pattern names none and is refused.
    ends = [found.end() for found in re.finditer("[/:]", value)] or [0]
    at = draw(st.one_of(st.sampled_from(ends), st.integers(max(ends), len(value))))
    end = draw(st.integers(at, len(value)))
    inside = draw(
        st.sampled_from([".*", ".+", "[^/]+", "[a-z]*", r"\w+", "(main|x)", ".?", r"[^:;]*"])
    )
    edits: list[Edit] = [
        re.escape,
        str,
        lambda each: re.escape(each[:at]) + inside,
        lambda each: re.escape(each[:at]) + inside + re.escape(each[end:]),
        lambda each: f"({re.escape(each)}|{re.escape(each[:at])}{inside})",
        lambda each: f"{re.escape(each)}|other",
        lambda each: f"^{re.escape(each[:at])}{inside}$",
        lambda each: f"^{re.escape(each)}|{inside}$",
        lambda each: re.sub(r"[^:]*\Z", "", re.escape(each)) + inside,
        lambda each: re.sub(r"[^/]*\Z", "", re.escape(each)) + inside,
        lambda _: ".*",
    ]
    return draw(st.sampled_from(edits))(value)
