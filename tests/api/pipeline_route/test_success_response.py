"""Successes of a route: methods, status, headers and body."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Never

import httpx
import pytest
from pydantic import BaseModel, Field, computed_field
from starlette.responses import Response

from gateway.api.application import Gateway
from gateway.api.pipeline_route.registration import RegistrationError, Route
from gateway.api.pipeline_route.request import PipelineRequest
from gateway.railway import Run, Stuck, railway
from tests.api.fake_bank import PAYMENT, Bank, BankProcess, add_key, pay
from tests.api.openapi_document import check_instance
from tests.api.sample_gateway import build_gateway, build_state, create_client


class Line(BaseModel):
    product_id: str = Field(alias="productId")
    note: str | None = None
    internal: str = "hidden"

    @computed_field
    def label(self) -> str:
        """Return a label."""
        return f"#{self.product_id}"


class PublicLine(BaseModel):
    product_id: str = Field(serialization_alias="id")


@dataclass
class Stored:
    product_id: str
    internal: str


@railway
async def find(_: Run[Never]) -> Line:
    """Find a line."""
    return Line.model_validate({"productId": "p-1"})


@railway
async def load(_: Run[Never]) -> Stored:
    """Load a line from a store."""
    return Stored("p-1", "hidden")


@railway
async def remove(_: Run[Never]) -> None:
    """Remove a line."""


FULL: Final = {"productId": "p-1", "note": None, "internal": "hidden", "label": "#p-1"}


def build_app(route: Route) -> Gateway:
    return build_gateway(route, services={}, has_dry_runs=True)


async def send(app: Gateway, method: str = "GET", path: str = "/lines") -> httpx.Response:
    async with create_client(app) as client:
        return await client.request(method, path)


def get_success(app: Gateway, status: str = "200") -> dict[str, Any]:
    """Return the documented success of `GET /lines`."""
    response: dict[str, Any] = app.openapi()["paths"]["/lines"]["get"]["responses"][status]
    return response


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, FULL),
        ({"response_model_exclude_none": True}, {"productId": "p-1", "internal": "hidden", "label": "#p-1"}),
        ({"response_model_exclude_unset": True}, {"productId": "p-1", "label": "#p-1"}),
        ({"response_model_exclude_defaults": True}, {"productId": "p-1", "label": "#p-1"}),
        ({"response_model_include": {"product_id"}}, {"productId": "p-1"}),
        ({"response_model_exclude": {"internal", "label"}}, {"productId": "p-1", "note": None}),
        (
            {"response_model_by_alias": False},
            {"product_id": "p-1", "note": None, "internal": "hidden", "label": "#p-1"},
        ),
    ],
)
async def test_body_is_written_as_by_fastapi(options: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    app = build_app(Route("GET", "/lines", find, **options))

    assert (await send(app)).json() == expected
    assert get_success(app)["content"]["application/json"]["example"] == expected


async def test_documented_schema_has_aliases_and_computed_fields() -> None:
    app = build_app(Route("GET", "/lines", find))

    check_instance(app.openapi(), get_success(app)["content"]["application/json"]["schema"], FULL)
    assert set(app.openapi()["components"]["schemas"]["Line"]["properties"]) == FULL.keys()


async def test_response_model_filters_the_value() -> None:
    app = build_app(Route("GET", "/lines", load, response_model=PublicLine))

    assert (await send(app)).json() == {"id": "p-1"}
    assert get_success(app)["content"]["application/json"]["example"] == {"id": "p-1"}


@pytest.mark.parametrize("status", [204, 205])
async def test_status_without_content_has_no_body(status: int) -> None:
    app = build_app(Route("GET", "/lines", remove, status=status))
    response = await send(app)

    assert (response.status_code, response.content) == (status, b"")
    assert "content-type" not in response.headers
    assert response.headers["gateway-completed"] == "true"
    assert "content" not in get_success(app, str(status))


async def test_none_with_200_is_null() -> None:
    assert (await send(build_app(Route("GET", "/lines", remove)))).content == b"null"


@pytest.mark.parametrize(
    "route",
    [
        Route("GET", "/lines", find, status=204),
        Route("GET", "/lines", remove, status=204, response_model=Line),
    ],
)
def test_body_with_204_is_refused(route: Route) -> None:
    with pytest.raises(RegistrationError, match="GET /lines: a response with status 204 has no body, so"):
        build_app(route)


async def test_headers_can_depend_on_the_value() -> None:
    def locate(line: Line) -> Mapping[str, str]:
        return {"Location": f"/lines/{line.product_id}"}

    app = build_app(Route("GET", "/lines", find, status=201, headers=locate))

    assert (await send(app)).headers["location"] == "/lines/p-1"
    assert get_success(app, "201")["headers"]["Location"]["schema"]["examples"] == ["/lines/p-1"]


@pytest.mark.parametrize("headers", [{"two words": "x"}, {"X-A": "a\nb"}, {"X-A": "\u20ac"}])
def test_invalid_header_is_refused(headers: Mapping[str, str]) -> None:
    with pytest.raises(RegistrationError, match="GET /lines: invalid header"):
        Route("GET", "/lines", find, headers=headers)
    with pytest.raises(RegistrationError, match="GET /lines: invalid header"):
        build_app(Route("GET", "/lines", find, headers=lambda _: headers))


def test_status_of_a_running_commit_is_refused() -> None:
    with pytest.raises(RegistrationError, match="the gateway sends it while a commit is in progress"):
        Route("POST", "/payments", pay, status=202)


async def test_replay_has_the_headers_of_the_value() -> None:
    bank = Bank()
    route = Route("POST", "/payments", pay, headers=lambda paid: {"X-Receipt": paid.receipt})
    shared = build_state(executions=BankProcess(bank).executions)
    app = build_gateway(route, services={"bank": bank}, shared=shared)
    async with create_client(app) as client:
        responses = [await client.post("/payments", json=PAYMENT, headers=add_key("k")) for _ in range(2)]

    assert [response.headers["x-receipt"] for response in responses] == ["receipt-1"] * 2


async def find_by_method(request: PipelineRequest) -> Response:
    return await request.run()


@pytest.mark.parametrize(
    ("route", "operations"),
    [
        (Route(["PUT", "PATCH"], "/lines", find), ["put_find", "patch_find"]),
        (
            Route(("GET", "POST"), "/lines", find, endpoint=find_by_method),
            ["get_find_by_method", "post_find_by_method"],
        ),
        (Route(["DELETE"], "/lines", find, endpoint=find_by_method), ["find_by_method"]),
    ],
)
async def test_route_serves_each_of_its_methods(route: Route, operations: list[str]) -> None:
    app = build_app(route)
    responses = [await send(app, method) for method in route.methods]
    documented = app.openapi()["paths"]["/lines"]

    assert [response.json() for response in responses] == [FULL] * len(route.methods)
    assert [documented[method.lower()]["operationId"] for method in route.methods] == operations
    assert [pipeline.description["method"] for pipeline in app.pipelines] == [*route.methods]


async def test_other_methods_are_405() -> None:
    response = await send(build_app(Route(["PUT", "PATCH"], "/lines", find)), "POST")

    assert (response.status_code, response.headers["allow"]) == (405, "PUT, PATCH, OPTIONS")


def test_get_among_methods_of_a_write_is_refused() -> None:
    @railway
    async def change(_: Run[Stuck]) -> None:
        """Promise `Stuck`, as a pipeline with a commit does."""

    with pytest.raises(RegistrationError, match="change writes, which GET must not do"):
        build_app(Route(["PUT", "GET"], "/lines", change))
