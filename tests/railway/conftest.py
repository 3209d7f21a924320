"""A healthy world for every test, and no task left behind by any."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.railway.scripted_calls import World
from tests.railway.scripted_writes import Bank


@pytest.fixture(autouse=True)
async def no_task_is_left_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}

    assert not left


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def bank() -> Bank:
    return Bank()
