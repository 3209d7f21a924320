"""The composition root: the one place where a gateway is put together."""

import re
import socket
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version as installed_version
from typing import Final

import httpx
from fastapi import FastAPI

from gateway.api.admission.admission import Admission
from gateway.api.application import Gateway
from gateway.api.endpoints import executions as executions_endpoints
from gateway.api.endpoints import health, problems
from gateway.api.endpoints import pipelines as pipelines_endpoints
from gateway.api.endpoints.readiness import Readiness
from gateway.api.idempotency.stored_response import StoredResponse
from gateway.api.pipeline_route.description import describe
from gateway.api.pipeline_route.registration import Route
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.api.state import GatewayState
from gateway.client.sender import USER_AGENT
from gateway.client.service import Service, ServiceConnection
from gateway.client.transport import create_transport
from gateway.executions.memory_journal import MemoryJournal
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.worker_lock import find_supervisor, hold_worker_lock
from gateway.observability.trace import Trace
from gateway.observability.waterfall import Waterfall
from gateway.pipelines import PIPELINES
from gateway.railway import CommitTerms, Undo
from gateway.server.server import Server
from gateway.services import SERVICES
from gateway.settings import Settings, load_settings

__all__ = ("connect", "create_app", "create_server")

_NAME: Final = "fanout-gateway"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of HTTP (RFC 9110, 5.6.2), which a product in `User-Agent` has to be."""


def connect(
    services: Sequence[Service[object]],
    settings: Settings,
    transport: httpx.AsyncBaseTransport,
    user_agent: str = USER_AGENT,
) -> tuple[ServiceConnection, ...]:
    """Connect *services*, each with one client, so that all its callers share its limit and circuit breaker.

    Raise `ValueError` for two services of one name, and if *settings* have none for one of the services.
    """
    names = Counter(service.name for service in services)
    if repeated := [name for name, count in names.items() if count > 1]:
        msg = f"two services are named {repeated[0]!r}"
        raise ValueError(msg)
    missing = [service.name for service in services if service.name not in settings.services]
    if missing:
        msg = f"no settings for service {missing[0]!r}: load them with load_settings(services)"
        raise ValueError(msg)
    return tuple(
        service.connect(
            transport,
            url=settings.services[service.name].url,
            timeout=settings.timeout_of(service.name),
            max_concurrency=settings.max_concurrency_of(service.name),
            user_agent=user_agent,
        )
        for service in services
    )


def create_app(  # noqa: PLR0913 - all that a gateway can be made of, by keyword
    settings: Settings | None = None,
    *,
    services: Sequence[Service[object]] = SERVICES,
    pipelines: Sequence[Route] = PIPELINES,
    name: str = _NAME,
    title: str | None = None,
    version: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    on_trace: Callable[[str, Trace], None] | None = None,
) -> Gateway:
    """Make a gateway that serves *pipelines*, which call *services*; both default to the shipped ones.

    *settings* are by default those of the environment. *name* and *version* identify the gateway to services
    (`User-Agent`); the version, by default that of this package, and *title*, by default the name, are shown
    in `/docs`. Requests to services go through *transport*, by default to the network; it is closed with the
    app. *on_trace* receives the trace of each request with a title such as `POST /checkout 200`, in place of
    the waterfall.

    Raise `RegistrationError` for a route that cannot be served as it is registered, `DryRunError` for a
    pipeline that fails on its example, `InvalidSettingsError` for the environment, and `ValueError` for an
    invalid *name*, two services with one name or with undos of one name, or *settings* that lack a service.
    """
    settings = settings or load_settings(services)
    transport = transport or create_transport()
    version = version or installed_version("fanout-gateway")
    connections = connect(services, settings, transport, _user_agent(name, version))
    executions = ExecutionRegistry[StoredResponse](
        MemoryJournal(), _collect_undos(connections), _commit_terms(settings)
    )
    state = GatewayState(
        deadline=settings.deadline_ms / 1000,
        optional_budget=settings.optional_timeout_ms / 1000,
        executions=executions,
        admission=Admission(settings.max_in_flight, settings.rate_limit_per_minute),
        on_trace=on_trace or (Waterfall(sys.stderr) if settings.waterfall else None),
    )
    instances = {one.name: one.instance for one in connections}
    routes = [PipelineRoute(route, instances, state) for route in pipelines]
    described = [describe(route) for route in routes]
    readiness = Readiness({one.name: one.client for one in connections})
    token = settings.operator_token

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        with hold_worker_lock(find_supervisor()):
            async with transport:
                yield
                await executions.drain()

    return Gateway(
        state,
        readiness,
        services=services,
        warnings=[*settings.describe_ineffective()],
        title=title or name,
        version=version,
        routes=routes,
        pipelines=described,
        routers=(
            executions_endpoints.build_router(
                executions, None if token is None else token.get_secret_value(), described
            ),
            pipelines_endpoints.build_router(described),
            health.build_router(readiness),
            problems.build_router(),
        ),
        cors_origins=settings.cors_origins,
        lifespan=lifespan,
    )


def create_server(settings: Settings, bound: socket.socket, app: Gateway) -> Server:
    """Make the server of *app* on the listening socket *bound*, with the app's limits."""
    return Server(
        app,
        bound,
        on_stop=app.readiness.stop,
        drain=settings.drain_ms / 1000,
        grace=app.shared.deadline + 1,
    )


def _collect_undos(connections: Sequence[ServiceConnection]) -> Mapping[str, Undo]:
    """Return the undos of all services by name; raise `ValueError` for a name that two services have."""
    owners: dict[str, str] = {}
    for one in connections:
        for name in one.client.undos:
            if (owner := owners.setdefault(name, one.name)) != one.name:
                msg = f"services {owner!r} and {one.name!r} have undos of one name, {name!r}"
                raise ValueError(msg)
    return {undo.name: undo for one in connections for undo in one.client.undos.values()}


def _user_agent(name: str, version: str) -> str:
    """Return the product and version for `User-Agent`; raise `ValueError` for a name that is not a token."""
    if _TOKEN.fullmatch(name) is None:
        msg = f"invalid name {name!r}: expected letters, digits and hyphens, such as 'loyalty-gateway'"
        raise ValueError(msg)
    return f"{name}/{version}"


def _commit_terms(settings: Settings) -> CommitTerms:
    return CommitTerms(
        reserve=settings.commit_reserve_ms / 1000,
        budget=settings.commit_budget_ms / 1000,
        undo_budget=settings.undo_budget_ms / 1000,
    )
