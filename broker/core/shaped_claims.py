"""The claims of a service's own, filled in for one decision, or the template that cannot be.

Nothing is escaped into something else and nothing is left out: a session tag or a group that is
missing could widen what a rule at the other end denies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

from broker.core.claim_templates import (
    MAX_TEXT,
    Placeholder,
    Template,
    is_value,
)
from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.platforms import Platform
from broker.core.policy import Service, ServiceAccount
from broker.core.record import record
from broker.core.reserved_claims import AWS_TAGS
from broker.core.token_profiles import PROFILES
from broker.core.token_shape import ClaimTemplate, TokenShape, claim_of_job

VALUE_RULE: Final = "up to 100 of A-Z a-z 0-9 . _ -"
PATH_RULE: Final = f"{VALUE_RULE}, or several such segments with / between them"


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """A template that cannot be filled in for a decision, and what to change."""

    service: str
    place: str
    """Where it stands in the service's entry, as `claims.groups`."""

    template: str
    problem: str
    fix: str

    def __str__(self) -> str:
        """Say which template it is, and why."""
        return f"{self.place} '{self.template}' of service {self.service}: {self.problem}"


@record
class JobFacts:
    """What may be said of the job behind a request."""

    claims: Claims
    platform: Platform | None
    pinned: frozenset[str]
    """The claims whose values a policy that permits the request writes out."""


NO_JOB: Final = JobFacts({}, None, frozenset())
"""For a client that has shown credentials of its own."""


class _Unfit(Exception):
    """A template that cannot be filled in."""

    def __init__(self, fault: TemplateFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def shaped_claims(
    service: Service, shape: TokenShape, account: ServiceAccount, sub: str, job: JobFacts
) -> Mapping[str, Any] | TemplateFault:
    """Fill in the shape of a service's tokens: the claims by name, or the first that cannot be."""
    filling = _Filling(service, account, sub, job)
    try:
        return _claims(shape, filling.text)
    except _Unfit as unfit:
        return unfit.fault


def skeleton(shape: TokenShape) -> Mapping[str, Any]:
    """Give the claims with nothing where placeholders stand."""
    return _claims(shape, _literal)


def _literal(_place: str, template: Template) -> str:
    return "".join(part for part in template.parts if isinstance(part, str))


Fill: TypeAlias = Callable[[str, Template], str]
"""Takes the place of a template and the template; gives its text."""


def _claims(shape: TokenShape, fill: Fill) -> dict[str, Any]:
    claims: dict[str, Any] = {
        name: _claim(f"claims.{name}", value, fill) for name, value in shape.claims.items()
    }
    if shape.session_tags:
        # As AWS STS reads them: each tag is a list of one value.
        tags = {
            key: [fill(f"session_tags.{key}", template)]
            for key, template in shape.session_tags.items()
        }
        claims[AWS_TAGS] = {"principal_tags": tags}
        if shape.transitive_tags:
            claims[AWS_TAGS]["transitive_tag_keys"] = list(shape.transitive_tags)
    return claims


def _claim(place: str, value: ClaimTemplate, fill: Fill) -> str | list[Any]:
    """Give a text, a list of texts, or a list of objects."""
    if isinstance(value, Template):
        return fill(place, value)
    return [
        fill(place, item)
        if isinstance(item, Template)
        else {name: _claim(f"{place}.{name}", member, fill) for name, member in item.items()}
        for item in value
    ]


@dataclass(frozen=True, slots=True)
class _Filling:
    """Fills in templates; raises `_Unfit` at the first that cannot be."""

    service: Service
    account: ServiceAccount
    sub: str
    job: JobFacts

    def text(self, place: str, template: Template) -> str:
        """Give the text of a template."""
        text = "".join(
            part if isinstance(part, str) else self._value(part, place, template)
            for part in template.parts
        )
        if len(text) > MAX_TEXT:
            self._refuse(
                f"it would be longer than {MAX_TEXT} characters",
                "name fewer or shorter things in it",
                place,
                template,
            )
        profile = PROFILES.get(self.service.profile or "")
        if profile and profile.own_prefix and text.startswith(profile.own_prefix):
            # Two values with a colon between them would do, each of them harmless.
            self._refuse(
                f"it would begin with {profile.own_prefix}, which belongs to {profile.name}",
                "begin it with a text of its own",
                place,
                template,
            )
        return text

    def _value(self, placeholder: Placeholder, place: str, template: Template) -> str:
        found: str | tuple[str, str]
        match placeholder.source:
            case "metadata":
                found = self._metadata(placeholder.name)
            case "workload":
                found = self._workload(placeholder.name)
            case "organization":
                found = self._organization()
            case "sub":
                found = self.sub
            case _:
                found = self.account.client_id
        if isinstance(found, str):
            return found
        return self._refuse(*found, place, template)

    def _metadata(self, name: str) -> str | tuple[str, str]:
        """Give a value, or what is wrong and how to mend it."""
        account = self.account.client_id
        text = text_of(self.account.metadata.get(name))
        if text is None:
            return (
                f"service account {account} has no metadata {name}",
                f"set metadata.{name} of service account {account}",
            )
        if not is_value(text, path=True):
            return (
                f"metadata {name} of service account {account} does not fit",
                f"set metadata.{name} of service account {account} to {PATH_RULE}",
            )
        return text

    def _organization(self) -> str | tuple[str, str]:
        if self.account.organization is not None:
            return self.account.organization
        account = self.account.client_id
        return (
            f"service account {account} has no organization",
            f"set the organization of service account {account}",
        )

    def _workload(self, name: str) -> str | tuple[str, str]:
        platform = self.job.platform
        claim = claim_of_job(name, platform)
        immutable = platform is not None and claim in platform.immutable_ids
        if not immutable and claim not in self.job.pinned:
            return (
                f"{claim} is no immutable id, and no policy that permits this pins it",
                f"pin {claim} to a literal in the policy's match, or name an immutable id instead",
            )
        text = text_of(self.job.claims.get(claim))
        if text is None:
            return (
                f"the token has no {claim}",
                f"send a token of a job that has {claim}, or name another claim",
            )
        path = platform is not None and claim in platform.tenant_paths
        if not is_value(text, path=path):
            rule = PATH_RULE if path else VALUE_RULE
            return (
                f"{claim} of the token does not fit",
                f"name a claim instead whose values are {rule}",
            )
        folded = platform is not None and claim in platform.folded
        return fold_ascii(text) if folded else text

    def _refuse(self, problem: str, fix: str, place: str, template: Template) -> NoReturn:
        raise _Unfit(TemplateFault(self.service.name, place, template.text, problem, fix))
