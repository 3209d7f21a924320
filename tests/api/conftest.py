"""Healthy fake services, and a client of the sample gateway in front of them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.sample_gateway import FakeServices, build_sample_gateway, create_client


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture
async def client(services: FakeServices) -> AsyncIterator[httpx.AsyncClient]:
    async with create_client(build_sample_gateway(services)) as client:
        yield client
