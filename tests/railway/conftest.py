"""Healthy services and an empty bank for each test, and a check for leftover tasks."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.railway.scripted_calls import Services
from tests.railway.scripted_writes import Bank


@pytest.fixture(autouse=True)
async def forbid_leftover_tasks() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}

    assert not left


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def bank() -> Bank:
    return Bank()
