"""GET /pipelines."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from gateway.api.application import Gateway
from gateway.api.pipeline_route.registration import Route
from gateway.client.models import UpstreamResponse, example
from gateway.plan.dry_run import DryRunError
from gateway.railway import (
    FAIL_FAST,
    Aggregate,
    Call,
    Failure,
    NotFound,
    Pipeline,
    Run,
    UpstreamFault,
    parallel,
    railway,
)
from tests.api.openapi_document import check
from tests.api.sample_gateway import client_of, gateway_of
from tests.client.scripted_service import Raising, client


class Lamp(UpstreamResponse):
    model_config = example(size=3)

    size: int


THINGS: Final = client(Raising(AssertionError("the network")))
LAMP: Final = TypeAdapter(Lamp)


def read(name: str) -> Call[Lamp, NotFound | UpstreamFault]:
    return THINGS.get(f"things.{name}", (name,), answer=LAMP, declared={404: NotFound})


@railway
async def light(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> str:
    """Light a lamp."""
    await run.stage("find", read(name), read("match").optional(), policy=FAIL_FAST)
    run.unwrap(await parallel(read("hand"), read("eye"), name="look").call.bind(lambda _: read("head")))
    return name


def app_of(
    pipeline: Pipeline[..., object, Failure] = light,
    responses: Mapping[int | str, dict[str, Any]] | None = None,
) -> Gateway:
    route = Route(
        "POST", "/lamps/{name}", pipeline, status=201, example={"name": "red"}, responses=responses or {}
    )
    return gateway_of(route, services={}, has_dry_runs=True)


@pytest.fixture
def app() -> Gateway:
    return app_of()


async def listed(app: FastAPI) -> dict[str, Any]:
    async with client_of(app) as client:
        response = await client.get("/pipelines")
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def call(name: str, **more: object) -> dict[str, object]:
    refusals = [{"status": 404, "code": "not-found"}]
    return {"name": name, "kind": "read", "need": "required", "refusals": refusals, **more}


async def test_pipeline_is_described_from_its_dry_run(app: Gateway) -> None:
    (pipeline,) = (await listed(app))["pipelines"]

    assert pipeline["stages"][0] == {
        "name": "find",
        "policy": "fail fast",
        "after_commit": False,
        "calls": [call("things.red"), call("things.match", need="optional")],
    }
    assert (pipeline["name"], pipeline["summary"]) == ("light", "Light a lamp.")
    assert (pipeline["method"], pipeline["path"]) == ("POST", "/lamps/{name}")


async def test_calls_outside_stages_are_described(app: Gateway) -> None:
    (pipeline,) = (await listed(app))["pipelines"]

    assert [stage.get("name") for stage in pipeline["stages"]] == ["find", "look", None]
    assert pipeline["stages"][2] == {"after_commit": False, "calls": [call("things.head")]}


async def test_steps_after_a_call_are_described_with_it() -> None:
    @railway
    async def nested(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> None:  # noqa: ARG001
        both = parallel(read("hand"), read("eye"), name="both").call
        await run.stage("look", both.bind(lambda _: read("head")))

    (stage,) = (await listed(app_of(nested)))["pipelines"][0]["stages"]

    (only,) = stage["calls"]
    assert (only["name"], only["kind"], only["refusals"]) == ("both", "nothing", [])
    assert [step["name"] for step in only["then"]] == ["both", "things.head"]


async def test_statuses_are_those_of_the_openapi_document(app: Gateway) -> None:
    (pipeline,) = (await listed(app))["pipelines"]

    declared = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    assert pipeline["statuses"] == sorted(map(int, declared))
    assert 201 in pipeline["statuses"]


def problems(app: FastAPI, status: int) -> dict[str, Any]:
    """Return the example problems of the route in the OpenAPI document, by name."""
    answers = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    examples = answers[str(status)]["content"]["application/problem+json"]["examples"]
    return {name: example["value"] for name, example in examples.items()}


def test_openapi_shows_the_failures_of_the_pipelines_calls(app: Gateway) -> None:
    assert {name: problem["source"] for name, problem in problems(app, 404).items()} == {
        name: name for name in ("things.red", "things.hand", "things.eye", "things.head")
    }
    assert problems(app, 404)["things.red"]["detail"] == "things.red was refused: not found"
    (together,) = problems(app, 207).values()
    assert [part["source"] for part in together["errors"]] == ["things.hand", "things.eye"]
    assert together["instance"] == "/lamps/name"


async def test_further_responses_of_a_route_are_listed() -> None:
    @railway
    async def several(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> str:
        await run.stage("find", read(name))
        return name

    app = app_of(several, responses={207: {"description": "It finds several things wrong."}})

    (one,) = (await listed(app))["pipelines"]
    answers = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    assert answers["207"]["description"] == "It finds several things wrong."
    assert 207 in one["statuses"]


async def test_pipelines_may_be_cached(app: Gateway) -> None:
    async with client_of(app) as client:
        response = await client.head("/pipelines")

    assert response.headers["cache-control"] == "max-age=300"


async def test_list_is_empty_without_pipelines() -> None:
    assert await listed(gateway_of(services={})) == {"pipelines": []}


async def test_documented_example_is_the_response(app: Gateway) -> None:
    document = app.openapi()

    documented = document["paths"]["/pipelines"]["get"]["responses"]["200"]["content"]["application/json"]
    assert documented["example"] == await listed(app)
    check(document, documented["schema"], documented["example"])


def test_call_without_an_example_fails_the_dry_run() -> None:
    @railway
    async def dark(run: Run[UpstreamFault | Aggregate], name: str) -> None:
        await run.stage("find", THINGS.get("things.dark", (name,), answer=TypeAdapter(int)))

    with pytest.raises(DryRunError, match=r"no example for things\.dark"):
        app_of(dark)
