"""The page at /docs."""

import re

import httpx
import pytest

from tests.api.sample_gateway import World, gateway

LOADED = re.compile(r'(?:href|src)="([^"]+)"')


async def test_the_page_needs_nothing_from_other_hosts(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text

    assert "//" not in re.sub(r"<!--.*?-->", "", page).replace("// ", "")
    assert '"validatorUrl": null' in page


async def test_all_that_the_page_loads_is_there(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text

    loaded = [*LOADED.findall(page), "/openapi.json"]
    assert len(loaded) == 4
    for address in loaded:
        assert (await client.get(address)).status_code == 200, address


async def test_the_page_works_behind_a_proxy_that_adds_a_path() -> None:
    transport = httpx.ASGITransport(gateway(World()), root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        page = (await client.get("/api/docs")).text
        answers = [await client.get(address) for address in LOADED.findall(page)]

    assert "url: '/api/openapi.json'" in page
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    "path", ["/redoc", "/docs/oauth2-redirect", "/docs/assets/nothing.js", "/docs/assets"]
)
async def test_what_is_not_used_is_not_served(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.json()["code"] == "route-not-found"
