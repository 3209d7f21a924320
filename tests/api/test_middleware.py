"""What happens round every request."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from gateway.api.middleware import ConnectionClose, HeadAndOptions, RequestId, ServerErrors
from tests.api.sample_gateway import BASKET, World, breaks, client_of, gateway

ORIGIN = "https://shop.example"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("GET", "/baskets"), ("GET", "/docs"), ("OPTIONS", "/docs"), ("HEAD", "/docs")],
)
async def test_every_answer_has_a_request_id(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path, headers={"X-Request-Id": "request-1"})

    assert answer.headers["x-request-id"] == "request-1"


async def test_a_problem_has_the_id_of_its_answer(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere", headers={"X-Request-Id": "not an id"})

    assert answer.json()["request_id"] == answer.headers["x-request-id"] != "not an id"


async def test_an_unknown_path_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere", headers={"X-Request-Id": "request-1"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "/problems/route-not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "No endpoint has this address",
        "instance": "/nowhere",
        "code": "route-not-found",
        "request_id": "request-1",
    }


@pytest.mark.parametrize("path", ["/baskets/", "/docs/", "/health/live/", "//baskets"])
async def test_a_slash_too_many_leads_nowhere(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404


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
async def test_a_method_that_a_path_does_not_know_is_405_with_those_it_knows(
    client: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    assert answer.headers["content-type"] == "application/problem+json"


async def test_allow_names_the_methods_of_all_routes_of_a_path(world: World) -> None:
    app = gateway(world)

    @app.put("/baskets")
    async def put_basket() -> None: ...

    async with client_of(app) as client:
        refused, asked = await client.get("/baskets"), await client.options("/baskets")

    assert refused.headers["allow"] == asked.headers["allow"] == "POST, PUT, OPTIONS"


@pytest.mark.parametrize("path", ["/baskets", "/users/user-1", "/docs", "/docs/assets/favicon.png"])
async def test_options_of_a_known_path_is_204(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.options(path)

    assert answer.status_code == 204
    assert answer.content == b""
    assert "content-length" not in answer.headers
    assert answer.headers["allow"].endswith("OPTIONS")


async def test_options_of_an_unknown_path_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.options("/nowhere")).status_code == 404


async def test_a_mounted_app_answers_options_itself(world: World) -> None:
    async def anything(_: Request) -> Response:
        return PlainTextResponse("mounted")

    app = gateway(world)
    app.mount("/mounted", Starlette(routes=[Route("/x", anything, methods=["OPTIONS"])]))
    async with client_of(app) as client:
        answer = await client.options("/mounted/x")

    assert answer.text == "mounted"


async def test_methods_are_known_behind_a_proxy_that_adds_a_path(world: World) -> None:
    transport = httpx.ASGITransport(gateway(world), root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answers = [await client.options(path) for path in ("/api/baskets", "/api/docs/assets/favicon.png")]
        refused = await client.post("/api/docs/assets/favicon.png")

    assert [answer.headers["allow"] for answer in answers] == ["POST, OPTIONS", "GET, HEAD, OPTIONS"]
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
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    headers = {"X-Request-Id": "request-1"}

    got, head = await client.get(path, headers=headers), await client.head(path, headers=headers)

    got.headers.pop("server-timing", None)
    head.headers.pop("server-timing", None)
    assert head.status_code == got.status_code
    assert head.headers == got.headers
    assert int(head.headers["content-length"]) > 0
    assert head.content == b""


async def test_head_leaves_out_every_part_of_a_body_that_streams(world: World) -> None:
    async def parts() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    app = gateway(world)

    @app.get("/stream")
    async def get_stream() -> StreamingResponse:
        return StreamingResponse(parts())

    async with client_of(app) as client:
        answer = await client.head("/stream")

    assert answer.content == b""


async def test_a_bug_outside_any_pipeline_is_a_problem_and_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    app = gateway(world)
    bug = KeyError("password")

    @app.get("/bug")
    async def get_bug() -> None:
        raise bug

    async with client_of(app) as client:
        answer = await client.get("/bug", headers={"X-Request-Id": "request-1"})

    (record,) = caplog.records
    assert answer.status_code == 500
    assert answer.json()["code"] == "unexpected"
    assert "password" not in answer.text
    assert answer.json()["detail"].split()[-1] in record.getMessage()
    assert "request-1" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is bug


async def test_a_bug_in_a_pipeline_is_logged_once(
    world: World, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    world.users = breaks("users.fetch", KeyError("password"))

    answer = await client.post("/baskets", json=BASKET)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert answer.json()["detail"].split()[-1] in record.getMessage()


async def test_a_bug_in_the_middle_of_an_answer_is_raised(world: World) -> None:
    async def parts() -> AsyncIterator[str]:
        yield "a"
        raise KeyError

    app = gateway(world)

    @app.get("/stream")
    async def get_stream() -> StreamingResponse:
        return StreamingResponse(parts())

    async with client_of(app) as client:
        with pytest.raises(KeyError):
            await client.get("/stream")


async def raising(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an ASGI app
    raise KeyError(scope["type"])


async def nobody() -> Message:
    raise AssertionError


async def nowhere(_: Message) -> None:
    raise AssertionError


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_what_is_not_http_is_passed_on_as_it_is(kind: str) -> None:
    with pytest.raises(KeyError, match=kind):
        await RequestId(ServerErrors(HeadAndOptions(raising)))({"type": kind}, nobody, nowhere)


async def test_cors_is_off_unless_origins_are_given(client: httpx.AsyncClient) -> None:
    answer = await client.options("/baskets", headers=PREFLIGHT)

    assert answer.status_code == 204
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.fixture
async def shop(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(gateway(world, cors_origins=[ORIGIN])) as client:
        yield client


async def test_a_preflight_is_answered_for_a_known_origin(shop: httpx.AsyncClient) -> None:
    headers = {**PREFLIGHT, "Access-Control-Request-Headers": "content-type, idempotency-key, traceparent"}

    answer = await shop.options("/baskets", headers=headers)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["x-request-id"]


async def test_a_preflight_from_elsewhere_is_refused(shop: httpx.AsyncClient) -> None:
    answer = await shop.options("/baskets", headers={**PREFLIGHT, "Origin": "https://elsewhere.example"})

    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers


async def test_options_without_a_preflight_works_with_cors_too(shop: httpx.AsyncClient) -> None:
    answer = await shop.options("/baskets", headers={"Origin": ORIGIN})

    assert answer.status_code == 204
    assert answer.headers["allow"] == "POST, OPTIONS"


async def test_a_page_may_read_the_headers_of_the_gateway_also_on_a_500(
    world: World, shop: httpx.AsyncClient
) -> None:
    world.users = breaks("users.fetch", KeyError())

    answer = await shop.post("/baskets", json=BASKET, headers={"Origin": ORIGIN})

    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "Server-Timing" in answer.headers["access-control-expose-headers"]


async def test_each_answer_says_that_its_connection_ends_once_the_server_is_stopping() -> None:
    stopping: list[str] = []
    app = Response(headers={"Connection": "keep-alive"})
    transport = httpx.ASGITransport(ConnectionClose(app, lambda: bool(stopping)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        before = await client.get("/")
        stopping.append("SIGTERM")
        after = await client.get("/")

    assert before.headers["connection"] == "keep-alive"
    assert after.headers.get_list("connection") == ["close"]
