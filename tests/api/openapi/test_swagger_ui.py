"""The document at `/openapi.json`, and Swagger UI at `/docs`."""

import re

import httpx
import pytest

from tests.api.sample_gateway import FakeServices, build_sample_gateway

RESOURCE_URL = re.compile(r'(?:href|src)="([^"]+)"')


async def test_swagger_ui_loads_nothing_from_other_hosts(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text

    assert "//" not in re.sub(r"<!--.*?-->", "", page).replace("// ", "")
    assert '"validatorUrl": null' in page


async def test_swagger_ui_resources_are_served(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text

    urls = [*RESOURCE_URL.findall(page), "/openapi.json"]
    assert len(urls) == 4
    for url in urls:
        assert (await client.get(url)).status_code == 200, url


async def test_swagger_ui_works_behind_a_path_prefix() -> None:
    transport = httpx.ASGITransport(build_sample_gateway(FakeServices()), root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        page = (await client.get("/api/docs")).text
        responses = [await client.get(url) for url in RESOURCE_URL.findall(page)]

    assert "url: '/api/openapi.json'" in page
    assert {response.status_code for response in responses} == {200}


@pytest.mark.parametrize(("prefix", "expected"), [("", "/"), ("/api", "/api")])
async def test_document_names_the_server_that_sends_it(prefix: str, expected: str) -> None:
    app = build_sample_gateway(FakeServices())
    transport = httpx.ASGITransport(app, root_path=prefix)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        document = (await client.get(f"{prefix}/openapi.json")).json()

    assert document == {**app.openapi(), "servers": [{"url": expected}]}


async def test_document_names_servers_of_the_app() -> None:
    app = build_sample_gateway(FakeServices())
    app.servers = [{"url": "https://api.example.com"}]
    transport = httpx.ASGITransport(app, root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        document = (await client.get("/api/openapi.json")).json()

    assert document["servers"] == app.servers


@pytest.mark.parametrize(
    "path", ["/redoc", "/docs/oauth2-redirect", "/docs/assets/nothing.js", "/docs/assets"]
)
async def test_unused_documentation_paths_are_404(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert response.json()["code"] == "route-not-found"
