"""The composition root: the one place where things are wired."""

import socket
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import cast

import httpx
from fastapi import FastAPI

from gateway.api.admission.admission import Admission
from gateway.api.application import application
from gateway.api.endpoints import executions, pipelines
from gateway.api.endpoints import health as ops
from gateway.api.endpoints.readiness import Readiness
from gateway.api.idempotency.stored_response import StoredResponse
from gateway.api.pipeline_route.route import Serving
from gateway.client.service_client import ServiceClient
from gateway.client.transport import create_transport
from gateway.executions.memory_journal import MemoryJournal
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.worker_lock import find_supervisor, hold_worker_lock
from gateway.observability.trace import Trace
from gateway.observability.waterfall import Waterfall
from gateway.pipelines.routes import checkout, feed, orders, purchases, transfers
from gateway.pipelines.routes.described import describe_shipped
from gateway.railway import CommitTerms, Undo
from gateway.server.server import Server
from gateway.services import Upstreams
from gateway.settings import SERVICES, Settings

__all__ = ("connect", "create_app", "create_server")


def connect(settings: Settings, transport: httpx.AsyncBaseTransport) -> dict[str, ServiceClient]:
    """Make the client of each of `SERVICES`, by name; pipelines share it, and so its limit and breaker."""
    return {
        service: ServiceClient(
            service,
            settings.urls[service],
            transport,
            timeout=settings.timeout_of(service),
            max_concurrency=settings.max_concurrency_of(service),
        )
        for service in SERVICES
    }


def create_app(
    settings: Settings | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    on_trace: Callable[[str, Trace], None] | None = None,
    undos: Iterable[Undo] = (),
    clients: Mapping[str, ServiceClient] | None = None,
) -> FastAPI:
    """Make the gateway; by default with the environment's settings, and a transport to the real network.

    The transport is closed with the app. *on_trace* hears what each request did, in place of the waterfall.
    A router of your own is added with `include_router`, and its pipeline to what `GET /pipelines` describes
    with `describe`; *undos* are those of its services, so that what is stuck of them can be undone by name.
    *clients* are what `connect` gives, and those of services of your own, for `GET /health/ready` to watch.
    """
    settings = settings or Settings()
    transport = transport or create_transport()
    clients = connect(settings, transport) if clients is None else clients
    up = Upstreams.behind(clients)
    made = ExecutionRegistry[StoredResponse](
        MemoryJournal(),
        {**up.undos, **{undo.name: undo for undo in undos}},
        CommitTerms(
            reserve=settings.commit_reserve_ms / 1000,
            budget=settings.commit_budget_ms / 1000,
            undo_budget=settings.undo_budget_ms / 1000,
        ),
    )
    token = settings.operator_token
    described = pipelines.Pipelines()
    readiness = Readiness(clients)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        with hold_worker_lock(find_supervisor()):
            async with transport:
                yield
                await made.drain()

    app = application(
        Serving(
            deadline=settings.deadline_ms / 1000,
            optional_budget=settings.optional_timeout_ms / 1000,
            on_trace=on_trace or _waterfall(settings),
            executions=made,
            admission=Admission(settings.max_in_flight, settings.rate_limit_per_minute),
        ),
        checkout.router(up),
        orders.router(up),
        feed.router(up),
        transfers.router(up),
        purchases.router(up),
        executions.router(made, None if token is None else token.get_secret_value()),
        pipelines.router(described),
        ops.router(readiness),
        cors_origins=settings.cors_origins,
        lifespan=lifespan,
    )
    app.state.pipelines = described
    app.state.readiness = readiness
    describe_shipped(app, up)
    return app


def create_server(settings: Settings, bound: socket.socket, app: FastAPI | None = None) -> Server:
    """Make the server of *app*, by default of the gateway, on the socket *bound*.

    `create_app` has made the app. Its requests have the time that it gives them, whatever *settings* say.
    """
    app = create_app(settings) if app is None else app
    return Server(
        app,
        bound,
        on_stop=cast("Readiness", app.state.readiness).stop,
        drain=settings.drain_ms / 1000,
        grace=cast("Serving", app.state.serving).deadline + 1,
    )


def _waterfall(settings: Settings) -> Waterfall | None:
    return Waterfall(sys.stderr) if settings.waterfall else None
