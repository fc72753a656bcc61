"""The forms in which a relying party is told of a service, as a table: one row for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from broker.snippets import (
    entra,
    envoy,
    gcp,
    go,
    kubernetes,
    nginx,
    node,
    python,
    spring,
    terraform_aws,
    vault,
)
from broker.snippets.fitness import AWS, ENTRA, GCP, KUBERNETES, RSA_AND_EC, Rules
from broker.snippets.trust import SnippetFile, Trust


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of relying party is configured."""

    name: str
    files: Callable[[Trust], list[SnippetFile]]
    rules: Rules
    asks_scopes: bool = False
    """Whether it looks at scopes."""

    binds_subjects: bool = False
    """Whether it names the identities that it lets in."""


_FORMS: Final = (
    Form("python", python.files, Rules("Python"), asks_scopes=True),
    Form("node", node.files, Rules("Node"), asks_scopes=True),
    Form("go", go.files, Rules("Go"), asks_scopes=True),
    Form("spring", spring.files, Rules("Spring", RSA_AND_EC), asks_scopes=True),
    Form("envoy", envoy.files, Rules("Envoy"), asks_scopes=True),
    Form("nginx", nginx.files, Rules("nginx"), asks_scopes=True),
    Form("kubernetes", kubernetes.files, KUBERNETES, binds_subjects=True),
    Form("terraform-aws", terraform_aws.files, AWS, binds_subjects=True),
    Form("gcp", gcp.files, GCP, binds_subjects=True),
    Form("entra", entra.files, ENTRA, binds_subjects=True),
    Form("vault", vault.files, Rules("Vault"), binds_subjects=True),
)

FORMS: Final[Mapping[str, Form]] = MappingProxyType({form.name: form for form in _FORMS})
