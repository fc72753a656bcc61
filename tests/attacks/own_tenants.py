"""Policies that each have a tenant of their own, so that many can be tried on one broker.

A policy named `star` pins the repository or project whose id is the text `star`; a token for it
brings that id, and what it is allowed or not is the work of the policy's other conditions alone.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.core.errors import ConfigurationError
from broker.testing import FakeIssuer, FrozenClock
from tests.attacks.refusals import assert_refused
from tests.running_broker import NOW, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

_TENANT = {"github": "repository_id", "gitlab": "project_id"}


def policies_of_own_tenants(conditions: Mapping[str, str], *, issuer: str = "github") -> str:
    """Write an entry of `policies:` per name, with these conditions (YAML) beside its tenant."""
    return "".join(_entry(name, text, issuer) for name, text in conditions.items())


def _entry(name: str, conditions: str, issuer: str) -> str:
    match = f"{{{_TENANT[issuer]}: {name}{', ' if conditions else ''}{conditions}}}"
    return f"  {name}: {{service_account: deploy-web, issuer: {issuer}, match: {match}}}\n"


def from_github(broker: RunningBroker, tenant: str, **claims: Any) -> httpx.Response:
    """Exchange the base token with the id of another repository and other claims."""
    return broker.exchange(broker.github_token(repository_id=tenant, **claims))


def from_gitlab(broker: RunningBroker, tenant: str, **claims: Any) -> httpx.Response:
    """Exchange a GitLab token with the id of another project and other claims."""
    return broker.exchange(broker.gitlab_token(project_id=tenant, **claims))


def assert_permitted_by(
    broker: RunningBroker, answer: httpx.Response, policy: str
) -> Mapping[str, Any]:
    """Assert that this policy alone permitted; give the claims of the service token."""
    claims = verified(broker, answer)
    assert claims["policy"] == policy
    return claims


def assert_no_policy(broker: RunningBroker, answer: httpx.Response) -> None:
    """Assert that no policy held for a token."""
    assert_refused(broker, answer, "no_policy_matched")


def faults_at_start(folder: Path, texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Start a broker with more policy files than the usual one; give why it does not, by file.

    A problem is written as `line:column: message`.
    """
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    for name, text in texts.items():
        (policies / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigurationError) as refused, special_broker(folder):
        pass
    return _by_file(str(problem) for problem in refused.value.problems)


def _by_file(problems: Iterator[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in problems:
        file, _, rest = problem.partition(".yaml:")
        found.setdefault(Path(file).name + ".yaml", []).append(rest)
    return found


def further_issuer(folder: Path, name: str, url: str) -> FakeIssuer:
    """Make one more issuer, whose keys stand in `NAME.json` beside the policies of a broker."""
    issuer = FakeIssuer(url, algorithm="ES256", clock=FrozenClock(NOW))
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    (policies / f"{name}.json").write_text(json.dumps(issuer.jwks()))
    return issuer
