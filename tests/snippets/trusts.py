"""Services that snippets are written for."""

from typing import Any, Final

from broker.core.policy import Service
from broker.snippets import FORMS, SnippetFile, Subject, Trust

ISSUER: Final = "https://broker.example.com"
HOSTILE: Final = "https://deploy.example.com/'\"`$x${y}%{z}\\u0041\\#{1}*/--;}{</script>%s"
"""An audience that policy files allow, and that would end the quotes of many a language."""

SCOPES: Final = ("deploy:read", "deploy:write")
DEPLOY_WEB: Final = Subject("deploy-web", "deploy-web")
REPO_CI: Final = Subject("repo-ci", "repo-ci:repository_id:456789")


def trust(
    *,
    issuer: str = ISSUER,
    scopes: tuple[str, ...] = SCOPES,
    subjects: tuple[Subject, ...] = (DEPLOY_WEB, REPO_CI),
    **members: Any,
) -> Trust:
    """Describe a service with an audience that is hard to quote."""
    described = {"name": "deploy-api", "audience": HOSTILE, **members}
    return Trust(issuer, Service(scopes=dict.fromkeys(scopes, "x"), **described), scopes, subjects)


def files(form: str, trusted: Trust) -> dict[str, str]:
    """Give the texts of a form by name."""
    written: list[SnippetFile] = FORMS[form].files(trusted)
    return {each.name: each.text for each in written}


def text(form: str, trusted: Trust) -> str:
    """Give the only text of a form."""
    [one] = files(form, trusted).values()
    return one
