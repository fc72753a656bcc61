"""What a relying party has to know: who issues, for which service, and whom it may be bound to."""

from dataclasses import dataclass

from broker.core.policy import Service


@dataclass(frozen=True, slots=True)
class Trust:
    """One service of a broker, as whoever takes its tokens sees it.

    `issuer` is the broker's URL; `scopes` are those that a caller must have, all of them;
    `subjects` are the values of `sub` that a form may bind to, by service account.
    """

    issuer: str
    service: Service
    scopes: tuple[str, ...] = ()
    subjects: tuple["Subject", ...] = ()

    @property
    def jwks_uri(self) -> str:
        """Where the broker publishes its keys."""
        return f"{self.issuer}/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class Subject:
    """One identity that tokens of the service may have."""

    account: str
    sub: str
    """The account's id, or one instance of it, as `repo-ci:repository_id:456789`."""


@dataclass(frozen=True, slots=True)
class SnippetFile:
    """A text to paste, and what its file is usually called."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a form cannot work for a service, and what to change.

    `field` is that of the service's entry in the policy files, or `issuer` of the configuration.
    """

    field: str
    message: str
