"""Composition root: connects services, pipelines and settings to a gateway."""

import asyncio
import re
import socket
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version as installed_version
from typing import Final, TypeAlias

import httpx
from fastapi import FastAPI

from gateway.api.admission.admission import Admission
from gateway.api.admission.caller import CallerDependency
from gateway.api.application import Gateway
from gateway.api.endpoints import executions as executions_endpoints
from gateway.api.endpoints import health, problems
from gateway.api.endpoints import metrics as metrics_endpoint
from gateway.api.endpoints import pipelines as pipelines_endpoints
from gateway.api.endpoints.readiness import Readiness
from gateway.api.metrics.gateway_metrics import AdmissionMetrics, JournalMetrics, sample_info
from gateway.api.metrics.policy_metrics import PolicyMetrics
from gateway.api.pipeline_route.description import describe, list_notes, list_own_errors
from gateway.api.pipeline_route.registration import Route
from gateway.api.pipeline_route.route import build_routes
from gateway.api.state import GatewayState
from gateway.client.sender import USER_AGENT
from gateway.client.service import Service, ServiceConnection
from gateway.client.transport import choose_transport, create_tls_context
from gateway.executions.database.errors import DatabaseUnavailableError
from gateway.executions.database.terms import TIME_LIMIT
from gateway.executions.database.url import create_database
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.executions.recovery import Recovery
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.store import ExecutionStore
from gateway.observability.metrics.file_writer import keep_file_written
from gateway.observability.metrics.registry import MetricsRegistry
from gateway.observability.metrics.request_metrics import RequestMetrics
from gateway.observability.trace import Trace
from gateway.observability.waterfall import Waterfall
from gateway.pipelines import PIPELINES
from gateway.railway import CommitTerms, Undo
from gateway.server.descriptors import choose_connection_limit, get_descriptor_limit
from gateway.server.front_door import FrontDoor
from gateway.server.listener import drop_new_connections
from gateway.server.server import Server
from gateway.services import SERVICES
from gateway.settings import Settings, load_settings

__all__ = ("connect", "create_app", "create_server")

Transports: TypeAlias = httpx.AsyncBaseTransport | Mapping[str, httpx.AsyncBaseTransport]
"""A transport that all services share, or the transport of each service by name."""

