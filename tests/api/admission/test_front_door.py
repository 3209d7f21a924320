"""Front door: the cheap refusals of an overloaded gateway are those of its routes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from gateway.api.admission.admission import Admission
from gateway.api.admission.front_door import PAUSE_EXTENSION
from tests.api.asgi_connection import AsgiConnection
from tests.api.sample_gateway import ROUTES, FakeServices, build_gateway, build_state

Exchange = tuple[int, Mapping[str, str], bytes]

PAUSE: Final = 0.25
ORIGIN: Final = "https://shop.example"
NOT_COMPARED: Final = {"server-timing", "ratelimit", "ratelimit-policy"}


def build_full_gateway(
    *, cors_origins: Sequence[str] = (), prefix: str = "", per_minute: int | None = None
) -> FastAPI:
    """Build a gateway without a free slot; with a rate limit it has no front door."""
    admission = Admission(1, per_minute)
    admission.in_flight.try_acquire()
    return build_gateway(
        *ROUTES,
        services={"fakes": FakeServices()},
        shared=build_state(admission=admission),
        cors_origins=cors_origins,
        prefix=prefix,
        refusal_pause=PAUSE,
    )


def build_scope(
    method: str = "POST",
    path: str = "/baskets",
    headers: Mapping[str, str] | None = None,
    root_path: str = "",
    extensions: Mapping[str, Any] | None = None,
) -> Scope:
    fields = {"content-type": "application/json", "x-request-id": 'request-"1"', **(headers or {})}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": root_path,
        "query_string": b"a=b",
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "client": ("192.0.2.1", 1234),
        "extensions": extensions or {},
    }


async def exchange(app: FastAPI, scope: Scope) -> Exchange:
    connection = AsgiConnection({"type": "http.request", "body": b"{}"})
    await app(scope, connection.receive, connection.send)
    start, *bodies = connection.sent
    return start["status"], read_headers(start["headers"]), b"".join(map(read_body, bodies))


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    decoded = {name.decode(): value.decode() for name, value in headers}
    return {name: value for name, value in decoded.items() if name not in NOT_COMPARED}


def read_body(message: Message) -> bytes:
    body: bytes = message["body"]
    return body


@pytest.fixture
def pauses() -> list[float]:
    """Return the times, in seconds, for which the app asks its server not to read from the connection."""
    return []


@pytest.fixture
def extensions(pauses: list[float]) -> Mapping[str, Any]:
    return {PAUSE_EXTENSION: {"pause": pauses.append}}


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/baskets", {}),
        ("GET", "/users/u-1", {}),
        ("GET", "/users/\u00fc 1", {}),
        ("POST", "/baskets", {"content-type": "text/plain"}),
        ("POST", "/api/baskets", {}),
    ],
)
async def test_refusal_is_that_of_routes(
    method: str, path: str, headers: Mapping[str, str], prefix: str
) -> None:
    """A gateway without a front door sends the same response, apart from times."""
    scope = build_scope(method, path, headers)
    with_door = await exchange(build_full_gateway(prefix=prefix), {**scope})
    without_door = await exchange(build_full_gateway(prefix=prefix, per_minute=9), {**scope})

    assert with_door == without_door


async def test_refusal_without_origin_varies_by_origin() -> None:
    """The response to a request with an allowed origin has more headers."""
    gateway = build_full_gateway(cors_origins=[ORIGIN])

    assert (await exchange(gateway, build_scope()))[1]["vary"] == "Origin"


async def test_refused_connection_is_not_read_for_a_time(
    extensions: Mapping[str, Any], pauses: list[float]
) -> None:
    status, _, _ = await exchange(build_full_gateway(), build_scope(extensions=extensions))

    assert (status, pauses) == (503, [PAUSE])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("OPTIONS", "/baskets", 204),
        ("GET", "/baskets", 405),
        ("POST", "/baskets\n", 404),
        ("POST", "/nothing", 404),
        ("HEAD", "/users/u-1", 503),
    ],
)
async def test_other_request_passes_front_door(
    method: str, path: str, status: int, extensions: Mapping[str, Any], pauses: list[float]
) -> None:
    scope = build_scope(method, path, extensions=extensions)

    assert (await exchange(build_full_gateway(), scope))[0] == status
    assert not pauses


@pytest.mark.parametrize(
    ("gateway", "scope"),
    [
        (build_full_gateway(cors_origins=[ORIGIN]), build_scope(headers={"origin": ORIGIN})),
        (build_full_gateway(), build_scope(path="/parent/baskets", root_path="/parent")),
        (build_full_gateway(per_minute=9), build_scope()),
    ],
)
async def test_routes_refuse_what_depends_on_more_than_path(
    gateway: FastAPI, scope: Scope, extensions: Mapping[str, Any], pauses: list[float]
) -> None:
    status, headers, _ = await exchange(gateway, {**scope, "extensions": extensions})

    assert (status, headers.get("access-control-allow-origin", ORIGIN)) == (503, ORIGIN)
    assert not pauses
