"""Endpoint of a pipeline that makes a call for each item of its request (`Run.each`)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Final

import httpx
import pytest
from pydantic import BaseModel, Field

from gateway.api.pipeline_route.registration import Route
from gateway.railway import (
    Aggregate,
    Call,
    Conflict,
    Err,
    Invalid,
    Missing,
    NotFound,
    Ok,
    Policy,
    Result,
    Run,
    railway,
)
from tests.api.sample_gateway import build_gateway, create_client

PlaceError = NotFound | Conflict | Invalid
Place = Result[str, PlaceError]

TOO_FAR: Final = Invalid("too far", source="geo.place", violations=(("place", ("is too far",)),))


class Trip(BaseModel):
    place_ids: Annotated[list[str], Field(examples=[["a", "b"]])]
    policy: Policy = Policy.SETTLE


@dataclass
class Geo:
    """Service that knows all places, except those in *refusals*."""

    refusals: dict[str, PlaceError] = field(default_factory=dict[str, PlaceError])

    def place(self, place_id: str) -> Call[str, PlaceError]:
        async def attempt() -> Place:
            refusal = self.refusals.get(place_id)
            return Ok(place_id.upper()) if refusal is None else Err(refusal)

        return Call("geo.place", attempt)


@railway
async def plan_trip(run: Run[PlaceError | Aggregate], trip: Trip, geo: Geo) -> list[str]:
    return await run.each("places", map(geo.place, trip.place_ids), at_once=2, policy=trip.policy)


@railway
async def plan_loosely(run: Run[Aggregate], trip: Trip, geo: Geo) -> list[str | None]:
    places = await run.each("places", (geo.place(place_id).optional() for place_id in trip.place_ids))
    return [None if isinstance(place, Missing) else place for place in places]


@pytest.fixture
def geo() -> Geo:
    return Geo({"x": NotFound("no x", source="geo.place"), "y": TOO_FAR})


@pytest.fixture
async def client(geo: Geo) -> AsyncIterator[httpx.AsyncClient]:
    routes = Route("POST", "/trips", plan_trip), Route("POST", "/loose-trips", plan_loosely)
    async with create_client(build_gateway(*routes, services={"geo": geo})) as client:
        yield client


async def post(client: httpx.AsyncClient, *place_ids: str, path: str = "/trips") -> httpx.Response:
    return await client.post(path, json={"place_ids": place_ids})


@pytest.mark.parametrize("count", [0, 1, 500])
async def test_list_is_answered_in_item_order(client: httpx.AsyncClient, count: int) -> None:
    response = await post(client, *(f"p{n}" for n in range(count)))

    assert (response.status_code, response.json()) == (200, [f"P{n}" for n in range(count)])
    assert len(response.headers["server-timing"]) <= 2048


async def test_single_refused_item_is_problem_with_item(client: httpx.AsyncClient) -> None:
    problem = (await post(client, "a", "x", "b")).json()

    assert (problem["code"], problem["source"], problem["item"]) == ("not-found", "geo.place", 1)


async def test_refused_items_are_parts_with_items(client: httpx.AsyncClient) -> None:
    response = await post(client, "x", "a", "x")

    assert response.status_code == 207
    assert [(part["source"], part["item"]) for part in response.json()["errors"]] == [
        ("geo.place", 0),
        ("geo.place", 2),
    ]


async def test_invalid_items_are_violations_with_items(client: httpx.AsyncClient) -> None:
    response = await post(client, "y", "a", "y")

    assert response.status_code == 422
    assert response.json()["violations"] == [
        {"field": "place", "messages": ["is too far"], "item": 0},
        {"field": "place", "messages": ["is too far"], "item": 2},
    ]


async def test_failing_fast_list_has_problem_of_first_item(client: httpx.AsyncClient) -> None:
    response = await client.post("/trips", json={"place_ids": ["a", "x", "y"], "policy": "fail fast"})

    assert (response.status_code, response.json()["item"]) == (404, 1)


async def test_missing_optional_item_degrades_list(client: httpx.AsyncClient) -> None:
    response = await post(client, "a", "x", path="/loose-trips")

    assert (response.status_code, response.json()) == (200, ["A", None])
    assert response.headers["gateway-completed"] == "false"
