"""Content that is the same for every request."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from gateway.api.admission.admission import OVERLOADED, Admission
from gateway.api.admission.in_flight import InFlightLimit
from gateway.api.static_content import StaticContent
from tests.api.sample_gateway import BASKET, FakeServices, build_sample_gateway, build_state, create_client

PATHS = ("/openapi.json", "/docs", "/pipelines", "/problems/not-found", "/docs/assets/swagger-ui.css")


@pytest.fixture
def admission() -> Admission:
    return Admission(256)


@pytest.fixture
def app(services: FakeServices, admission: Admission) -> FastAPI:
    return build_sample_gateway(services, build_state(admission=admission))


def fill(limit: InFlightLimit) -> None:
    while limit.try_acquire():
        pass


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
async def test_known_content_is_not_sent_again(client: httpx.AsyncClient, method: str, path: str) -> None:
    first = await client.get(path)

    response = await client.request(method, path, headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, response.status_code) == (200, 304)
    assert response.content == b""
    assert response.headers["etag"] == first.headers["etag"]
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', ' "a" ,W/{} ', "*"])
async def test_tag_may_be_weak_or_one_of_several(client: httpx.AsyncClient, form: str) -> None:
    tag = (await client.get("/openapi.json")).headers["etag"]

    response = await client.get("/openapi.json", headers={"If-None-Match": form.format(tag)})

    assert response.status_code == 304


async def test_tags_in_repeated_headers_count(client: httpx.AsyncClient) -> None:
    tag = (await client.get("/openapi.json")).headers["etag"]

    response = await client.get(
        "/openapi.json", headers=[("If-None-Match", '"other"'), ("If-None-Match", tag)]
    )

    assert response.status_code == 304


@pytest.mark.parametrize("value", ["", '"other"', "other", '"*"', "*, *", "W/"])
async def test_other_tag_gets_the_content(client: httpx.AsyncClient, value: str) -> None:
    response = await client.get("/openapi.json", headers={"If-None-Match": value})

    assert (response.status_code, "openapi" in response.json()) == (200, True)


@pytest.mark.parametrize(
    ("path", "cache_control"),
    [("/openapi.json", "no-cache"), ("/docs", "no-cache"), ("/pipelines", "max-age=300")],
)
async def test_content_is_cacheable(client: httpx.AsyncClient, path: str, cache_control: str) -> None:
    assert (await client.get(path)).headers["cache-control"] == cache_control


async def test_served_document_changes_with_routes(app: FastAPI) -> None:
    async with create_client(app) as client:
        before = await client.get("/openapi.json")

        @app.get("/plain")
        async def get_plain() -> str:
            return "plain"

        after = await client.get("/openapi.json", headers={"If-None-Match": before.headers["etag"]})

    assert after.status_code == 200
    assert "/plain" in after.json()["paths"]


def build_request(prefix: str) -> Request:
    return Request({"type": "http", "state": {"prefix": prefix}, "headers": []})


def test_content_is_made_once_for_each_prefix() -> None:
    made: list[str] = []

    def build(prefix: str) -> bytes:
        made.append(prefix)
        return prefix.encode()

    content = StaticContent(build, "text/plain", InFlightLimit(1))
    responses = [content.respond(build_request(prefix)) for prefix in ("", "/api", "", "/api")]

    assert made == ["", "/api"]
    assert [response.body for response in responses] == [b"", b"/api", b"", b"/api"]
    assert len({response.headers["etag"] for response in responses}) == 2


@pytest.mark.parametrize("path", PATHS)
async def test_content_beyond_limit_is_refused(admission: Admission, app: FastAPI, path: str) -> None:
    fill(admission.static)
    async with create_client(app) as client:
        refused = await client.get(path)
        admission.static.release()
        served = await client.get(path)

    assert (refused.status_code, refused.json()["detail"]) == (503, OVERLOADED)
    assert refused.headers["retry-after"] == "1"
    assert served.status_code == 200


async def test_static_limit_covers_static_content_only(admission: Admission, app: FastAPI) -> None:
    fill(admission.static)
    async with create_client(app) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.post("/baskets", json=BASKET)).status_code == 200
        assert (await client.get("/nowhere")).status_code == 404


async def test_slot_is_taken_until_response_is_sent() -> None:
    limit, is_read = InFlightLimit(1), asyncio.Event()
    response = StaticContent(lambda _: b"large", "text/plain", limit).respond(build_request(""))

    sending = asyncio.create_task(send_slowly(response, is_read))
    await asyncio.sleep(1)
    count_while_sending = limit.count
    is_read.set()
    await sending

    assert (count_while_sending, limit.count) == (1, 0)


async def test_cancelled_response_frees_its_slot() -> None:
    limit = InFlightLimit(1)
    response = StaticContent(lambda _: b"large", "text/plain", limit).respond(build_request(""))

    sending = asyncio.create_task(send_slowly(response, asyncio.Event()))
    await asyncio.sleep(1)
    sending.cancel()
    await asyncio.wait([sending])

    assert limit.count == 0


async def send_slowly(response: Response, is_read: asyncio.Event) -> None:
    """Send *response* to a client that reads nothing until *is_read* is set."""

    async def receive() -> Message:
        raise AssertionError

    async def send(_: Message) -> None:
        await is_read.wait()

    await response({"type": "http"}, receive, send)
