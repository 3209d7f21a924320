"""The HTTP floor without its routes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from fastapi import Depends, FastAPI

from gateway.api.application import application
from gateway.api.route import Serving
from tests.api.world import World, router


def nothing() -> None: ...


async def test_the_lifespan_is_lived() -> None:
    lived: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        lived.append(app.title)
        yield
        lived.append("end")

    app = application(Serving(), lifespan=lifespan)
    async with app.router.lifespan_context(app):
        assert lived == ["fanout-gateway"]

    assert lived == ["fanout-gateway", "end"]


async def test_an_app_whose_pipelines_would_forget_dependencies_does_not_start() -> None:
    app = application(Serving())
    app.include_router(router(World()), dependencies=[Depends(nothing)])

    with pytest.raises(TypeError, match="keeps no dependencies"):
        async with app.router.lifespan_context(app):
            raise AssertionError


async def test_an_app_without_a_lifespan_starts() -> None:
    app = application(Serving())

    async with app.router.lifespan_context(app):
        assert app.state.serving == Serving()
