"""A healthy world, and a client of the gateway in it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.sample_gateway import World, client_of, gateway


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(gateway(world)) as client:
        yield client
