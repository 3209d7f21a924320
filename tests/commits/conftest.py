"""A world in which all is well."""

import pytest

from tests.commits.world import World


@pytest.fixture
async def world() -> World:
    return World()
