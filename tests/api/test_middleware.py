"""ASGI middleware of every request."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from gateway.api.middleware import ConnectionClose, HeadAndOptions, RequestId, ServerErrors
from tests.api.sample_gateway import (
    BASKET,
    FakeServices,
    build_raising_call,
    build_sample_gateway,
    create_client,
)

ORIGIN = "https://shop.example"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("GET", "/baskets"), ("GET", "/docs"), ("OPTIONS", "/docs"), ("HEAD", "/docs")],
)
async def test_every_response_has_request_id(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path, headers={"X-Request-Id": "request-1"})

    assert response.headers["x-request-id"] == "request-1"


async def test_problem_has_request_id_of_response(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere", headers={"X-Request-Id": "not an id"})

    assert response.json()["request_id"] == response.headers["x-request-id"] != "not an id"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize(
    "path",
    [
        "/baskets%0a",
        "/baskets%0A",
        "/health/live%0a",
        "/openapi.json%0a",
        "/docs%0a",
        "/docs/assets/a.css%0a",
    ],
)
async def test_line_feed_after_path_is_404(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path)

    assert response.status_code == 404
    assert "allow" not in response.headers


@pytest.mark.parametrize("path", ["/plain%0a", "/numbers/5%0a", "/users/user-1/pets%0a", "/files/a%0a"])
async def test_line_feed_after_later_route_is_404(services: FakeServices, path: str) -> None:
    """A line feed is not dropped after a parameter either."""
    app, router = build_sample_gateway(services), APIRouter()

    @router.get("/plain")
    @router.get("/users/user-1/pets")
    @app.get("/numbers/{_:int}")
    @app.get("/files/{_:path}")
    async def get_plain() -> str:
        return "plain"

    app.include_router(router)

    async with create_client(app) as client:
        refused = await client.get(path)

        assert (refused.status_code, refused.json()["code"]) == (404, "route-not-found")
        assert refused.json()["instance"] == path.replace("%0a", "%0A")
        assert (await client.get(path.removesuffix("%0a"))).status_code == 200


async def test_parameter_may_contain_line_feed(client: httpx.AsyncClient) -> None:
    response = await client.get("/users/user-1%0a")

    assert response.json() == "user-1\n is user-1"


@pytest.mark.parametrize("path", ["/%62askets", "/baskets?", "/baskets?a=%0a"])
async def test_other_spelling_of_path_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, json=BASKET)).status_code == 200


async def test_unknown_path_is_a_problem(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere", headers={"X-Request-Id": "request-1"})

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "type": "/problems/route-not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "No endpoint has this path",
        "instance": "/nowhere",
        "code": "route-not-found",
        "request_id": "request-1",
    }


@pytest.mark.parametrize("path", ["/baskets/", "/docs/", "/health/live/", "//baskets"])
async def test_extra_slash_is_404(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/baskets", "POST, OPTIONS"),
        ("HEAD", "/baskets", "POST, OPTIONS"),
        ("DELETE", "/users/user-1", "GET, HEAD, OPTIONS"),
        ("POST", "/docs", "GET, HEAD, OPTIONS"),
        ("POST", "/docs/assets/swagger-ui.css", "GET, HEAD, OPTIONS"),
        ("TRACE", "/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
async def test_wrong_method_is_405_with_allow_header(
    client: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    response = await client.request(method, path)

    assert response.status_code == 405
    assert response.headers["allow"] == allow
    assert response.headers["content-type"] == "application/problem+json"


async def test_allow_covers_all_routes_of_a_path(services: FakeServices) -> None:
    app = build_sample_gateway(services)

    @app.put("/baskets")
    async def put_basket() -> None: ...

    async with create_client(app) as client:
        refused, options = await client.get("/baskets"), await client.options("/baskets")

    assert refused.headers["allow"] == options.headers["allow"] == "POST, PUT, OPTIONS"


@pytest.mark.parametrize("path", ["/baskets", "/users/user-1", "/docs", "/docs/assets/favicon.png"])
async def test_options_of_known_path_is_204(client: httpx.AsyncClient, path: str) -> None:
    response = await client.options(path)

    assert response.status_code == 204
    assert response.content == b""
    assert "content-length" not in response.headers
    assert response.headers["allow"].endswith("OPTIONS")


async def test_options_of_unknown_path_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.options("/nowhere")).status_code == 404


async def test_mounted_app_handles_options_itself(services: FakeServices) -> None:
    async def respond(_: Request) -> Response:
        return PlainTextResponse("mounted")

    app = build_sample_gateway(services)
    app.mount("/mounted", Starlette(routes=[Route("/x", respond, methods=["OPTIONS"])]))
    async with create_client(app) as client:
        response = await client.options("/mounted/x")

    assert response.text == "mounted"


async def test_allow_header_is_correct_behind_path_prefix(services: FakeServices) -> None:
    transport = httpx.ASGITransport(build_sample_gateway(services), root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        responses = [await client.options(path) for path in ("/api/baskets", "/api/docs/assets/favicon.png")]
        refused = await client.post("/api/docs/assets/favicon.png")

    assert [response.headers["allow"] for response in responses] == ["POST, OPTIONS", "GET, HEAD, OPTIONS"]
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "path",
    [
        "/users/user-1",
        "/users/much-too-long",
        "/docs",
        "/docs/assets/swagger-ui.css",
        "/health/live",
        "/nowhere",
    ],
)
async def test_head_matches_get_without_body(client: httpx.AsyncClient, path: str) -> None:
    headers = {"X-Request-Id": "request-1"}

    get, head = await client.get(path, headers=headers), await client.head(path, headers=headers)

    get.headers.pop("server-timing", None)
    head.headers.pop("server-timing", None)
    assert head.status_code == get.status_code
    assert head.headers == get.headers
    assert int(head.headers["content-length"]) > 0
    assert head.content == b""


async def test_head_of_streaming_response_has_no_body(services: FakeServices) -> None:
    async def stream() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    app = build_sample_gateway(services)

    @app.get("/stream")
    async def get_stream() -> StreamingResponse:
        return StreamingResponse(stream())

    async with create_client(app) as client:
        response = await client.head("/stream")

    assert response.content == b""


async def test_bug_outside_pipelines_is_500_and_logged_once(
    services: FakeServices, caplog: pytest.LogCaptureFixture
) -> None:
    app = build_sample_gateway(services)
    bug = KeyError("password")

    @app.get("/bug")
    async def get_bug() -> None:
        raise bug

    async with create_client(app) as client:
        response = await client.get("/bug", headers={"X-Request-Id": "request-1"})

    (record,) = caplog.records
    assert response.status_code == 500
    assert response.json()["code"] == "unexpected"
    assert "password" not in response.text
    assert response.json()["detail"].split()[-1] in record.getMessage()
    assert "request-1" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is bug


async def test_bug_in_pipeline_is_logged_once(
    services: FakeServices, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    services.users = build_raising_call("users.fetch", KeyError("password"))

    response = await client.post("/baskets", json=BASKET)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert response.json()["detail"].split()[-1] in record.getMessage()


async def test_bug_during_streaming_is_raised(services: FakeServices) -> None:
    async def stream() -> AsyncIterator[str]:
        yield "a"
        raise KeyError

    app = build_sample_gateway(services)

    @app.get("/stream")
    async def get_stream() -> StreamingResponse:
        return StreamingResponse(stream())

    async with create_client(app) as client:
        with pytest.raises(KeyError):
            await client.get("/stream")


async def raise_scope_type(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an ASGI app
    raise KeyError(scope["type"])


async def fail_on_receive() -> Message:
    raise AssertionError


async def fail_on_send(_: Message) -> None:
    raise AssertionError


@pytest.mark.parametrize("scope_type", ["lifespan", "websocket"])
async def test_non_http_scopes_pass_through(scope_type: str) -> None:
    with pytest.raises(KeyError, match=scope_type):
        await RequestId(ServerErrors(HeadAndOptions(raise_scope_type)))(
            {"type": scope_type}, fail_on_receive, fail_on_send
        )


async def test_cors_is_off_without_origins(client: httpx.AsyncClient) -> None:
    response = await client.options("/baskets", headers=PREFLIGHT)

    assert response.status_code == 204
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.fixture
async def cors_client(services: FakeServices) -> AsyncIterator[httpx.AsyncClient]:
    async with create_client(build_sample_gateway(services, cors_origins=[ORIGIN])) as client:
        yield client


async def test_preflight_from_configured_origin_is_allowed(cors_client: httpx.AsyncClient) -> None:
    headers = {**PREFLIGHT, "Access-Control-Request-Headers": "content-type, idempotency-key, traceparent"}

    response = await cors_client.options("/baskets", headers=headers)

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["x-request-id"]


async def test_preflight_from_other_origin_is_refused(cors_client: httpx.AsyncClient) -> None:
    response = await cors_client.options(
        "/baskets", headers={**PREFLIGHT, "Origin": "https://elsewhere.example"}
    )

    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers


async def test_plain_options_works_with_cors(cors_client: httpx.AsyncClient) -> None:
    response = await cors_client.options("/baskets", headers={"Origin": ORIGIN})

    assert response.status_code == 204
    assert response.headers["allow"] == "POST, OPTIONS"


async def test_cors_exposes_headers_on_500(services: FakeServices, cors_client: httpx.AsyncClient) -> None:
    services.users = build_raising_call("users.fetch", KeyError())

    response = await cors_client.post("/baskets", json=BASKET, headers={"Origin": ORIGIN})

    assert response.status_code == 500
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "Server-Timing" in response.headers["access-control-expose-headers"]


async def test_responses_close_connection_during_shutdown() -> None:
    stopping: list[str] = []
    app = Response(headers={"Connection": "keep-alive"})
    transport = httpx.ASGITransport(ConnectionClose(app, lambda: bool(stopping)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        before = await client.get("/")
        stopping.append("SIGTERM")
        after = await client.get("/")

    assert before.headers["connection"] == "keep-alive"
    assert after.headers.get_list("connection") == ["close"]
