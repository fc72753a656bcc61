"""The policy files: YAML in, a policy set out, or every problem with its place and its mending."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from broker.core.delegation import Delegation
from broker.policy_files.build import LoadedPolicies, build
from broker.policy_files.deployment import (
    Attachment,
    Deployment,
    ReadAttachment,
    no_attachments,
)
from broker.policy_files.folder import read_attachment, read_folder, read_paths
from broker.policy_files.policy_tests import Expectation, PolicyTest
from broker.policy_files.positions import as_named, below, wherever_below
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
    folders: Sequence[Delegation] = (),
) -> LoadedPolicies:
    """Load every policy file below a folder, the subfolder `dev/` only with `dev_issuers`.

    `token_defaults` are ttl and max_ttl in seconds for services that set none; `loopback` tells
    whether the broker is reached on loopback only; `dev_issuers` are URLs by name, `dev-github`
    and `dev-gitlab`; `folders` are those that are delegated. Raises `ConfigurationError` with all
    problems of all files.
    """
    texts, unread = read_folder(folder, dev=dev_issuers is not None, folders=folders)
    deployment = Deployment(
        broker_issuer,
        *token_defaults,
        tuple(signing_algorithms),
        loopback,
        dict(dev_issuers or {}),
        read_attachment,
        folders=folders,
        positions_of=below(folder),
    )
    return build(texts, deployment, unread)


def load_paths(  # noqa: PLR0913 - as many as a set depends on
    paths: Sequence[Path],
    *,
    broker_issuer: str,
    token_defaults: tuple[int, int],
    signing_algorithms: Sequence[str],
    loopback: bool,
    dev_issuers: Mapping[str, str] | None = None,
    policy_folder: Path = Path(),
    folders: Sequence[Delegation] = (),
    edited: Mapping[str, bytes] = MappingProxyType({}),
) -> LoadedPolicies:
    """Load policy files named one by one, and folders, as one set. Otherwise like `load`.

    What is delegated of `policy_folder` may not hold more here than when the whole of it is loaded.
    `edited` are texts, by file, that stand in for what some of the files hold.
    """
    texts, unread = read_paths(
        paths, dev=dev_issuers is not None, policy_folder=policy_folder, folders=folders
    )
    texts |= {file: text for file, text in edited.items() if file in texts}
    deployment = Deployment(
        broker_issuer,
        *token_defaults,
        tuple(signing_algorithms),
        loopback,
        dict(dev_issuers or {}),
        read_attachment,
        folders=folders,
        positions_of=wherever_below(policy_folder),
    )
    return build(texts, deployment, unread)


def load_texts(  # noqa: PLR0913 - the same
    texts: Mapping[str, str | bytes],
    *,
    broker_issuer: str,
    token_defaults: tuple[int, int],
    signing_algorithms: Sequence[str],
    loopback: bool,
    dev_issuers: Mapping[str, str] | None = None,
    attachments: ReadAttachment = no_attachments,
    folders: Sequence[Delegation] = (),
) -> LoadedPolicies:
    """Load policy files already read, by name; `attachments` finds the files that they name.

    Names are paths below the policy folder. Otherwise like `load`.
    """
    deployment = Deployment(
        broker_issuer,
        *token_defaults,
        tuple(signing_algorithms),
        loopback,
        dict(dev_issuers or {}),
        attachments,
        folders=folders,
        positions_of=as_named,
    )
    return build(texts, deployment)
