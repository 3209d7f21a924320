"""Titles of statuses."""

from http import HTTPStatus
from typing import Annotated

import httpx
import pytest
from fastapi import HTTPException, Query

from gateway.api.problems.titles import find_title, replace_phrase
from tests.api.sample_gateway import FakeServices, build_sample_gateway, create_client


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (404, "Not Found"),
        (207, "Multi-Status"),
        (431, "Request Header Fields Too Large"),
    ],
)
def test_title_is_phrase_of_rfc_9110(status: int, title: str) -> None:
    assert find_title(status) == title


def test_other_text_is_not_replaced() -> None:
    assert replace_phrase("The body is too large", 413) == "The body is too large"
    assert replace_phrase(HTTPStatus(413).phrase, 422) == HTTPStatus(413).phrase


async def test_too_large_body_has_title_of_its_type(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}

    response = await client.post("/baskets", content=b" " * 70_000, headers=headers)

    assert response.json()["title"] == "Content Too Large"
    assert (await client.get("/problems/too-large")).json()["title"] == "Content Too Large"


async def test_invalid_request_has_title_of_its_type(client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", json={})

    assert response.json()["title"] == "Unprocessable Content"
    assert (await client.get("/problems/invalid")).json()["title"] == "Unprocessable Content"


async def test_error_without_detail_has_title_as_detail(services: FakeServices) -> None:
    app = build_sample_gateway(services)

    @app.get("/big")
    async def get_big() -> None:
        raise HTTPException(416)

    async with create_client(app) as client:
        problem = (await client.get("/big")).json()

    assert problem["title"] == problem["detail"] == "Range Not Satisfiable"
    assert problem["code"] == "range-not-satisfiable"


def test_document_describes_status_by_its_title(services: FakeServices) -> None:
    app = build_sample_gateway(services)

    @app.get("/big", responses={413: {}, 422: {}, "4XX": {}})
    async def get_big(limit: Annotated[int, Query()]) -> int:
        return limit

    responses = app.openapi()["paths"]["/big"]["get"]["responses"]

    assert responses["413"]["description"] == "Content Too Large"
    assert responses["422"]["description"] == "Unprocessable Content"
    assert "Entity" not in str(app.openapi())
