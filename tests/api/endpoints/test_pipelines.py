"""GET /pipelines, and how a pipeline of one's own gets there."""

from typing import Any, Final, TypeAlias

import pytest
from fastapi import APIRouter, FastAPI, Response
from pydantic import TypeAdapter

from gateway.api.application import application
from gateway.api.endpoints.pipelines import Pipelines, describe, router
from gateway.api.openapi.document import responses
from gateway.api.pipeline_route.route import PipelineRequest, PipelineRoute, Serving
from gateway.client.models import UpstreamResponse, example
from gateway.plan.dry_run import DryRunError
from gateway.railway import (
    FAIL_FAST,
    Aggregate,
    Call,
    NotFound,
    Ok,
    Run,
    UpstreamFault,
    parallel,
    railway,
)
from tests.api.openapi_document import check
from tests.api.sample_gateway import client_of
from tests.client.scripted_service import Raising, client

Declared: TypeAlias = dict[int | str, dict[str, Any]]


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


def app_of(*, included: bool = False, hidden: bool = False, declared: Declared | None = None) -> FastAPI:
    routes, shown = APIRouter(route_class=PipelineRoute), Pipelines()

    @routes.post(
        "/lamps/{name}",
        response_model=str,
        status_code=201,
        responses=declared or responses(light, status=201),
        include_in_schema=not hidden,
    )
    async def post_lamp(name: str, request: PipelineRequest) -> Response:
        """Light a lamp."""
        return request.answer(Ok(name))

    app = application(Serving(), router(shown), *(() if included else (routes,)))
    app.state.pipelines = shown
    if included:
        app.include_router(routes)
    return app


@pytest.fixture
def app() -> FastAPI:
    app = app_of()
    describe(app, "POST /lamps/{name}", light, name="red")
    return app


async def listed(app: FastAPI) -> dict[str, Any]:
    async with client_of(app) as client:
        answer = await client.get("/pipelines")
    assert answer.status_code == 200
    said: dict[str, Any] = answer.json()
    return said


def call(name: str, **more: object) -> dict[str, object]:
    refusals = [{"status": 404, "code": "not-found"}]
    return {"name": name, "kind": "read", "need": "required", "refusals": refusals, **more}


async def test_it_says_what_a_pipeline_was_seen_to_do(app: FastAPI) -> None:
    (pipeline,) = (await listed(app))["pipelines"]

    assert pipeline["stages"][0] == {
        "name": "find",
        "policy": "fail fast",
        "after_commit": False,
        "calls": [call("things.red"), call("things.match", need="optional")],
    }
    assert (pipeline["name"], pipeline["summary"]) == ("light", "Light a lamp.")
    assert (pipeline["method"], pipeline["path"]) == ("POST", "/lamps/{name}")


async def test_calls_outside_of_stages_and_what_they_go_on_with_are_described_too(app: FastAPI) -> None:
    (pipeline,) = (await listed(app))["pipelines"]

    assert [stage.get("name") for stage in pipeline["stages"]] == ["find", "look", None]
    assert pipeline["stages"][2] == {"after_commit": False, "calls": [call("things.head")]}


async def test_what_a_call_of_a_stage_goes_on_with_is_described_with_it() -> None:
    @railway
    async def nested(run: Run[NotFound | UpstreamFault | Aggregate]) -> None:
        both = parallel(read("hand"), read("eye"), name="both").call
        await run.stage("look", both.bind(lambda _: read("head")))

    app = app_of()
    describe(app, "POST /lamps/{name}", nested)
    (stage,) = (await listed(app))["pipelines"][0]["stages"]

    (only,) = stage["calls"]
    assert (only["name"], only["kind"], only["refusals"]) == ("both", "nothing", [])
    assert [step["name"] for step in only["then"]] == ["both", "things.head"]


async def test_its_statuses_are_those_that_openapi_has_for_its_route(app: FastAPI) -> None:
    (pipeline,) = (await listed(app))["pipelines"]

    declared = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    assert pipeline["statuses"] == sorted(map(int, declared))
    assert 201 in pipeline["statuses"]


