"""For which services a form can work, and what of a service to change where it cannot."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from broker.core.token_profiles import PROFILES, TOKEN_TYP, TokenProfile
from broker.snippets.trust import Misfit, Trust

ENTRA_OF_OTHER_CLOUDS: Final = (
    "api://AzureADTokenExchangeUSGov",
    "api://AzureADTokenExchangeChina",
)

RSA_AND_EC: Final = ("RS256", "ES256")
ALL: Final = ("RS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a form's program or cloud takes."""

    name: str
    """How messages call it."""

    algorithms: tuple[str, ...] = ALL
    jwt_alone: bool = False
    """Whether it is for `token_typ: JWT`, so that no service of your own takes its tokens."""

    https: bool = False
    port: bool = True
    """Whether the issuer may name a port."""

    audiences: tuple[str, ...] = ()
    """The audiences it knows; any where there are none."""

    profile: str | None = None
    """The `profile` of services that are for it, None where there is no such."""


def of_profile(name: str, profile: TokenProfile, *, jwt_alone: bool = True) -> Rules:
    """Take the rules from the table of profiles."""
    return Rules(
        name,
        profile.algorithms,
        jwt_alone=jwt_alone,
        https=True,
        port=profile.port_allowed,
        audiences=(profile.audience, *ENTRA_OF_OTHER_CLOUDS) if profile.audience else (),
        profile=profile.name,
    )


AWS: Final = of_profile("AWS", PROFILES["aws"])
GCP: Final = of_profile("Google Cloud", PROFILES["gcp"])
ENTRA: Final = of_profile("Entra", PROFILES["entra"])
# The API server looks at no type, and a cluster may well be a service like others.
KUBERNETES: Final = of_profile("Kubernetes", PROFILES["kubernetes"], jwt_alone=False)


def misfits(rules: Rules, trust: Trust) -> Iterator[Misfit]:
    """Give every reason for which it cannot work."""
    service = trust.service
    if rules.profile and service.profile not in (None, rules.profile):
        yield Misfit(
            "profile",
            f"this service's tokens are for {service.profile}; make a service of its own for"
            f" {rules.name}, with `profile: {rules.profile}`",
        )
        return
    if service.signing_alg not in rules.algorithms:
        taken = " or ".join(rules.algorithms)
        yield Misfit(
            "signing_alg",
            f"{rules.name} verifies {taken}, and this service's tokens are signed with"
            f" {service.signing_alg}; write `signing_alg: {rules.algorithms[0]}`",
        )
    if rules.jwt_alone and service.token_typ != TOKEN_TYP:
        yield Misfit(
            "token_typ",
            f"{rules.name} is given tokens of type {TOKEN_TYP}, and this service's are"
            f" {service.token_typ}; write `profile: {rules.profile}`, or `token_typ: {TOKEN_TYP}`",
        )
    if rules.audiences and service.audience not in rules.audiences:
        yield Misfit(
            "audience",
            f"{rules.name} takes one audience alone; write `audience: {rules.audiences[0]}`",
        )
    yield from _of_issuer(rules, trust.issuer)


def _of_issuer(rules: Rules, issuer: str) -> Iterator[Misfit]:
    parts = urlsplit(issuer)
    if rules.https and parts.scheme != "https":
        yield Misfit(
            "issuer",
            f"{rules.name} fetches keys by https alone, and the issuer is {issuer}; name the"
            " broker's public URL, as in `issuer: https://broker.example.com`",
        )
    elif not rules.port and parts.port is not None:
        yield Misfit(
            "issuer",
            f"{rules.name} takes no issuer with a port, and the issuer is {issuer}; serve the"
            " broker at port 443, and name its URL without one",
        )
