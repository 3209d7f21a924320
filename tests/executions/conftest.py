"""Registry with scripted runs and undos, as a fixture."""

import pytest

from tests.executions.scripted_runs import ScriptedRegistry


@pytest.fixture
async def scripted() -> ScriptedRegistry:
    return ScriptedRegistry()