def shown(app: FastAPI, status: int) -> dict[str, Any]:
    """Give the problems that OpenAPI shows of the lamps, by name."""
    answers = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    examples = answers[str(status)]["content"]["application/problem+json"]["examples"]
    return {name: example["value"] for name, example in examples.items()}


@pytest.mark.parametrize("included", [False, True])
def test_the_documentation_shows_how_its_own_calls_can_fail(*, included: bool) -> None:
    app = app_of(included=included)
    before = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"].keys()
    describe(app, "POST /lamps/{name}", light, "red")

    assert "207" in before
    assert {name: said["source"] for name, said in shown(app, 404).items()} == {
        name: name for name in ("things.red", "things.hand", "things.eye", "things.head")
    }
    assert shown(app, 404)["things.red"]["detail"] == "things.red was refused: not found"
    assert shown(app, 503)["unavailable"]["detail"] == "The things service is unavailable"
    (together,) = shown(app, 207).values()
    assert [part["source"] for part in together["errors"]] == ["things.hand", "things.eye"]
    assert together["instance"] == "/lamps/name"


def test_until_it_is_described_the_failures_in_the_documentation_are_some_pipelines() -> None:
    assert [*shown(app_of(), 404)] == ["not-found"]
    assert [*shown(app_of(), 207)] == ["aggregate"]


def test_what_a_route_declares_beside_its_pipelines_responses_stays() -> None:
    @railway
    async def several(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> str:
        await run.stage("find", read(name))
        return name

    declared = {**responses(several, status=201), 207: {"description": "It finds several things wrong."}}
    app = app_of(declared=declared)
    describe(app, "POST /lamps/{name}", several, "red")

    (one,) = app.state.pipelines.listed["pipelines"]
    answers = app.openapi()["paths"]["/lamps/{name}"]["post"]["responses"]
    assert answers["207"]["description"] == "It finds several things wrong."
    assert 207 in one["statuses"]


async def test_a_pipeline_that_the_documentation_does_not_show_is_described_all_the_same() -> None:
    app = app_of(hidden=True)
    describe(app, "POST /lamps/{name}", light, "red")

    assert "/lamps/{name}" not in app.openapi()["paths"]
    assert [one["name"] for one in (await listed(app))["pipelines"]] == ["light"]


async def test_it_may_be_cached_for_a_while(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.head("/pipelines")

    assert answer.headers["cache-control"] == "max-age=300"


async def test_without_pipelines_there_is_an_empty_list() -> None:
    assert await listed(app_of()) == {"pipelines": []}


async def test_the_example_in_the_documentation_is_what_is_answered(app: FastAPI) -> None:
    document = app.openapi()

    shown = document["paths"]["/pipelines"]["get"]["responses"]["200"]["content"]["application/json"]
    assert shown["example"] == await listed(app)
    check(document, shown["schema"], shown["example"])


async def test_a_router_that_was_included_later_is_found_as_well() -> None:
    app = app_of(included=True)
    describe(app, "POST /lamps/{name}", light, "red")

    assert [one["name"] for one in (await listed(app))["pipelines"]] == ["light"]


@pytest.mark.parametrize("at", ["GET /lamps/{name}", "POST /lamps", "POST /lamps/red", "POST"])
def test_a_pipeline_is_described_only_where_it_answers(app: FastAPI, at: str) -> None:
    with pytest.raises(LookupError, match=f"no route answers {at}"):
        describe(app, at, light, "red")


def test_a_call_without_an_example_is_told_when_the_app_is_made(app: FastAPI) -> None:
    @railway
    async def dark(run: Run[UpstreamFault | Aggregate]) -> None:
        await run.stage("find", THINGS.get("things.dark", ("dark",), answer=TypeAdapter(int)))

    with pytest.raises(DryRunError, match=r"things\.dark cannot be rehearsed"):
        describe(app, "POST /lamps/{name}", dark)
