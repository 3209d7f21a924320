"""Links of a gateway that clients reach under a path prefix."""

from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio

from gateway.app import create_app
from gateway.server.trusted_proxy import TrustedProxyHeaders
from gateway.services import SERVICES
from gateway.settings import InvalidSettingsError, load_settings
from tests.integration.in_process import InProcessServices

ORDER = {"user_id": "user-123", "product_id": "prod-456", "payment_id": "pm-789", "address": "123 Main St"}


@pytest_asyncio.fixture(params=["/api", ""], ids=["prefix left", "prefix removed"])
async def client(request: pytest.FixtureRequest) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a client of a gateway under `/api`, behind a proxy that removes this prefix, or leaves it."""
    app = create_app(load_settings(SERVICES, root_path="/api"), transport=InProcessServices())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=f"http://gateway{request.param}"
        ) as client,
    ):
        yield client


async def follow(client: httpx.AsyncClient, link: str) -> httpx.Response:
    """Send a request for *link* as the proxy passes it on."""
    assert link.startswith("/api/")
    return await client.get(link.removeprefix("/api"))


async def test_location_leads_to_execution(client: httpx.AsyncClient) -> None:
    created = await client.post("/orders", json=ORDER)
    response = await follow(client, created.headers["location"])

    assert (created.status_code, response.json()["state"]) == (201, "committed")


async def test_type_of_problem_leads_to_explanation(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/orders", json={**ORDER, "user_id": "unknown"})).json()
    explanation = (await follow(client, problem["type"])).json()

    assert problem["instance"] == "/api/orders"
    assert (explanation["code"], explanation["type"]) == ("not-found", problem["type"])


async def test_types_in_aggregate_have_prefix(client: httpx.AsyncClient) -> None:
    order = {**ORDER, "user_id": "unknown", "payment_id": "unknown", "product_id": "unknown"}
    aggregate = (await client.post("/checkout", json=order)).json()

    types = [aggregate["type"], *(part["type"] for part in aggregate["errors"])]
    assert types == ["/api/problems/aggregate", *["/api/problems/not-found"] * 3]


async def test_unknown_route_has_prefix(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/unknown")).json()

    assert (problem["type"], problem["instance"]) == ("/api/problems/route-not-found", "/api/unknown")


async def test_documentation_leads_to_document(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    document = (await follow(client, "/api/openapi.json")).json()

    assert "url: '/api/openapi.json'" in page
    assert document["servers"] == [{"url": "/api"}]


async def test_path_that_begins_like_prefix_is_another_path(client: httpx.AsyncClient) -> None:
    response = await client.get("http://gateway/apis")

    assert (response.status_code, response.json()["instance"]) == (404, "/api/apis")


@pytest.mark.parametrize("path", ["api", "/api/", "//host", "/a b", "/{a}", "/" + "a" * 256])
def test_prefix_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"root_path.*: expected a path, such as"):
        load_settings(SERVICES, root_path=path)


@pytest.mark.parametrize("prefix", ["/orders", "/health", "/docs", "/feed"])
async def test_prefix_may_be_the_beginning_of_a_route(prefix: str) -> None:
    app = create_app(load_settings(SERVICES, root_path=prefix), transport=InProcessServices())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        for root in ("", prefix):
            assert (await client.post(f"{root}/orders", json=ORDER)).status_code == 201
            assert (await client.get(f"{root}/health/live")).status_code == 200
            assert (await client.get(f"{root}/docs")).status_code == 200
            assert (await client.get(f"{root}/feed/user-123")).status_code == 200
            assert (await client.get(f"{root}/docs/assets/swagger-ui.css")).status_code == 200


async def test_forwarded_prefix_changes_links_and_no_route() -> None:
    app = create_app(load_settings(SERVICES), transport=InProcessServices())
    headers = {"X-Forwarded-Prefix": "/x"}
    transport = httpx.ASGITransport(TrustedProxyHeaders(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
        created = await client.post("/orders", json=ORDER)
        unknown = await client.post("/x/orders", json=ORDER)

    assert created.status_code == 201
    assert created.headers["location"].startswith("/x/executions/")
    assert unknown.status_code == 404


@pytest.mark.parametrize("prefix", ["/docs", "/feed", "/health", "/orders"])
async def test_forwarded_prefix_hides_no_route(prefix: str) -> None:
    app = create_app(load_settings(SERVICES), transport=InProcessServices())
    headers = {"X-Forwarded-Prefix": prefix}
    transport = httpx.ASGITransport(TrustedProxyHeaders(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
        responses = [await client.get(path) for path in ("/docs", "/feed/user-123", "/health/live")]

    assert [response.status_code for response in responses] == [200, 200, 200]


async def test_prefix_of_the_server_replaces_the_setting() -> None:
    app = create_app(load_settings(SERVICES, root_path="/api"), transport=InProcessServices())
    transport = httpx.ASGITransport(app, root_path="/v2/")
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        problem = (await client.get("/unknown")).json()

    assert problem["type"] == "/v2/problems/route-not-found"
