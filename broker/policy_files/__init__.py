"""The policy files: YAML in, a policy set out, or every problem with its place and its mending."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from broker.policy_files.build import LoadedPolicies, build
from broker.policy_files.deployment import (
    Attachment,
    Deployment,
    ReadAttachment,
    no_attachments,
)
from broker.policy_files.folder import read_attachment, read_folder, read_paths
from broker.policy_files.policy_tests import Expectation, PolicyTest
from broker.policy_files.run_tests import PolicyTestResult, refuse_failed, run

__all__ = [
    "Attachment",
    "Deployment",
    "Expectation",
    "LoadedPolicies",
    "PolicyTest",
    "PolicyTestResult",
    "load",
    "load_paths",
    "load_texts",
    "refuse_failed",
    "run",
]


def load(
    folder: Path,
    *,
    broker_issuer: str,
    token_defaults: tuple[int, int],
    signing_algorithms: Sequence[str],
    loopback: bool,
    dev_issuers: Mapping[str, str] | None = None,
) -> LoadedPolicies:
    """Load every policy file below a folder, the subfolder `dev/` only with `dev_issuers`.

    `token_defaults` are ttl and max_ttl in seconds for services that set none; `loopback` tells
    whether the broker is reached on loopback only; `dev_issuers` are URLs by name, `dev-github`
    and `dev-gitlab`. Raises `ConfigurationError` with all problems of all files.
    """
    texts, unread = read_folder(folder, dev=dev_issuers is not None)
    deployment = Deployment(
        broker_issuer,
        *token_defaults,
        tuple(signing_algorithms),
        loopback,
        dict(dev_issuers or {}),
        read_attachment,
    )
    return build(texts, deployment, unread)


def load_paths(
    paths: Sequence[Path],
    *,
    broker_issuer: str,
    token_defaults: tuple[int, int],
    signing_algorithms: Sequence[str],
    loopback: bool,
    dev_issuers: Mapping[str, str] | None = None,
) -> LoadedPolicies:
    """Load policy files named one by one, and folders, as one set. Otherwise like `load`."""
    texts, unread = read_paths(paths, dev=dev_issuers is not None)
    deployment = Deployment(
        broker_issuer,
        *token_defaults,
        tuple(signing_algorithms),
        loopback,
        dict(dev_issuers or {}),
        read_attachment,
    )
    return build(texts, deployment, unread)


def load_texts(
    texts: Mapping[str, str | bytes],
    *,
    broker_issuer: str,
    token_defaults: tuple[int, int],
    signing_algorithms: Sequence[str],
    loopback: bool,
    dev_issuers: Mapping[str, str] | None = None,
    attachments: ReadAttachment = no_attachments,
) -> LoadedPolicies:
    """Load policy files already read, by name; `attachments` finds the files that they name.

    Otherwise like `load`.
    """
    deployment = Deployment(
        broker_issuer,
        *token_defaults,
        tuple(signing_algorithms),
        loopback,
        dict(dev_issuers or {}),
        attachments,
    )
    return build(texts, deployment)
