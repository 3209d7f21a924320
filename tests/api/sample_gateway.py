"""Small gateway with two reading pipelines, and healthy fake services."""

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
from gateway.api.admission.caller import CallerDependency
from gateway.api.application import Gateway
from gateway.api.endpoints import health, pipelines, problems
from gateway.api.endpoints.readiness import Readiness
from gateway.api.pipeline_route.description import describe, list_own_errors
from gateway.api.pipeline_route.registration import Route
from gateway.api.pipeline_route.route import build_routes
from gateway.api.state import GatewayState
from gateway.executions.database import create_database
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.store import ExecutionStore
from gateway.observability.metrics.request_metrics import RequestMetrics
from gateway.observability.server_timing import ServerTiming
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
FakeCall: TypeAlias = Call[str, BasketError]
CallResult: TypeAlias = Result[str, BasketError]

BASKET: Final[dict[str, Any]] = {"user_id": "user-1", "items": [{"id": "prod-1", "quantity": 2}]}
RECEIPT: Final[dict[str, Any]] = {"user": "user-1", "stock": "plenty", "gift": "socks"}


UserId: TypeAlias = Annotated[str, Field(max_length=10, examples=["user-1"])]


class Item(BaseModel):
    """Item of a basket."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    quantity: int = Field(default=1, ge=1, le=1000)


class Basket(BaseModel):
    """User and items of a purchase."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [BASKET]})

    user_id: str = Field(min_length=1, max_length=10)
    items: list[Item] = Field(min_length=1)
    weight: float | None = None


class Receipt(BaseModel):
    """Response to a purchase."""

    user: str
    stock: str
    gift: str | None


def build_call(name: str, result: CallResult) -> FakeCall:
    """Build a call that returns *result* immediately."""

    async def attempt() -> CallResult:
        return result

    return Call(name, attempt)


def build_raising_call(name: str, bug: BaseException) -> FakeCall:
    """Build a call that raises *bug*."""

    async def attempt() -> CallResult:
        raise bug

    return Call(name, attempt)


@dataclass
class HangingCall:
    """Call that never returns; it records its start and its cancellation."""

    name: str
    has_started: asyncio.Event = field(default_factory=asyncio.Event)
    was_cancelled: bool = False

    @property
    def call(self) -> FakeCall:
        return Call(self.name, self._attempt)

    async def _attempt(self) -> CallResult:
        self.has_started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.was_cancelled = True
        raise AssertionError


@dataclass
class FakeServices:
    """Calls of the services, which a test may replace, and the *contexts* of the runs."""

    users: FakeCall = field(default_factory=lambda: build_call("users.fetch", Ok("user-1")))
    stock: FakeCall = field(default_factory=lambda: build_call("stock.check", Ok("plenty")))
    gifts: FakeCall = field(default_factory=lambda: build_call("gifts.pick", Ok("socks")))
    contexts: list[RunContext] = field(default_factory=list[RunContext])


@railway
async def buy(run: Run[BasketError], basket: Basket, services: FakeServices) -> Receipt:
    """Look up the user and the stock, then pick a gift."""
    services.contexts.append(current_context())
    user, stock = await run.stage("core data", services.users, services.stock)
    (gift,) = await run.stage("extras", services.gifts.optional())
    assert basket.items
    return Receipt(user=user, stock=stock, gift=None if isinstance(gift, Missing) else gift)


@railway
async def look_up(run: Run[BasketError], user_id: UserId, services: FakeServices) -> str:
    """Look up a user."""
    (user,) = await run.stage("profile", services.users)
    return f"{user_id} is {user}"


ROUTES: Final = (
    Route("POST", "/baskets", buy),
    Route("GET", "/users/{user_id}", look_up, headers={"Location": "/me"}),
)


def build_state(  # noqa: PLR0913 - the fields of the state
    *,
    deadline: float = 5.0,
    optional_budget: float = 0.5,
    executions: ExecutionRegistry | None = None,
    admission: Admission | None = None,
    caller: CallerDependency | None = None,
    on_trace: Callable[[str, Trace], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    server_timing: ServerTiming = "all",
    timing_origins: tuple[str, ...] = (),
    has_access_log: bool = False,
    metrics: RequestMetrics | None = None,
) -> GatewayState:
    """Build the state of an idle gateway."""
    return GatewayState(
        deadline=deadline,
        optional_budget=optional_budget,
        executions=executions or _build_registry(),
        admission=admission or Admission(256),
        caller=caller,
        on_trace=on_trace,
        clock=clock,
        server_timing=server_timing,
        timing_origins=timing_origins,
        has_access_log=has_access_log,
        metrics=metrics,
    )


def _build_registry() -> ExecutionRegistry:
    """Build a registry for pipelines that only read."""
    store = ExecutionStore(create_database("sqlite:///:memory:"), "sample")
    return ExecutionRegistry(store, {}, CommitTerms(), JournalHealth(StorageLimit(1_000_000)))


def build_gateway(
    *registrations: Route,
    services: Mapping[str, object],
    shared: GatewayState | None = None,
    cors_origins: Sequence[str] = (),
    has_dry_runs: bool = False,
    prefix: str = "",
) -> Gateway:
    """Build a gateway of the *registrations* as the composition root does, with or without their dry runs."""
    shared, readiness = shared or build_state(), Readiness({})
    routes = build_routes(registrations, services, shared)
    described = [describe(route) for route in routes] if has_dry_runs else []
    return Gateway(
        shared,
        readiness,
        title="sample",
        version="1.0",
        routes=routes,
        pipelines=described,
        routers=(
            health.build_router(readiness),
            problems.build_router(list_own_errors(described), shared.admission.static),
            pipelines.build_router(described, shared.admission.static),
        ),
        cors_origins=cors_origins,
        prefix=prefix,
    )


def build_sample_gateway(
    services: FakeServices, shared: GatewayState | None = None, *, cors_origins: Sequence[str] = ()
) -> Gateway:
    """Build a gateway of this module's pipelines."""
    return build_gateway(*ROUTES, services={"fakes": services}, shared=shared, cors_origins=cors_origins)


@asynccontextmanager
async def create_client(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Yield a client of *app* that needs no network."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client
