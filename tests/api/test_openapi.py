"""The OpenAPI document."""

from collections.abc import Iterator
from typing import Annotated, Any, cast, get_args

import httpx
import jsonschema_rs
import pytest
import schemathesis
from fastapi import Query

from gateway.api.examples import EXAMPLES
from gateway.api.openapi import responses
from gateway.api.problems import status
from gateway.railway import (
    Aggregate,
    Err,
    Fault,
    Gone,
    Invalid,
    NotFound,
    RateLimited,
    Run,
    TimedOut,
    Unauthorized,
    Unavailable,
    UpstreamFault,
    railway,
)
from tests.api.world import BASKET, BasketError, World, client_of, gateway, gives

_OWN = {"400", "408", "413", "415", "422", "500"}


@pytest.fixture
def document() -> dict[str, Any]:
    return gateway(World()).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def media(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every body that is described: of requests, and of answers."""
    for name, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} {kind}", content
        for code, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                yield f"{name} {code} {kind}", content


def examples(document: dict[str, Any], content: dict[str, Any]) -> Iterator[object]:
    if "example" in content:
        yield content["example"]
    for example in content.get("examples", {}).values():
        yield example["value"]
    yield from resolved(document, content["schema"]).get("examples", ())


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return cast("dict[str, Any]", document["components"]["schemas"][name]) if name else schema


def check(document: dict[str, Any], schema: dict[str, Any], instance: object) -> None:
    jsonschema_rs.Draft202012Validator(
        {**schema, "components": document["components"]}, validate_formats=True
    ).validate(instance)


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")

    schemathesis.openapi.from_dict(document).validate()


def test_every_body_has_an_example_and_every_example_is_valid(document: dict[str, Any]) -> None:
    for name, content in media(document):
        found = [*examples(document, content)]
        assert found, name
        for example in found:
            check(document, content["schema"], example)


def test_every_header_and_parameter_has_an_example_that_is_valid(document: dict[str, Any]) -> None:
    parts = document["components"]
    for part in (*parts["headers"].values(), *parts["parameters"].values()):
        assert part["description"].endswith(".")
        for example in part["schema"].get("examples", part["schema"].get("enum")):
            check(document, part["schema"], example)


def test_every_operation_is_described_and_named(document: dict[str, Any]) -> None:
    named = [operation["operationId"] for _, operation in operations(document)]

    assert sorted(named) == ["get_liveness", "get_problem", "get_readiness", "get_user", "post_basket"]
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name


def test_nothing_is_left_of_fastapis_own_422(document: dict[str, Any]) -> None:
    assert "ValidationError" not in str(document)


async def test_a_route_of_fastapis_own_kind_declares_our_422_too(world: World) -> None:
    app = gateway(world)

    @app.get("/plain")
    async def get_plain(limit: Annotated[int, Query()]) -> int:
        return limit

    first, second = app.openapi(), app.openapi()

    answer = first["paths"]["/plain"]["get"]["responses"]["422"]
    assert first == second
    assert "ValidationError" not in str(first)
    assert "Server-Timing" not in answer["headers"]
    async with client_of(app) as client:
        refused = await client.get("/plain?limit=x")
    check(first, answer["content"]["application/problem+json"]["schema"], refused.json())


def test_a_pipelines_route_documents_its_headers(document: dict[str, Any]) -> None:
    operation = document["paths"]["/baskets"]["post"]

    taken = {parameter["$ref"].rpartition("/")[2] for parameter in operation["parameters"]}
    assert taken == {"X-Request-Id", "X-Request-Timeout-Ms", "traceparent", "tracestate"}
    for answer in operation["responses"].values():
        assert answer["headers"].keys() >= {"X-Request-Id", "Server-Timing", "Gateway-Completed"}
    assert "Retry-After" in operation["responses"]["503"]["headers"]
    assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]


def test_a_pipelines_route_declares_what_its_run_promises(document: dict[str, Any]) -> None:
    promised = {"207", "401", "404", "409", "422", "429", "502", "503", "504"}

    assert document["paths"]["/baskets"]["post"]["responses"].keys() == {"200"} | _OWN | promised


def test_a_pipeline_that_promises_everything_declares_everything() -> None:
    @railway
    async def everything(run: Run[Fault | Aggregate]) -> None: ...

    wanted = {status(EXAMPLES[kind]) for kind in get_args(Fault)} | {*map(int, _OWN), 200, 202, 207}
    assert {*responses(everything)} == wanted


def test_success_has_the_status_that_is_given() -> None:
    @railway
    async def one(run: Run[Gone]) -> None: ...

    assert [*responses(one, status=201, example=1)] == [201, 400, 408, 410, 413, 415, 422, 500]


def test_a_pipeline_that_promises_only_faults_of_servers_never_answers_207() -> None:
    @railway
    async def fetch(run: Run[UpstreamFault | Aggregate]) -> None: ...

    answers = responses(fetch)
    assert 207 not in answers
    for code in (502, 503, 504):
        assert "aggregate" in answers[code]["content"]["application/problem+json"]["examples"]


def test_answers_of_several_codes_have_an_example_of_each(document: dict[str, Any]) -> None:
    answers = document["paths"]["/baskets"]["post"]["responses"]

    for code, names in {
        "400": ["malformed", "invalid-header"],
        "422": ["invalid-request", "invalid"],
        "503": ["unavailable", "aggregate"],
    }.items():
        assert [*answers[code]["content"]["application/problem+json"]["examples"]] == names


@pytest.mark.parametrize(
    "failure",
    [
        NotFound("a", source="users.fetch"),
        Invalid("a", violations=(("", ("a",)),)),
        Unauthorized("a"),
        RateLimited("a", retry_after=1),
        Unavailable("a"),
        Aggregate((NotFound("a", source="users.fetch"), NotFound("b"))),
        Aggregate((NotFound("a"), TimedOut("b"))),
    ],
    ids=repr,
)
async def test_what_is_sent_is_declared(
    world: World, document: dict[str, Any], client: httpx.AsyncClient, failure: BasketError
) -> None:
    world.users = gives("users.fetch", Err(failure))

    answer = await client.post("/baskets", json=BASKET)

    declared = document["paths"]["/baskets"]["post"]["responses"][str(answer.status_code)]
    check(document, declared["content"][answer.headers["content-type"]]["schema"], answer.json())
