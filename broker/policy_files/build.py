"""From the documents of all files to one policy set, or to every problem in them."""

import gc
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from broker.core.errors import ConfigurationError, Problem
from broker.core.policy import Issuer, PolicySet
from broker.policy_files.accounts import build_accounts
from broker.policy_files.catalogue import build_services
from broker.policy_files.delegated import delegation_faults
from broker.policy_files.deployment import Deployment
from broker.policy_files.document_entries import IS_EMPTY, MODELS
from broker.policy_files.earlier_build import EarlierBuild
from broker.policy_files.entries import Entries, collect
from broker.policy_files.issuers import build_issuers
from broker.policy_files.policies import build_policies
from broker.policy_files.policy_tests import PolicyTest, build_tests
from broker.policy_files.references import References
from broker.yaml_document import Document, DocumentRefused, read

TEXT_KEYS = ("expires",)
"""Keys whose value may look like a date of YAML 1.1."""

_DEV_FILE = "serve --dev"


@dataclass(frozen=True, slots=True)
class LoadedPolicies:
    """A policy set, the tests that came with it, and the files that both were read from."""

    policy_set: PolicySet
    tests: tuple[PolicyTest, ...]
    sources: Mapping[str, Document]


@contextmanager
def without_collection() -> Iterator[None]:
    """Pause the cyclic garbage collector, which costs as much again as loading itself.

    Nothing here makes cycles, and everything made stays.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_document(text: str | bytes, file: str) -> Document:
    """Read the YAML of one policy file. Raises `DocumentRefused`."""
    return read(text, file, text_keys=TEXT_KEYS)


@without_collection()
def build(
    texts: Mapping[str, str | bytes],
    deployment: Deployment,
    unread: Iterable[Problem] = (),
    *,
    read_text: Callable[[str | bytes, str], Document] = read_document,
    earlier: EarlierBuild | None = None,
) -> LoadedPolicies:
    """Make a policy set of YAML texts by file name; their order leaves no trace.

    `unread` are the problems of files that could not be read; `read_text` stands in for
    `read_document` where some texts were read before; `earlier` keeps what is made of the same
    documents. Raises `ConfigurationError` with every problem of every file, sorted by place; names
    that a file may define of which nothing could be read are not called missing.
    """
    earlier = earlier or EarlierBuild()
    earlier.begin()
    problems = list(unread)
    complete = not problems
    sources: dict[str, Document] = {}
    for file in sorted(texts):
        try:
            sources[file] = read_text(texts[file], file)
        except DocumentRefused as error:
            problems += error.problems
            if error.document is not None:
                sources[file] = error.document
            else:
                complete = False
    misread = frozenset(problems)
    documents = [*_dev_documents(deployment), *sources.values()]
    entries = collect(map(earlier.entries_of, documents), problems, complete=complete)
    issuers = build_issuers(entries.issuers.values(), deployment, problems)
    services = build_services(entries, deployment, problems)
    accounts = build_accounts(entries, services, deployment, problems)
    policies = build_policies(References(issuers, services, entries), problems, earlier)
    tests = build_tests(entries, problems)
    problems += delegation_faults(sources.values(), entries, deployment)
    if problems:
        raise ConfigurationError(_worth_telling(problems, entries, misread))
    organizations = {
        name: entry.model.description for name, entry in sorted(entries.organizations.items())
    }
    policy_set = PolicySet(
        issuers=dict(sorted(issuers.items())),
        services=dict(sorted(services.items())),
        service_accounts=dict(sorted(accounts.items())),
        policies=dict(sorted(policies.items())),
        organizations=organizations,
        version=_version(documents, issuers, deployment),
    )
    return LoadedPolicies(policy_set, tests, sources)


def _dev_documents(deployment: Deployment) -> Iterable[Document]:
    """Write the dev platform's issuers as a file would, so that the same rules hold for them."""
    if deployment.dev_issuers:
        entries = {
            name: {"preset": name.removeprefix("dev-"), "issuer": url}
            for name, url in deployment.dev_issuers.items()
        }
        yield read(json.dumps({"issuers": entries}), _DEV_FILE)


def _worth_telling(
    problems: Iterable[Problem], entries: Entries, misread: Collection[Problem]
) -> list[Problem]:
    """Sort by place; of a value that is misread or empty no more is told than that."""
    misread_at = {_place(problem) for problem in misread if problem.line}
    told = {
        problem
        for problem in problems
        if problem in misread
        or (
            _place(problem) not in misread_at
            and (_place(problem) not in entries.empty or problem.message.endswith(IS_EMPTY))
        )
    }
    return sorted(told, key=lambda each: (*_place(each), each.message))


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _version(
    documents: Iterable[Document], issuers: Mapping[str, Issuer], deployment: Deployment
) -> str:
    """Digest everything that can change a decision or a token, whichever file it stands in."""
    content: dict[str, object] = {section: {} for section in MODELS}
    for document in documents:
        for section, entries in document.value.items():
            merged = content.get(section)
            if isinstance(merged, dict) and isinstance(entries, dict):
                merged |= entries
    content["jwks"] = {
        name: hashlib.sha256(issuer.keys.document).hexdigest()
        for name, issuer in issuers.items()
        if issuer.keys.document is not None
    }
    content["ca"] = {
        name: hashlib.sha256(issuer.keys.ca_certificates).hexdigest()
        for name, issuer in issuers.items()
        if issuer.keys.ca_certificates is not None
    }
    content["folders"] = {each.folder: each.as_json() for each in deployment.folders}
    content["broker"] = [
        deployment.broker_issuer,
        deployment.ttl,
        deployment.max_ttl,
        list(deployment.signing_algorithms),
    ]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
