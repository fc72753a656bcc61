import pytest

from tests.core.registry.world import World


@pytest.fixture
def world() -> World:
    """Nothing but what the policy files say."""
    return World()
