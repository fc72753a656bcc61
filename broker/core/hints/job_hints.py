"""Hints that change the job, or its project's settings, and leave the policies as they are."""

from difflib import get_close_matches
from itertools import islice
from typing import Final

from broker.core.claims import is_absent
from broker.core.condition_text import shown, yaml_line
from broker.core.conditions import Not
from broker.core.hints.miss import Hint, Miss

MAX_CLAIMS_COMPARED: Final = 100

_SAME_IDEA: Final = {
    "github": {
        "namespace_id": "repository_owner_id",
        "namespace_path": "repository_owner",
        "pipeline_source": "event_name",
        "project_id": "repository_id",
        "project_path": "repository",
        "user_login": "actor",
    },
    "gitlab": {
        "actor": "user_login",
        "event_name": "pipeline_source",
        "job_workflow_ref": "ci_config_ref_uri",
        "repository": "project_path",
        "repository_id": "project_id",
        "repository_owner": "namespace_path",
        "repository_owner_id": "namespace_id",
    },
}
"""What each platform calls what another one calls otherwise."""


def no_environment(miss: Miss) -> str | None:
    """The job names no environment, the policy names one."""
    if miss.claim != "environment" or not is_absent(miss.result.value) or not miss.literals():
        return None
    line = yaml_line("environment", miss.literals()[0])
    return f"the job names no `environment`: add {line} to the job"


def unprotected(miss: Miss) -> str | None:
    """The branch, tag or environment is not protected on the platform."""
    if miss.text != "false" or not miss.would_hold("true"):
        return None
    if miss.claim == "ref_protected":
        kind = "tag" if miss.text_in("ref_type") == "tag" else "branch"
        return f"`ref_protected` is 'false': protect the {kind} {shown(miss.text_in('ref'))}"
    if miss.claim == "environment_protected":
        name = shown(miss.text_in("environment"))
        return f"`environment_protected` is 'false': protect the environment {name}"
    return None


def other_runner(miss: Miss) -> str | None:
    """The job runs on another kind of runner."""
    if miss.claim != "runner_environment" or miss.text is None or not miss.literals():
        return None
    return f"the job runs on a {miss.shown} runner: let it run on a {miss.literals()[0]} one"


def absent(miss: Miss) -> str | None:
    """The token has no such claim, under any or under this name."""
    if not is_absent(miss.result.value):
        return None
    claims = miss.case.claims
    platform = miss.case.issuer.platform
    theirs = _SAME_IDEA[platform.name].get(miss.claim) if platform else None
    if theirs is not None:
        return f"tokens of this platform have no `{miss.claim}`; theirs is `{theirs}`"
    if miss.claim not in claims:
        known = list(islice(filter(str.isidentifier, claims), MAX_CLAIMS_COMPARED))
        alike = get_close_matches(miss.claim, sorted(known), n=1, cutoff=0.8)
        if alike:
            return f"the token has no `{miss.claim}`; did you mean `{alike[0]}`?"
    needs = "; `not` needs one too" if isinstance(miss.matcher, Not) else ""
    return f"the token has no `{miss.claim}`{needs}"


def no_text(miss: Miss) -> str | None:
    """The claim is an object or a number with a fraction, which no condition admits."""
    if miss.text is not None or isinstance(miss.result.value, list):
        return None
    return f"`{miss.claim}` is {miss.shown}: only text, whole numbers, true and false are compared"


JOB_HINTS: Final[tuple[Hint, ...]] = (no_environment, unprotected, other_runner, absent, no_text)
