"""What the description of the API allows and forbids, sent to a broker: each endpoint keeps to it.

The requests are drawn from `/openapi.json`: good ones, bad ones, other methods, no credentials.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.operators import bearer
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

FUZZED = """\
service_accounts:
  operator: {grants: {broker: ["broker:*"]}}
policies:
  as-operator:
    service_account: operator
    issuer: github
    match: {repository_id: 456789, environment: operator}
"""
# What is drawn as a CI token verifies nowhere, so that a request of the right form is refused, too.
CONFIGURATION = """\
headers = {{ Authorization = "{authorization}" }}
generation.max-examples = 10
generation.database = "none"
generation.deterministic = true
phases.stateful.enabled = false

# What an account may be granted, which accounts there are, which claims, and what a policy file
# holds, no schema can say.
[[operations]]
include-path-regex = "^/api/v1/(service-accounts|blocks|issuers|policies/simulate)"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "^/oauth/|^/api/v1/auth/token$"
headers = {{}}
checks.positive_data_acceptance.enabled = false
"""


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, FUZZED) as broker:
        yield broker


def description(broker: RunningBroker) -> dict[str, Any]:
    """Give the description without cursors: none that is drawn is of the list it is sent to."""
    document: dict[str, Any] = broker.request("GET", "/openapi.json").json()
    for methods in document["paths"].values():
        for operation in methods.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [each for each in parameters if each["name"] != "cursor"]
    return document


def test_every_endpoint_keeps_to_its_description(fuzzed: RunningBroker, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(description(fuzzed)))
    authorization = bearer(fuzzed, "operator")["Authorization"]
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.format(authorization=authorization))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", f"--config-file={configuration}"),
            *("run", "openapi.json", "--url", fuzzed.url, "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
