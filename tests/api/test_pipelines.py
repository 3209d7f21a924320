"""GET /pipelines, and how a pipeline of one's own gets there."""

from typing import Any, Final

import pytest
from fastapi import APIRouter, FastAPI, Response
from pydantic import TypeAdapter

from gateway.api.application import application
from gateway.api.openapi import responses
from gateway.api.pipelines import Pipelines, describe, router
from gateway.api.route import PipelineRequest, PipelineRoute, Serving
from gateway.plans.rehearsal import RehearsalError
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
from gateway.upstreams.shapes import Answer, example
from tests.api.document import check
from tests.api.world import client_of
from tests.upstreams.world import Raising, client


class Lamp(Answer):
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
    run.take(await parallel(read("hand"), read("eye"), name="look").whole.bind(lambda _: read("head")))
    return name


def app_of(*, included: bool = False) -> FastAPI:
    routes, shown = APIRouter(route_class=PipelineRoute), Pipelines()

    @routes.post("/lamps/{name}", response_model=str, status_code=201, responses=responses(light, status=201))
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
        both = parallel(read("hand"), read("eye"), name="both").whole
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

    with pytest.raises(RehearsalError, match=r"things\.dark cannot be rehearsed"):
        describe(app, "POST /lamps/{name}", dark)
