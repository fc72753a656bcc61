"""Policy files that must not load."""

import pytest

from broker.core.errors import ConfigurationError
from broker.policy_files import LoadedPolicies, load_texts


def load_policies(text: str, *, loopback: bool = True) -> LoadedPolicies:
    """Load one policy file as a broker does when it starts. Raises `ConfigurationError`."""
    return load_texts(
        {"policies.yaml": text},
        broker_issuer="http://127.0.0.1:8080" if loopback else "https://broker.example.com",
        token_defaults=(600, 3600),
        signing_algorithms=("RS256", "ES256"),
        loopback=loopback,
    )


def problem_of(text: str, *, loopback: bool = True) -> str:
    """Give the one problem for which a policy file does not load."""
    with pytest.raises(ConfigurationError) as refused:
        load_policies(text, loopback=loopback)

    (problem,) = refused.value.problems
    return str(problem)
