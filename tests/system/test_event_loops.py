"""An app in several event loops, one after the other, with calls to real mock services."""

import asyncio
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Protocol, TypeAlias, cast

import httpx
import pytest
import uvloop
from starlette.exceptions import StarletteDeprecationWarning

from gateway.api.application import Gateway
from gateway.app import create_app
from gateway.services import SERVICES
from gateway.settings import default_settings
from tests.system.stack import ORDER, mocks


class Client(AbstractContextManager["Client"], Protocol):
    """Starlette's test client, whose own types need httpx2."""

    def post(self, url: str, *, json: object) -> httpx.Response: ...


CreateClient: TypeAlias = Callable[[Gateway], Client]


@pytest.fixture
def create_client() -> CreateClient:
    with warnings.catch_warnings():
        # Starlette prefers httpx2, a package that nothing else here needs.
        warnings.simplefilter("ignore", StarletteDeprecationWarning)
        return cast("CreateClient", import_module("starlette.testclient").TestClient)


@pytest.fixture(scope="module")
def app() -> Iterator[Gateway]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as urls:
        yield create_app(default_settings(SERVICES).with_urls(urls))


def order_twice(client: Client) -> list[int]:
    return [client.post("/orders", json=ORDER).status_code for _ in range(2)]


def test_app_starts_twice(app: Gateway, create_client: CreateClient) -> None:
    statuses: list[int] = []
    for _ in range(2):
        with create_client(app) as client:
            statuses += order_twice(client)

    assert statuses == [201] * 4


def test_app_serves_without_lifespan(app: Gateway, create_client: CreateClient) -> None:
    """Without `with`, each request of the test client has an event loop of its own, and nothing is closed."""
    assert order_twice(create_client(app)) + order_twice(create_client(app)) == [201] * 4


@pytest.mark.parametrize("create_loop", [asyncio.SelectorEventLoop, uvloop.Loop])
@pytest.mark.parametrize("has_lifespan", [True, False], ids=["lifespan", "no lifespan"])
def test_app_serves_in_two_loops(
    app: Gateway, create_loop: Callable[[], asyncio.AbstractEventLoop], *, has_lifespan: bool
) -> None:
    async def order() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return (await client.post("/orders", json=ORDER)).status_code

    async def order_in_lifespan() -> int:
        async with app.router.lifespan_context(app):
            return await order()

    statuses: list[int] = []
    for _ in range(2):
        with asyncio.Runner(loop_factory=create_loop) as runner:
            statuses.append(runner.run(order_in_lifespan() if has_lifespan else order()))

    assert statuses == [201, 201]
