"""The policy files that stand in the pages, loaded as a broker loads them."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from broker.cli.policies.loading import DEV_ISSUERS
from broker.policy_files import Attachment, LoadedPolicies, load_texts
from tests.docs.markdown import Block, Page

MAPS = ("organizations", "issuers", "services", "service_accounts", "policies", "tests")

# What a page that shows a part leaves to the rest of the files.
_USUAL = {
    "issuers": "issuers: {github: {preset: github}, gitlab: {preset: gitlab}}\n",
    "services": (
        "services: {deploy-api: {audience: https://deploy.example.com,"
        " scopes: {deploy:read: See, deploy:write: Start}}}\n"
    ),
    "service_accounts": (
        "service_accounts: {deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}}\n"
    ),
}


class _WithReferences(yaml.SafeLoader):
    """YAML as GitLab reads it: `!reference [job, keyword]` is one more kind of value."""


def _reference(loader: _WithReferences, node: yaml.SequenceNode) -> list[str]:
    return [str(each) for each in loader.construct_sequence(node)]


_WithReferences.add_constructor("!reference", _reference)


def read_yaml(text: str) -> Any:
    """Read the YAML of a page, a pipeline's included."""
    return yaml.load(text, _WithReferences)  # noqa: S506 a SafeLoader all the same


def holds_policies(block: Block) -> bool:
    """Tell whether a block is a policy file: it has one of the maps, with entries."""
    content = read_yaml(block.text)
    return isinstance(content, dict) and any(
        isinstance(content.get(name), dict | list) for name in MAPS
    )


def completed(text: str) -> dict[str, str]:
    """Give files by their names: the text as `page.yaml`, and what it does not show."""
    files = {"page.yaml": text}
    needed = {"policies": list(_USUAL), "service_accounts": ["services"]}
    for shown, others in needed.items():
        if re.search(f"^{shown}:", text, re.MULTILINE):
            missing = [each for each in others if not re.search(f"^{each}:", text, re.MULTILINE)]
            files |= {f"{each}.yaml": _USUAL[each] for each in missing}
    return files


def load_text(text: str, attachments: Mapping[str, bytes] | None = None) -> LoadedPolicies:
    """Load one text, completed by what it does not show. Raises `ConfigurationError`."""
    # The fake platforms are there under `--dev` alone.
    dev = "issuer: dev-" in text
    return load_texts(
        completed(text),
        broker_issuer="http://127.0.0.1:8080" if dev else "https://broker.example.com",
        token_defaults=(600, 3600),
        signing_algorithms=["RS256", "ES256"],
        loopback=dev,
        dev_issuers=DEV_ISSUERS if dev else None,
        attachments=lambda _file, name: Attachment(f"/policies/{name}", (attachments or {})[name]),
    )


def load_block(section: str) -> LoadedPolicies:
    """Load the only block of YAML in a section."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return load_text(text)


def policy_blocks(page: Page) -> list[Block]:
    """List the blocks of a page that hold policies."""
    return [block for block in page.blocks("yaml") if holds_policies(block)]
