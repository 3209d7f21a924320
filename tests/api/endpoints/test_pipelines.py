"""Endpoint that lists the pipelines."""

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
from tests.api.openapi_document import check_instance
from tests.api.sample_gateway import build_gateway, create_client
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


def build_app(
    pipeline: Pipeline[..., object, Failure] = light,
    responses: Mapping[int | str, dict[str, Any]] | None = None,
) -> Gateway:
    route = Route(
        "POST", "/lamps/{name}", pipeline, status=201, example={"name": "red"}, responses=responses or {}
    )
    return build_gateway(route, services={}, has_dry_runs=True)


@pytest.fixture
def app() -> Gateway:
    return build_app()


async def list_pipelines(app: FastAPI) -> dict[str, Any]:
    async with create_client(app) as client:
        response = await client.get("/pipelines")
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def describe_call(name: str, **members: object) -> dict[str, object]:
    refusals = [{"status": 404, "code": "not-found"}]
    return {"name": name, "kind": "read", "need": "required", "refusals": refusals, **members}


async def test_pipeline_is_described_from_its_dry_run(app: Gateway) -> None:
    (pipeline,) = (await list_pipelines(app))["pipelines"]

    assert pipeline["stages"][0] == {
        "name": "find",
        "policy": "fail fast",
        "after_commit": False,
        "calls": [describe_call("things.red"), describe_call("things.match", need="optional")],
    }
    assert (pipeline["name"], pipeline["summary"]) == ("light", "Light a lamp.")
    assert (pipeline["method"], pipeline["path"]) == ("POST", "/lamps/{name}")


async def test_calls_outside_stages_are_described(app: Gateway) -> None:
    (pipeline,) = (await list_pipelines(app))["pipelines"]

    assert [stage.get("name") for stage in pipeline["stages"]] == ["find", "look", None]
    assert pipeline["stages"][2] == {"after_commit": False, "calls": [describe_call("things.head")]}


async def test_chained_calls_are_nested_in_their_call() -> None:
    @railway
    async def nested(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> None:  # noqa: ARG001
        both = parallel(read("hand"), read("eye"), name="both").call
        await run.stage("look", both.bind(lambda _: read("head")))

    (stage,) = (await list_pipelines(build_app(nested)))["pipelines"][0]["stages"]

    (only,) = stage["calls"]
    assert (only["name"], only["kind"], only["refusals"]) == ("both", "nothing", [])
    assert [step["name"] for step in only["then"]] == ["both", "things.head"]


async def test_listed_statuses_match_openapi_document(app: Gateway) -> None:
    (pipeline,) = (await list_pipelines(app))["pipelines"]

    declared = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    assert pipeline["statuses"] == sorted(map(int, declared))
    assert 201 in pipeline["statuses"]


def get_problems(app: FastAPI, status: int) -> dict[str, Any]:
    """Return the example problems of the route in the OpenAPI document, by name."""
    responses = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    examples = responses[str(status)]["content"]["application/problem+json"]["examples"]
    return {name: example["value"] for name, example in examples.items()}


def test_openapi_shows_failures_of_pipeline_calls(app: Gateway) -> None:
    assert {name: problem["source"] for name, problem in get_problems(app, 404).items()} == {
        name: name for name in ("things.red", "things.hand", "things.eye", "things.head")
    }
    assert get_problems(app, 404)["things.red"]["detail"] == "things.red was refused: not found"
    (aggregate,) = get_problems(app, 207).values()
    assert [part["source"] for part in aggregate["errors"]] == ["things.hand", "things.eye"]
    assert aggregate["instance"] == "/lamps/name"


async def test_declared_responses_are_listed() -> None:
    @railway
    async def find(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> str:
        await run.stage("find", read(name))
        return name

    app = build_app(find, responses={207: {"description": "It finds several things wrong."}})

    (pipeline,) = (await list_pipelines(app))["pipelines"]
    responses = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    assert responses["207"]["description"] == "It finds several things wrong."
    assert 207 in pipeline["statuses"]


async def test_pipelines_response_is_cacheable(app: Gateway) -> None:
    async with create_client(app) as client:
        response = await client.head("/pipelines")

    assert response.headers["cache-control"] == "max-age=300"


async def test_pipelines_list_can_be_empty() -> None:
    assert await list_pipelines(build_gateway(services={})) == {"pipelines": []}


async def test_pipelines_example_is_the_response(app: Gateway) -> None:
    document = app.openapi()

    documented = document["paths"]["/pipelines"]["get"]["responses"]["200"]["content"]["application/json"]
    assert documented["example"] == await list_pipelines(app)
    check_instance(document, documented["schema"], documented["example"])


def test_call_without_example_fails_dry_run() -> None:
    @railway
    async def dark(run: Run[UpstreamFault | Aggregate], name: str) -> None:
        await run.stage("find", THINGS.get("things.dark", (name,), answer=TypeAdapter(int)))

    with pytest.raises(DryRunError, match=r"no example for things\.dark"):
        build_app(dark)