_NAME: Final = "fanout-gateway"
_BYTES_IN_MB: Final = 1_000_000
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""An HTTP token (RFC 9110, section 5.6.2): the form of a product name in `User-Agent`."""


def connect(
    services: Sequence[Service[object]],
    settings: Settings,
    transport: Transports,
    user_agent: str = USER_AGENT,
) -> tuple[ServiceConnection, ...]:
    """Connect each of *services* with a client of its own, through *transport*.

    Raise `ValueError` if two services have the same name, if *settings* or transports by service lack a
    service, or if there is a transport for an unknown service.
    """
    names = Counter(service.name for service in services)
    if repeated := [name for name, count in names.items() if count > 1]:
        msg = f"two services are named {repeated[0]!r}"
        raise ValueError(msg)
    missing = [service.name for service in services if service.name not in settings.services]
    if missing:
        msg = f"no settings for service {missing[0]!r}: load them with load_settings(services)"
        raise ValueError(msg)
    transports = transport if isinstance(transport, Mapping) else dict.fromkeys(names, transport)
    _check_transports(transports, names)
    return tuple(
        service.connect(
            transports[service.name],
            url=settings.services[service.name].url,
            timeout=settings.timeout_of(service.name),
            max_concurrency=settings.max_concurrency_of(service.name),
            token=settings.services[service.name].token,
            user_agent=user_agent,
            max_answer_bytes=settings.max_answer_bytes,
        )
        for service in services
    )


def create_app(  # noqa: PLR0913 - every part of a gateway, by keyword
    settings: Settings | None = None,
    *,
    services: Sequence[Service[object]] = SERVICES,
    pipelines: Sequence[Route] = PIPELINES,
    name: str = _NAME,
    title: str | None = None,
    version: str | None = None,
    transport: Transports | None = None,
    caller: CallerDependency | None = None,
    on_trace: Callable[[str, Trace], None] | None = None,
) -> Gateway:
    """Create a gateway that serves *pipelines*, which call *services*; the defaults are the shipped sample.

    - *settings*: by default read from the environment.
    - *name* and *version*: identify the gateway to services, in `User-Agent`. The default version is the
      version of this package. Gateways that share a journal have executions of their own by name.
    - *title*: shown in `/docs` with the version; the default is the name.
    - *transport*: sends the requests to services; the default sends them over the network, by the transport
      that *settings* name. A mapping has the transport of each service by name. Transports are closed when
      the app shuts down.
    - *caller*: a FastAPI dependency that returns the id of the authenticated principal, or None for an
      anonymous caller, or raises an `HTTPException` (401 or 403). The rate limit and the idempotency keys are
      per principal then, the log names it, and endpoints read it as `request.caller`.
    - *on_trace*: called with a title such as `POST /checkout 200` and the trace of each request. It replaces
      the waterfall.

    Each pipeline is run once on example data, without calling a service. A pipeline that fails with its
    examples is served; `warnings` and `GET /pipelines` say what is missing from its documentation.

    Raise `RegistrationError` for a route that cannot be registered, and for a pipeline that breaks a rule,
    with the place in its code. Raise `InvalidSettingsError` for invalid variables in the environment. Raise
    `ValueError` for an invalid *name*, for two services or undos with the same name, for *settings* that lack
    a service, and for a mapping of transports that lacks a service or names an unknown one.
    """
    settings = settings or load_settings(services)
    transport = _create_transports(settings, services) if transport is None else transport
    version = version or installed_version("fanout-gateway")
    connections = connect(services, settings, transport, _build_user_agent(name, version))
    undos, terms = _collect_undos(connections), _build_commit_terms(settings)
    store = ExecutionStore(create_database(settings.journal_url.get_secret_value()), name)
    journal = JournalHealth(StorageLimit(settings.journal_max_mb * _BYTES_IN_MB))
    executions = ExecutionRegistry(store, undos, terms, journal)
    request_metrics = RequestMetrics() if settings.metrics else None
    state = GatewayState(
        deadline=settings.deadline_ms / 1000,
        optional_budget=settings.optional_timeout_ms / 1000,
        executions=executions,
        admission=Admission(settings.max_in_flight, settings.rate_limit_per_minute),
        caller=caller,
        on_trace=on_trace or (Waterfall(sys.stderr) if settings.waterfall else None),
        server_timing=settings.server_timing,
        timing_origins=settings.timing_allow_origin,
        has_access_log=settings.access_log,
        metrics=request_metrics,
    )
    instances = {connection.name: connection.instance for connection in connections}
    routes = build_routes(pipelines, instances, state)
    described = [describe(route) for route in routes]
    writes = any(route.bound.is_commit_declared for route in routes)
    readiness = Readiness(
        {connection.name: connection.client for connection in connections},
        journal=journal if writes else None,
    )
    token = settings.operator_token
    metrics = MetricsRegistry(
        partial(sample_info, name, version),
        AdmissionMetrics(state.admission).sample,
        PolicyMetrics({connection.name: connection.client.policies for connection in connections}).sample,
        *([] if request_metrics is None else [request_metrics.sample]),
        *([JournalMetrics(store, executions, journal).sample] if writes else []),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for part in _list_transports(transport):
                await stack.enter_async_context(part)
            if writes:
                recovery = Recovery(store, undos, terms.undo_budget, journal, executions)
                await stack.enter_async_context(_keep_journal(store, recovery))
            else:
                stack.push_async_callback(store.close)  # a request for an execution opens it
            if metrics.is_shared:
                await stack.enter_async_context(keep_file_written(metrics))
            yield
            await executions.drain()

    return Gateway(
        state,
        readiness,
        services=services,
        max_calls=sum(connection.client.policies.max_concurrency for connection in connections),
        journal=store if writes else None,
        metrics=metrics,
        warnings=[*settings.describe_ineffective(), *list_notes(described)],
        title=title or name,
        version=version,
        routes=routes,
        pipelines=described,
        routers=(
            executions_endpoints.build_router(
                executions, None if token is None else token.get_secret_value(), described
            ),
            pipelines_endpoints.build_router(described, state.admission.static),
            health.build_router(readiness),
            *([metrics_endpoint.build_router(metrics)] if settings.metrics else []),
            problems.build_router(list_own_errors(described), state.admission.static),
        ),
        cors_origins=settings.cors_origins,
        prefix=settings.root_path,
        lifespan=lifespan,
    )


@asynccontextmanager
async def _keep_journal(store: ExecutionStore, recovery: Recovery) -> AsyncGenerator[None]:
    """Open the journal, and recover executions; raise `DatabaseRefusedError` if it cannot be used.

    A database that is down is opened as soon as it is up: until then, requests that write are refused.
    """
    with suppress(DatabaseUnavailableError):  # the recovery reports it
        await store.open()
    recovering = asyncio.create_task(recovery.run())
    try:
        yield
    finally:
        recovering.cancel()
        await asyncio.wait((recovering,))
        await store.close()


def create_server(
    settings: Settings,
    listener: socket.socket,
    app: Gateway,
    *,
    stop_accepting: Callable[[socket.socket], None] = drop_new_connections,
    workers: int = 1,
) -> Server:
    """Create a server that serves *app* on *listener*, which *stop_accepting* makes ignore new connections.

    *workers* processes share the listener.

    The durations of the drain and of the pause after a refusal come from *settings*. After the drain,
    requests have the deadline of *app* to finish, the time limit of a call of the journal, and one more
    second. The limit of client connections leaves enough file descriptors for the calls of *app*.
    """
    return Server(
        app,
        listener,
        max_connections=choose_connection_limit(get_descriptor_limit(), app.max_calls),
        on_stop=app.readiness.stop,
        drain=settings.drain_ms / 1000,
        grace=app.shared.deadline + TIME_LIMIT + 1,
        front_door=FrontDoor(app),
        refusal_pause=settings.refusal_pause_ms / 1000,
        stop_accepting=stop_accepting,
        workers=workers,
    )


def _create_transports(
    settings: Settings, services: Iterable[Service[object]]
) -> Mapping[str, httpx.AsyncBaseTransport]:
    """Create the transports of *services*: one for each with a TLS context of its own, and a shared one."""
    create = partial(choose_transport, settings.transport)
    transports = dict.fromkeys((service.name for service in services), create())
    for name, service in settings.services.items():
        if name in transports and (service.ca_file or service.certificate_file):
            transports[name] = create(create_tls_context(service.ca_file, service.certificate_file))
    return transports


def _list_transports(transport: Transports) -> Iterable[httpx.AsyncBaseTransport]:
    """Return each transport once."""
    return dict.fromkeys(transport.values()) if isinstance(transport, Mapping) else [transport]


def _check_transports(transports: Collection[str], services: Collection[str]) -> None:
    """Raise `ValueError` if a service has no transport, or a transport no service."""
    for name in services:
        if name not in transports:
            msg = f"no transport for service {name!r}: the mapping must name every service"
            raise ValueError(msg)
    for name in transports:
        if name not in services:
            msg = f"a transport for unknown service {name!r}; the services are {', '.join(services)}"
            raise ValueError(msg)


def _collect_undos(connections: Sequence[ServiceConnection]) -> Mapping[str, Undo]:
    """Return the undos of all services by name; raise `ValueError` if two services share a name."""
    owners: dict[str, str] = {}
    for connection in connections:
        for name in connection.client.undos:
            if (owner := owners.setdefault(name, connection.name)) != connection.name:
                msg = f"services {owner!r} and {connection.name!r} both have an undo named {name!r}"
                raise ValueError(msg)
    return {undo.name: undo for connection in connections for undo in connection.client.undos.values()}


def _build_user_agent(name: str, version: str) -> str:
    """Return the value of `User-Agent`; raise `ValueError` if *name* is not an HTTP token."""
    if _TOKEN.fullmatch(name) is None:
        msg = f"invalid name {name!r}: expected letters, digits and hyphens, such as 'loyalty-gateway'"
        raise ValueError(msg)
    return f"{name}/{version}"


def _build_commit_terms(settings: Settings) -> CommitTerms:
    return CommitTerms(
        reserve=settings.commit_reserve_ms / 1000,
        budget=settings.commit_budget_ms / 1000,
        undo_budget=settings.undo_budget_ms / 1000,
    )
