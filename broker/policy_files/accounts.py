"""From entries of `service_accounts` to service accounts."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from broker.core.claim_templates import is_value
from broker.core.claims import text_of
from broker.core.errors import Problem
from broker.core.policy import Service, ServiceAccount
from broker.core.registry.members import MAX_METADATA_BYTES
from broker.core.shaped_claims import PATH_RULE
from broker.policy_files.catalogue import check_organizations, read_grants
from broker.policy_files.deployment import Deployment
from broker.policy_files.document_entries import Entry
from broker.policy_files.entries import Entries
from broker.policy_files.matchers import claim_fault
from broker.policy_files.models import ServiceAccountModel
from broker.policy_files.registered_keys import check_keys

MAX_JSON_INTEGER: Final = 2**53


def build_accounts(
    entries: Entries,
    services: Mapping[str, Service],
    deployment: Deployment,
    problems: list[Problem],
) -> dict[str, ServiceAccount]:
    """Make accounts of the entries; what is wrong with them goes to `problems`."""
    for entry in entries.service_accounts.values():
        check_keys(entry, problems, http_on_loopback=deployment.loopback)
    return {
        entry.name: _account(entry, entries, services, problems)
        for entry in entries.service_accounts.values()
    }


def _account(
    entry: Entry[ServiceAccountModel],
    entries: Entries,
    services: Mapping[str, Service],
    problems: list[Problem],
) -> ServiceAccount:
    model = entry.model
    _check_metadata(entry, problems)
    _check_instances(entry, problems)
    if model.organization is not None:
        check_organizations(entry, "organization", [model.organization], entries, problems)
    grants = read_grants(entry, model.grants, entries, services, problems)
    problems += _template_faults(entry, [services[name] for name in grants])
    return ServiceAccount(
        client_id=entry.name,
        grants=grants,
        description=model.description,
        owner=model.owner,
        organization=model.organization,
        ttl=model.ttl,
        max_ttl=model.max_ttl,
        metadata=dict(model.metadata),
        enabled=model.enabled,
        instances=tuple(model.instances),
        secrets_allowed=model.secrets == "allowed",
        jwks=model.jwks,
        jwks_uri=model.jwks_uri,
    )


def _check_metadata(entry: Entry[ServiceAccountModel], problems: list[Problem]) -> None:
    metadata = entry.model.metadata
    for name, value in metadata.items():
        if isinstance(value, (dict, list)):
            text = f"`{name}` must be a text, a whole number, true or false"
            problems.append(entry.problem(("metadata", name), text))
        elif isinstance(value, int) and abs(value) > MAX_JSON_INTEGER:
            text = f'`{name}` is too large for a number in JSON; quote it: "{value}"'
            problems.append(entry.problem(("metadata", name), text))
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        text = f"`metadata` is larger than {MAX_METADATA_BYTES} bytes as JSON"
        problems.append(entry.problem(("metadata",), text))


def _template_faults(
    entry: Entry[ServiceAccountModel], granted: Iterable[Service]
) -> Iterator[Problem]:
    """Report what the tokens of services name of the account, and it has not, or not so."""
    model = entry.model
    for service in granted:
        if service.shape is None:
            continue
        if service.shape.needs_organization and model.organization is None:
            text = f"tokens of `{service.name}` name the account's organization; give it one"
            yield entry.problem(("grants", service.name), text, at_key=True)
        for name in sorted(service.shape.metadata):
            value = text_of(model.metadata.get(name))
            if value is None:
                text = f"tokens of `{service.name}` name the account's metadata `{name}`; set it"
                yield entry.problem(("grants", service.name), text, at_key=True)
            elif not is_value(value, path=True):
                text = f"`{name}` goes into tokens of `{service.name}`: it must be {PATH_RULE}"
                yield entry.problem(("metadata", name), text)


def _check_instances(entry: Entry[ServiceAccountModel], problems: list[Problem]) -> None:
    earlier: set[str] = set()
    for index, claim in enumerate(entry.model.instances):
        fault = claim_fault(claim)
        if fault is None and ":" in claim:
            fault = "the name of an instance claim has no colon"
        if fault is None and claim in earlier:
            fault = f"`{claim}` is here twice"
        earlier.add(claim)
        if fault is not None:
            problems.append(entry.problem(("instances", index), fault))
