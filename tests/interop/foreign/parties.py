"""Relying parties in other languages, each asked as tests/interop/verifiers.py asks its own."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.docs.markdown import Page
from tests.interop.foreign.programs import ROOT, DidNotStart, answers
from tests.interop.foreign.servers import ACCESS, lets_call, lets_pull, registry, resource_server
from tests.interop.foreign.vault import Vault
from tests.interop.foreign.versions import versions
from tests.interop.verifiers import Presented, Service, Verify
from tests.verify.publishing import publishing

CONFIGURATION: Final = ROOT / "examples/services/kubernetes/authentication-config.yaml"

GUIDE: Final = Page("docs/guides/vault.md")

AtOneService = Callable[[Service, Mapping[str, Any], list[str]], list[bool]]


@dataclass(frozen=True)
class Party:
    """A row of the page."""

    version: str
    at_one_service: AtOneService
    token_type: str = "at+jwt"
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verify(self) -> Verify:
        """Set the party up for each service once, and show it the tokens for that one."""

        def verify(many: Sequence[Presented]) -> list[bool]:
            told: dict[int, bool] = {}
            for service in dict.fromkeys(one.service for one in many):
                here = [place for place, one in enumerate(many) if one.service == service]
                tokens = [many[place].token for place in here]
                told |= zip(
                    here, self.at_one_service(service, many[here[0]].jwks, tokens), strict=True
                )
            return [told[place] for place in range(len(many))]

        return verify


@contextmanager
def published(jwks: Mapping[str, Any]) -> Iterator[str]:
    """Serve a key set until the block ends; gives its URL."""
    with publishing() as publisher:
        publisher.document = json.dumps(jwks).encode()
        yield publisher.url + "/jwks.json"


def by_go(library: str, service: Service, jwks: Mapping[str, Any], tokens: list[str]) -> list[bool]:
    with published(jwks) as url:
        asked = [{"token": token, "jwks": url, **vars(service)} for token in tokens]
        return answers("verifiers", [library], asked)


def authentication_configuration(service: Service, certificates: str = "") -> str:
    """Give the example with the issuer and audience of a service."""
    text = CONFIGURATION.read_text()
    text = text.replace("https://kubernetes.example.com", service.audience)
    issuer = f"url: {service.issuer}"
    if certificates:
        indented = "".join(f"        {line}\n" for line in certificates.splitlines())
        issuer += f"\n      certificateAuthority: |\n{indented}"
    return text.replace("url: https://broker.example.com\n", issuer + "\n")


def by_kubernetes(service: Service, jwks: Mapping[str, Any], tokens: list[str]) -> list[bool]:
    with tempfile.TemporaryDirectory() as folder, published(jwks) as url:
        file = Path(folder, "authentication-config.yaml")
        file.write_text(authentication_configuration(service))
        return answers("kubernetes", [str(file), url], [{"token": token} for token in tokens])


def by_registry(service: Service, jwks: Mapping[str, Any], tokens: list[str]) -> list[bool]:
    with registry(service, json.dumps(jwks)) as url:
        return [lets_pull(url, token) for token in tokens]


def by_spring(service: Service, jwks: Mapping[str, Any], tokens: list[str]) -> list[bool]:
    try:
        with published(jwks) as keys, resource_server(service, keys) as url:
            return [lets_call(url, token) for token in tokens]
    except DidNotStart:
        # It knows no EdDSA, and says so at its start.
        if service.algorithm != "EdDSA":
            raise
        return [False for _ in tokens]


def by_vault(
    vault: Vault, service: Service, jwks: Mapping[str, Any], tokens: list[str]
) -> list[bool]:
    """The method `jwt` with the role of docs/guides/vault.md."""
    with published(jwks) as url:
        vault.write(
            "auth/jwt/config",
            {
                "jwks_url": url,
                "bound_issuer": service.issuer,
                "jwt_supported_algs": [service.algorithm],
            },
        )
        vault.write("auth/jwt/role/interop", role(service.audience))
        return [vault.login("interop", token) is not None for token in tokens]


def role(audience: str, account: str = "deploy-web") -> dict[str, Any]:
    """Give the role of docs/guides/vault.md, for an audience and an account."""
    (script,) = [block.text for block in GUIDE.blocks("sh") if "JSON" in block.text]
    shown: dict[str, Any] = json.loads(script.partition("<<'JSON'\n")[2].partition("\nJSON")[0])
    bound = {**shown["bound_claims"], "client_id": account}
    return {**shown, "bound_audiences": [audience], "bound_claims": bound}


def parties(vaults: Mapping[str, Vault]) -> dict[str, Party]:
    """Give every party, by its name in docs/reference/interop.md."""
    version = versions()
    at_jwt, jwt = "Spring Boot, `at+jwt`", "Spring Boot, `JWT`"
    return {
        "go-oidc": Party(version["go-oidc"], partial(by_go, "go-oidc")),
        "go-oidc and RFC 9068": Party(
            version["go-oidc and RFC 9068"], partial(by_go, "go-oidc+rfc9068")
        ),
        "cap": Party(version["cap"], partial(by_go, "cap")),
        "cap and RFC 9068": Party(version["cap and RFC 9068"], partial(by_go, "cap+rfc9068")),
        "Kubernetes": Party(version["Kubernetes"], by_kubernetes),
        "distribution": Party(version["distribution"], by_registry, claims={"access": ACCESS}),
        at_jwt: Party(version[at_jwt], by_spring),
        jwt: Party(version[jwt], by_spring, "JWT"),
        **{name: Party(version[name], partial(by_vault, vaults[name])) for name in vaults},
    }
