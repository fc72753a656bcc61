import pytest

from tests.policy_files.conftest import a_jwks


@pytest.fixture(scope="session")
def jwks() -> bytes:
    """A JWKS document with one key for ES256."""
    return a_jwks()
