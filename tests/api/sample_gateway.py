"""A small gateway: one pipeline of three calls, and a world in which all is well."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeAlias

import httpx
from fastapi import APIRouter, Body, FastAPI, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gateway.api.application import application
from gateway.api.endpoints import health as ops
from gateway.api.endpoints.readiness import Readiness
from gateway.api.openapi.document import responses
from gateway.api.pipeline_route.route import PipelineRequest, PipelineRoute, Serving
from gateway.railway import (
    Aggregate,
    Call,
    Conflict,
    Invalid,
    Missing,
    NotFound,
    Ok,
    RateLimited,
    Result,
    Run,
    RunContext,
    Unauthorized,
    UpstreamFault,
    current_context,
    railway,
)

BasketError: TypeAlias = (
    NotFound | Conflict | Invalid | Unauthorized | RateLimited | UpstreamFault | Aggregate
)
Service: TypeAlias = Call[str, BasketError]
Answer: TypeAlias = Result[str, BasketError]

BASKET: Final[dict[str, Any]] = {"user_id": "user-1", "items": [{"id": "prod-1", "quantity": 2}]}
RECEIPT: Final[dict[str, Any]] = {"user": "user-1", "stock": "plenty", "gift": "socks"}


UserId: TypeAlias = Annotated[str, Path(max_length=10, examples=["user-1"])]


class Item(BaseModel):
    """What is bought."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    quantity: int = Field(default=1, ge=1, le=1000)


class Basket(BaseModel):
    """Who buys what."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user_id: str = Field(min_length=1, max_length=10)
    items: list[Item] = Field(min_length=1)
    weight: float | None = None


class Receipt(BaseModel):
    """What was bought."""

    user: str
    stock: str
    gift: str | None


def gives(name: str, result: Answer) -> Service:
    """Make a call that comes to *result* at once."""

    async def attempt() -> Answer:
        return result

    return Call(name, attempt)


def breaks(name: str, bug: BaseException) -> Service:
    """Make a call that raises *bug*."""

    async def attempt() -> Answer:
        raise bug

    return Call(name, attempt)


@dataclass
class Hanging:
    """A call that never answers, and notes when it has started and when it has been cancelled."""

    name: str
    has_started: asyncio.Event = field(default_factory=asyncio.Event)
    was_cancelled: bool = False

    @property
    def call(self) -> Service:
        return Call(self.name, self._attempt)

    async def _attempt(self) -> Answer:
        self.has_started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.was_cancelled = True
        raise AssertionError


@dataclass
class World:
    """The services, each a call that a test may replace; *seen* are the context of the runs."""

    users: Service = field(default_factory=lambda: gives("users.fetch", Ok("user-1")))
    stock: Service = field(default_factory=lambda: gives("stock.check", Ok("plenty")))
    gifts: Service = field(default_factory=lambda: gives("gifts.pick", Ok("socks")))
    seen: list[RunContext] = field(default_factory=list[RunContext])


@railway
async def buy(run: Run[BasketError], basket: Basket, world: World) -> Receipt:
    """Look up who buys and what there is, then pick a gift."""
    world.seen.append(current_context())
    user, stock = await run.stage("core data", world.users, world.stock)
    (gift,) = await run.stage("extras", world.gifts.optional())
    assert basket.items
    return Receipt(user=user, stock=stock, gift=None if isinstance(gift, Missing) else gift)


@railway
async def look_up(run: Run[BasketError], user_id: str, world: World) -> str:
    """Look up one user."""
    (user,) = await run.stage("profile", world.users)
    return f"{user_id} is {user}"


def router(world: World) -> APIRouter:
    """Make the routes of the pipelines."""
    routes = APIRouter(route_class=PipelineRoute, tags=["pipelines"])

    @routes.post("/baskets", responses=responses(buy, example=RECEIPT), response_model=Receipt)
    async def post_basket(
        basket: Annotated[Basket, Body(openapi_examples={"socks": {"value": BASKET}})],
        request: PipelineRequest,
    ) -> Response:
        """Buy what is in the basket."""
        return request.answer(await buy.on(request.context)(basket, world))

    @routes.get("/users/{user_id}", responses=responses(look_up, example="user-1"), response_model=str)
    async def get_user(user_id: UserId, request: PipelineRequest) -> Response:
        """Look up a user."""
        return request.answer(await look_up.on(request.context)(user_id, world), {"Location": "/me"})

    return routes


def gateway(world: World, serving: Serving | None = None, *, cors_origins: Sequence[str] = ()) -> FastAPI:
    """Wire the app as a composition root would."""
    routers = router(world), ops.router(Readiness({}))
    return application(serving or Serving(), *routers, cors_origins=cors_origins)


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Give a client that talks to *app* without a network."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client
