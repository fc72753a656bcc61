"""Tokens that the platforms issue, near each other, and patterns made of what is in them."""

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from broker.core.typical_claims import typical_claims

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
ISSUERS = {"github": GITHUB, "gitlab": GITLAB}

NAMES = ["acme/web", "acme/web-x", "acme/webs", "acme/Web", "acme/api", "acme-evil/web", "ACME/web"]
REFS = [
    "refs/heads/main", "refs/heads/main-x", "refs/heads/release/1", "refs/heads/release/1/2",
    "refs/tags/v1", "refs/heads/a;b", "refs/heads/$(id)", "refs/heads/gr\u00f6\u00dfe", "",
    "refs/heads/" + "x" * 250, "refs/heads/repo:acme/web",
]  # fmt: skip
GITHUB_EVENTS = ["push", "push", "workflow_dispatch", "pull_request", "pull_request_target", "x"]
GITLAB_EVENTS = ["push", "push", "web", "merge_request_event", "pipeline", "x"]
ENVIRONMENTS = [None, None, "production", "Production", "prod:eu", "prod%3Aeu", "staging"]


@st.composite
def github_tokens(draw: st.DrawFn) -> dict[str, Any]:
    repository = draw(st.sampled_from(NAMES))
    facts: dict[str, Any] = {
        "repository": repository,
        "repository_id": draw(st.sampled_from(["456789", "4567890"])),
        "repository_owner_id": draw(st.sampled_from(["1234567", "1"])),
        "ref": draw(st.sampled_from(REFS)),
        "environment": draw(st.sampled_from(ENVIRONMENTS)),
        "actor": draw(st.sampled_from(["octocat", "dependabot[bot]"])),
        "workflow": draw(st.sampled_from(["Deploy", "deploy", "a*b", "what?"])),
    }
    form = draw(st.sampled_from(["classic", "classic", "immutable", "repo", "owner", "workflow"]))
    custom = {
        "repo": f"repo:{repository}",
        "owner": f"repository_owner:{repository.partition('/')[0]}:environment:x",
        "workflow": f"job_workflow_ref:{repository}/.github/workflows/x.yml@refs/heads/main",
    }
    if form in custom:
        facts["sub"] = custom[form]
    event = draw(st.sampled_from(GITHUB_EVENTS))
    token = typical_claims("github", event, facts, immutable_sub=form == "immutable")
    return token | {"iss": GITHUB, "event_name": event}


@st.composite
def gitlab_tokens(draw: st.DrawFn) -> dict[str, Any]:
    names = [*NAMES, "acme/group/web", "acme/group/sub/web"]
    facts: dict[str, Any] = {
        "project_path": draw(st.sampled_from(names)),
        "project_id": draw(st.sampled_from(["20", "200"])),
        "ref": draw(st.sampled_from(["main", "main-x", "release/1", "release/1/2", "v1", "a;b"])),
        "ref_type": draw(st.sampled_from(["branch", "branch", "tag"])),
        "ref_protected": draw(st.sampled_from(["true", "false"])),
        "environment": draw(st.sampled_from(ENVIRONMENTS)),
    }
    event = draw(st.sampled_from(GITLAB_EVENTS))
    return typical_claims("gitlab", event, facts) | {"iss": GITLAB, "pipeline_source": event}


def tokens(preset: str) -> st.SearchStrategy[dict[str, Any]]:
    return github_tokens() if preset == "github" else gitlab_tokens()


Edit = Callable[[str], str]


def _first_part_starred(value: str) -> str:
    return re.sub(r"[^/:@]+", "*", value, count=1)


@st.composite
def near_values(draw: st.DrawFn, value: str) -> str:
    """The value, or one that is nearly it."""
    edits: list[Edit] = [str, str, str.swapcase, lambda each: f"{each}-x", lambda each: each[:-1]]
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
        lambda each: each[:at] + "*" + each[end:],
        lambda each: each[:at] + "**" + each[end:],
        lambda each: each[:at] + "?" + each[at + 1 :],
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
