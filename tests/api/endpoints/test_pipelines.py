"""Endpoint that lists the pipelines."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from gateway.api.application import Gateway
from gateway.api.pipeline_route.description import list_notes
from gateway.api.pipeline_route.registration import RegistrationError, Route
from gateway.client.models import UpstreamResponse, example
from gateway.railway import (
    FAIL_FAST,
    Aggregate,
    Call,
    Conflict,
    Failure,
    NotFound,
    Ok,
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
    return THINGS.get(f"things.{name}", f"/{name}", answer=LAMP, declared={404: NotFound})()


@railway
async def light(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> str:
    """Light a lamp."""
    await run.stage("find", read(name), read("match").optional(), policy=FAIL_FAST)
    run.unwrap(await parallel(read("hand"), read("eye"), name="look").call.bind(lambda _: read("head")))
    return name


@railway
async def light_all(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> list[Lamp]:
    return await run.each("find", (read(name) for _ in range(2)), at_once=5)


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


async def test_list_of_calls_is_described_by_one_item() -> None:
    (stage,) = (await list_pipelines(build_app(light_all)))["pipelines"][0]["stages"]

    assert stage == {
        "name": "find",
        "policy": "settle",
        "at_once": 5,
        "after_commit": False,
        "calls": [describe_call("things.red")],
    }


def test_openapi_shows_failures_of_list_items() -> None:
    (aggregate,) = get_problems(build_app(light_all), 207).values()

    assert [(part["source"], part["item"]) for part in aggregate["errors"]] == [
        ("things.red", 0),
        ("things.red", 1),
    ]


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


@railway
async def dark(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> int:
    """Call a service whose answer has no example."""
    await run.stage("light", read(name), read("match"))
    (size,) = await run.stage("find", THINGS.get("things.dark", "/{name}", answer=int)(name=name))
    return size


async def test_incomplete_dry_run_is_noted() -> None:
    app = build_app(dark)

    (pipeline,) = (await list_pipelines(app))["pipelines"]
    (note,) = pipeline["notes"]
    assert "the dry run of dark did not succeed: no example for things.dark: integer has no example;" in note
    assert [stage["name"] for stage in pipeline["stages"]] == ["light", "find"]
    assert [*list_notes(app.pipelines)] == [f"POST /lamps/{{name}}: {note}"]


def test_incomplete_dry_run_declares_every_promised_status() -> None:
    app = build_app(dark)

    (described,) = app.pipelines
    assert described.description["statuses"] == [201, 207, 400, 404, 408, 413, 422, 429, 500, 502, 503, 504]
    assert {problem["source"] for problem in get_problems(app, 404).values()} == {
        "things.red",
        "things.match",
    }
    assert "aggregate: light" in get_problems(app, 207)


def test_complete_dry_run_has_no_notes(app: Gateway) -> None:
    assert [*list_notes(app.pipelines)] == []
    assert "notes" not in app.pipelines[0].description


def test_failure_without_plan_keeps_generic_aggregate() -> None:
    @railway
    async def fail(run: Run[NotFound | Aggregate], name: str) -> None:
        await run.stage("find", read(name).map(lambda _: None).recover(lambda _: Ok(None)))
        run.fail(NotFound(name))

    assert [*get_problems(build_app(fail), 207)] == ["aggregate"]


def test_aggregate_of_another_branch_is_documented() -> None:
    """The dry run does not take the branch whose stage can fail twice; a request may."""

    @railway
    async def branch(run: Run[NotFound | UpstreamFault | Aggregate], name: str) -> str:
        if name == "no example":
            await run.stage("both", *(read(name).ensure(bool, lambda _: NotFound()) for _ in range(2)))
        return name

    assert [*get_problems(build_app(branch), 207)] == ["aggregate"]


async def test_pipeline_with_incomplete_dry_run_is_served() -> None:
    @railway
    async def pick(run: Run[NotFound], name: str) -> str:
        return run.fail(NotFound("Too red")) if name == "red" else name

    async with create_client(build_app(pick)) as client:
        assert (await client.post("/lamps/green")).json() == "green"
        assert (await client.post("/lamps/red")).status_code == 404


def test_result_that_is_no_json_is_noted() -> None:
    @railway
    async def opaque(run: Run[NotFound], name: str) -> object:
        return run if name else name

    (note,) = list_notes(build_app(opaque).pipelines)
    assert "its result cannot be written as JSON: " in note


def test_own_error_without_example_is_noted() -> None:
    class Broken(Conflict, code="broken"):
        size: int

    @railway
    async def shatter(_: Run[Broken], name: str) -> str:
        return name

    (note,) = list_notes(build_app(shatter).pipelines)
    assert ": the documentation has no example of Broken: Size has no example; add Field(" in note


def test_broken_rule_refuses_the_app() -> None:
    @railway
    async def misuse(run: Run[UpstreamFault | Aggregate], name: str) -> str:
        run.nothing()  # type: ignore[attr-defined]
        return name

    reason = r"^POST /lamps/{name}: misuse breaks a rule: AttributeError: .*\n  File .*, in misuse\n"
    with pytest.raises(RegistrationError, match=reason):
        build_app(misuse)
