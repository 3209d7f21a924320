"""A small gateway: one pipeline of three calls, and a world in which all is well."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeAlias

import httpx
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admission.admission import Admission
from gateway.api.application import Gateway
from gateway.api.endpoints import health, pipelines, problems
from gateway.api.endpoints.readiness import Readiness
from gateway.api.idempotency.stored_response import StoredResponse
from gateway.api.pipeline_route.description import describe
from gateway.api.pipeline_route.registration import Route
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.api.state import GatewayState
from gateway.executions.memory_journal import MemoryJournal
from gateway.executions.registry import ExecutionRegistry
from gateway.observability.trace import Trace
from gateway.railway import (
    Aggregate,
    Call,
    CommitTerms,
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


UserId: TypeAlias = Annotated[str, Field(max_length=10, examples=["user-1"])]


class Item(BaseModel):
    """What is bought."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    quantity: int = Field(default=1, ge=1, le=1000)


class Basket(BaseModel):
    """Who buys what."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [BASKET]})

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
async def look_up(run: Run[BasketError], user_id: UserId, world: World) -> str:
    """Look up one user."""
    (user,) = await run.stage("profile", world.users)
    return f"{user_id} is {user}"


ROUTES: Final = (
    Route("POST", "/baskets", buy),
    Route("GET", "/users/{user_id}", look_up, headers={"Location": "/me"}),
)


def state(  # noqa: PLR0913 - the fields of the state
    *,
    deadline: float = 5.0,
    optional_budget: float = 0.5,
    executions: ExecutionRegistry[StoredResponse] | None = None,
    admission: Admission | None = None,
    on_trace: Callable[[str, Trace], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> GatewayState:
    """Return the state of an idle gateway."""
    return GatewayState(
        deadline=deadline,
        optional_budget=optional_budget,
        executions=executions or ExecutionRegistry(MemoryJournal(), {}, CommitTerms()),
        admission=admission or Admission(256),
        on_trace=on_trace,
        clock=clock,
    )


def gateway_of(
    *registered: Route,
    services: Mapping[str, object],
    shared: GatewayState | None = None,
    cors_origins: Sequence[str] = (),
    has_dry_runs: bool = False,
) -> Gateway:
    """Serve the *registered* routes as the composition root does, with or without their dry runs."""
    shared, readiness = shared or state(), Readiness({})
    routes = [PipelineRoute(route, services, shared) for route in registered]
    described = [describe(route) for route in routes] if has_dry_runs else []
    return Gateway(
        shared,
        readiness,
        title="sample",
        version="1.0",
        routes=routes,
        pipelines=described,
        routers=(health.build_router(readiness), problems.build_router(), pipelines.build_router(described)),
        cors_origins=cors_origins,
    )


def gateway(world: World, shared: GatewayState | None = None, *, cors_origins: Sequence[str] = ()) -> Gateway:
    """Serve the pipelines of this module."""
    return gateway_of(*ROUTES, services={"world": world}, shared=shared, cors_origins=cors_origins)


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Give a client that talks to *app* without a network."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client
