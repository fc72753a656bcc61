"""For which services a form can work, and what of a service to change where it cannot."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from broker.snippets.trust import Misfit, Trust

ENTRA_AUDIENCES: Final = (
    "api://AzureADTokenExchange",
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


def misfits(rules: Rules, trust: Trust) -> Iterator[Misfit]:
    """Give every reason for which it cannot work."""
    service = trust.service
    if service.signing_alg not in rules.algorithms:
        taken = " or ".join(rules.algorithms)
        yield Misfit(
            "signing_alg",
            f"{rules.name} verifies {taken}, and this service's tokens are signed with"
            f" {service.signing_alg}; write `signing_alg: {rules.algorithms[0]}`",
        )
    if rules.jwt_alone and service.token_typ != "JWT":
        yield Misfit(
            "token_typ",
            f"{rules.name} is given tokens of type JWT, and this service's are"
            f" {service.token_typ}; write `token_typ: JWT`",
        )
    if rules.audiences and service.audience not in rules.audiences:
        yield Misfit(
            "audience",
            f"{rules.name} takes one audience alone; write `audience: {rules.audiences[0]}`",
        )
    parts = urlsplit(trust.issuer)
    if rules.https and parts.scheme != "https":
        yield Misfit(
            "issuer",
            f"{rules.name} fetches keys by https alone, and the issuer is {trust.issuer}; name the"
            " broker's public URL, as in `issuer: https://broker.example.com`",
        )
    elif not rules.port and parts.port is not None:
        yield Misfit(
            "issuer",
            f"{rules.name} takes no issuer with a port, and the issuer is {trust.issuer}; serve the"
            " broker at port 443, and name its URL without one",
        )
