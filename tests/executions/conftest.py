"""A world in which all is well."""

import pytest

from tests.executions.scripted_runs import World


@pytest.fixture
async def world() -> World:
    return World()
