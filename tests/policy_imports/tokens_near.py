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


Facts = dict[str, st.SearchStrategy[Any]]
GITHUB_FACTS: Facts = {
    "repository": st.sampled_from(NAMES),
    "repository_id": st.sampled_from(["456789", "4567890"]),
    "repository_owner_id": st.sampled_from(["1234567", "1"]),
    "ref": st.sampled_from(REFS),
    "environment": st.sampled_from(ENVIRONMENTS),
    "actor": st.sampled_from(["octocat", "dependabot[bot]"]),
    "workflow": st.sampled_from(["Deploy", "deploy", "a*b", "what?"]),
    "event_name": st.sampled_from(GITHUB_EVENTS),
    "form": st.sampled_from(["classic", "classic", "immutable", "repo", "owner", "workflow"]),
}
GITLAB_FACTS: Facts = {
    "project_path": st.sampled_from([*NAMES, "acme/group/web", "acme/group/sub/web"]),
    "project_id": st.sampled_from(["20", "200"]),
    "ref": st.sampled_from(["main", "main-x", "release/1", "release/1/2", "v1", "a;b"]),
    "ref_type": st.sampled_from(["branch", "branch", "tag"]),
    "ref_protected": st.sampled_from(["true", "false"]),
    "environment": st.sampled_from(ENVIRONMENTS),
    "pipeline_source": st.sampled_from(GITLAB_EVENTS),
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
    """Several tokens, most of which differ from the first one in a fact or two."""
    facts = GITHUB_FACTS if preset == "github" else GITLAB_FACTS
    token = github_token if preset == "github" else gitlab_token
    first = draw(st.fixed_dictionaries(facts))
    family = [first]
    for _ in range(draw(st.integers(6, 12))):
        names = draw(st.lists(st.sampled_from(sorted(facts)), max_size=2, unique=True))
        family.append(first | {name: draw(facts[name]) for name in names})
    return [token(each) for each in family]


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
