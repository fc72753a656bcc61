"""Attacks row 3: an issuer that is configured with a symmetric algorithm, alone or among others."""

import pytest

from tests.attacks.configuration import problem_of

ISSUER = """\
issuers:
  github:
    preset: github
    algorithms: [{algorithms}]
"""


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "none", "None", "hs256"])
@pytest.mark.parametrize("others", ["{}", "RS256, {}", "{}, RS256"])
def test_a_symmetric_algorithm_does_not_load(algorithm: str, others: str) -> None:
    problem = problem_of(ISSUER.format(algorithms=others.format(algorithm)))

    assert problem.startswith("policies.yaml:4:")
    assert f"`{algorithm}` proves no issuer; only asymmetric algorithms" in problem


@pytest.mark.parametrize("algorithm", ["RS257", "rs256", "ES256K", "dir", "A256GCM"])
def test_an_algorithm_that_does_not_exist_does_not_load(algorithm: str) -> None:
    problem = problem_of(ISSUER.format(algorithms=algorithm))

    assert f"there is no algorithm `{algorithm}`" in problem
