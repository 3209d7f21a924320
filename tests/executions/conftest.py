"""Fixture of the registry tests."""

import pytest

from tests.executions.scripted_runs import ScriptedRegistry


@pytest.fixture
async def scripted() -> ScriptedRegistry:
    return ScriptedRegistry()
