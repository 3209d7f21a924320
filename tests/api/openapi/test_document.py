"""The OpenAPI document, of FastAPI's part and route specs, and of whole apps."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any, Final

import httpx
import pytest
import schemathesis
from fastapi import FastAPI, Query
from pydantic import BaseModel

from gateway.api.openapi.document import build_document
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.pipeline_route.registration import Route
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Conflict,
    Err,
    Invalid,
    NotFound,
    RateLimited,
    Run,
    TimedOut,
    Unauthorized,
    Unavailable,
    railway,
)
from tests.api import fake_bank as bank
from tests.api.fake_bank import PAYMENT, Bank
from tests.api.openapi_document import check, check_response, examples, media, operations, problems
from tests.api.sample_gateway import BASKET, BasketError, World, client_of, gateway, gateway_of, gives

_OWN: Final = {"400", "408", "413", "415", "422", "429", "500", "503"}

each_app = pytest.mark.parametrize("name", ["baskets", "payments"])


@pytest.fixture
def baskets() -> dict[str, Any]:
    return gateway(World()).openapi()


@pytest.fixture
def payments() -> dict[str, Any]:
    return bank.gateway(Bank()).openapi()


class Lamp(BaseModel):
    size: int | None


@pytest.fixture
def generated() -> dict[str, Any]:
    """Return what FastAPI generates for two routes, of which the one with a body is a pipeline's."""
    app = FastAPI()

    @app.post("/lamps/{name}", status_code=201, responses={418: {"description": "I am a teapot"}})
    async def post_lamp(name: str, lamp: Lamp) -> Lamp:
        raise AssertionError(name, lamp)

    @app.get("/lamps")
    async def list_lamps(limit: int) -> int:
        raise AssertionError(limit)

    return app.openapi()


SPEC: Final = RouteSpec(
    method="POST",
    path="/lamps/{name}",
    pipeline="light",
    promised=(NotFound,),
    success_status=201,
    success_example={"size": None},
    request_example={"size": 3},
    invalid_request=Invalid("The request is not valid", violations=(("size", ("is required",)),)),
    has_body=True,
    needs_bearer=True,
    header_parameters=("traceparent",),
)


@pytest.fixture
def operation(generated: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = build_document(generated, [SPEC])["paths"]["/lamps/{name}"]["post"]
    return operation


def test_building_leaves_the_generated_document_as_it_is(generated: dict[str, Any]) -> None:
    before = deepcopy(generated)

    first, second = build_document(generated, [SPEC]), build_document(generated, [SPEC])

    assert generated == before
    assert first == second


def test_success_has_fastapis_schema_and_the_specs_example(operation: dict[str, Any]) -> None:
    success = operation["responses"]["201"]

    assert success["content"]["application/json"] == {
        "schema": {"$ref": "#/components/schemas/Lamp"},
        "example": {"size": None},
    }


def test_the_request_has_fastapis_schema_and_the_specs_example(operation: dict[str, Any]) -> None:
    assert operation["requestBody"] == {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Lamp"}, "example": {"size": 3}}
        },
    }


def test_header_parameters_follow_those_of_the_path(operation: dict[str, Any]) -> None:
    path, header = operation["parameters"]

    assert (path["name"], header) == ("name", {"$ref": "#/components/parameters/traceparent"})


def test_a_route_that_needs_a_token_says_so(operation: dict[str, Any]) -> None:
    assert operation["security"] == [{"bearer": []}]


def test_responses_that_a_route_declares_itself_are_kept(generated: dict[str, Any]) -> None:
    generated["paths"]["/lamps/{name}"]["post"]["responses"]["404"] = {"description": "No lamp"}
    operation = build_document(generated, [SPEC])["paths"]["/lamps/{name}"]["post"]

    assert operation["responses"]["418"]["description"] == "I am a teapot"
    assert operation["responses"]["404"]["description"] == "No lamp"


def test_responses_are_in_ascending_order(operation: dict[str, Any]) -> None:
    assert [*operation["responses"]] == sorted(operation["responses"])
    assert operation["responses"].keys() == {"201", "404", "418"} | _OWN


def test_a_spec_without_examples_leaves_the_bodies_as_generated(generated: dict[str, Any]) -> None:
    spec = RouteSpec(method="POST", path="/lamps/{name}", pipeline="light", success_status=201)
    before = generated["paths"]["/lamps/{name}"]["post"]
    operation = build_document(generated, [spec])["paths"]["/lamps/{name}"]["post"]

    assert operation["requestBody"] == before["requestBody"]
    assert operation["responses"]["201"]["content"] == before["responses"]["201"]["content"]
    assert "security" not in operation


def test_a_spec_of_a_route_that_is_not_shown_adds_nothing(generated: dict[str, Any]) -> None:
    hidden = RouteSpec(method="GET", path="/hidden", pipeline="hide")

    assert build_document(generated, [hidden]) == build_document(generated, [])


def test_other_routes_have_our_422(generated: dict[str, Any]) -> None:
    document = build_document(generated, [SPEC])

    refused = document["paths"]["/lamps"]["get"]["responses"]["422"]
    assert problems(refused)["invalid"]["instance"] == "/lamps"
    assert refused["headers"].keys() == {"X-Request-Id"}
    assert "ValidationError" not in str(document)


def test_a_document_without_components_gets_them() -> None:
    document = build_document({"openapi": "3.1.0", "paths": {}}, [])

    assert document["components"].keys() == {"headers", "parameters", "schemas", "securitySchemes"}


@each_app
def test_the_document_is_openapi_3_1(request: pytest.FixtureRequest, name: str) -> None:
    document = request.getfixturevalue(name)

    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


@each_app
def test_every_body_has_valid_examples(request: pytest.FixtureRequest, name: str) -> None:
    document = request.getfixturevalue(name)

    for operation, content in media(document):
        found = [*examples(document, content)]
        # Without a dry run, a pipeline route has no example of a success.
        assert found or operation.endswith("application/json"), operation
        for example in found:
            check(document, content["schema"], example)


@each_app
def test_every_problem_shows_its_path_as_instance(request: pytest.FixtureRequest, name: str) -> None:
    document = request.getfixturevalue(name)

    shown = [one for one in media(document) if one[0].endswith("application/problem+json")]
    assert shown
    for operation, content in shown:
        _, path, *_ = operation.split()
        for example in examples(document, content):
            assert example["instance"] == path.replace("{", "").replace("}", "")


def test_every_operation_is_described_and_named(baskets: dict[str, Any]) -> None:
    named = [operation["operationId"] for _, operation in operations(baskets)]

    assert sorted(named) == [
        "get_liveness",
        "get_look_up",
        "get_problem",
        "get_readiness",
        "list_pipelines",
        "post_buy",
    ]
    for name, operation in operations(baskets):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name


async def test_a_plain_fastapi_route_sends_the_422_it_declares(world: World) -> None:
    app = gateway(world)

    @app.get("/plain")
    async def get_plain(limit: Annotated[int, Query()]) -> int:
        return limit

    async with client_of(app) as client:
        refused = await client.get("/plain?limit=x")

    check_response(app.openapi(), refused)
    assert "ValidationError" not in str(app.openapi())


def test_the_document_is_built_once_for_the_same_routes(world: World) -> None:
    app = gateway(world)
    first = app.openapi()

    assert app.openapi() is first


def test_the_document_has_routes_that_are_added_later(world: World) -> None:
    app = gateway(world)
    app.openapi()

    @app.get("/plain")
    async def get_plain(limit: Annotated[int, Query()]) -> int:
        return limit

    responses = app.openapi()["paths"]["/plain"]["get"]["responses"]

    assert problems(responses["422"])["invalid"]["instance"] == "/plain"


@railway
async def brew(run: Run[NotFound]) -> None: ...


def test_a_pipeline_route_keeps_the_responses_it_declares() -> None:
    tea = Route("GET", "/tea", brew, responses={418: {"description": "I am a teapot"}})

    responses = gateway_of(tea, services={}).openapi()["paths"]["/tea"]["get"]["responses"]

    assert responses["418"]["description"] == "I am a teapot"
    assert responses.keys() == {"200", "404", "418"} | _OWN - {"415", "422"}


def test_a_pipeline_route_declares_what_its_run_promises(baskets: dict[str, Any]) -> None:
    promised = {"207", "401", "404", "409", "422", "429", "502", "503", "504"}

    assert baskets["paths"]["/baskets"]["post"]["responses"].keys() == {"200"} | _OWN | promised


def test_a_pipeline_route_documents_its_headers(baskets: dict[str, Any]) -> None:
    operation = baskets["paths"]["/baskets"]["post"]

    taken = {parameter["$ref"].rpartition("/")[2] for parameter in operation["parameters"]}
    assert taken == {"X-Request-Id", "X-Request-Timeout-Ms", "traceparent", "tracestate"}
    for response in operation["responses"].values():
        assert response["headers"].keys() >= {"X-Request-Id", "Server-Timing", "Gateway-Completed"}


def test_a_route_without_a_body_documents_no_refusal_of_one(baskets: dict[str, Any]) -> None:
    responses = baskets["paths"]["/users/{user_id}"]["get"]["responses"]

    assert responses.keys() & _OWN == {*_OWN} - {"415"}
    assert [*problems(responses["400"])] == ["invalid-header"]


def test_an_invalid_request_has_the_fields_of_the_route(baskets: dict[str, Any]) -> None:
    basket = baskets["paths"]["/baskets"]["post"]["responses"]["422"]
    user = baskets["paths"]["/users/{user_id}"]["get"]["responses"]["422"]

    assert problems(basket)["invalid-request"]["violations"] == [
        {"field": "user_id", "messages": ["is required"]},
        {"field": "items", "messages": ["is required"]},
    ]
    assert problems(user)["invalid-request"]["violations"] == [
        {"field": "user_id", "messages": ["must have at most 10 characters"]}
    ]


def test_a_route_whose_field_takes_anything_names_it_as_invalid() -> None:
    @railway
    async def find(run: Run[NotFound], name: str) -> None: ...

    app = gateway_of(Route("GET", "/anything/{name}", find), services={})

    operation = app.openapi()["paths"]["/anything/{name}"]["get"]
    (example,) = problems(operation["responses"]["422"]).values()
    assert [violation["field"] for violation in example["violations"]] == ["name"]


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
async def test_a_route_that_reads_sends_what_it_declares(
    world: World, baskets: dict[str, Any], client: httpx.AsyncClient, failure: BasketError
) -> None:
    world.users = gives("users.fetch", Err(failure))

    check_response(baskets, await client.post("/baskets", json=BASKET))


def test_only_routes_that_write_declare_202(baskets: dict[str, Any], payments: dict[str, Any]) -> None:
    assert [name for name, operation in operations(baskets) if "202" in operation["responses"]] == []
    assert [name for name, operation in operations(payments) if "202" in operation["responses"]] == [
        "post /payments",
        "post /sealed",
    ]


def test_a_route_that_writes_documents_its_key(payments: dict[str, Any]) -> None:
    operation = payments["paths"]["/payments"]["post"]

    assert {"$ref": "#/components/parameters/Idempotency-Key"} in operation["parameters"]
    for code in ("201", "409", "422", "500", "503"):
        assert "Idempotent-Replayed" in operation["responses"][code]["headers"]


def test_operations_that_need_a_token_say_so(payments: dict[str, Any]) -> None:
    security = {
        name: operation["security"] for name, operation in operations(payments) if "security" in operation
    }

    assert payments["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert security == {
        "post /sealed": [{"bearer": []}],
        "get /executions": [{"bearer": []}, {}],
        "post /executions/{execution_id}/retry": [{"bearer": []}, {}],
    }


@pytest.mark.parametrize(
    ("told", "answer", "wanted"),
    [
        (None, None, 201),
        ("check", Err(NotFound("nobody")), 404),
        ("check", Err(Unavailable("down", retry_after=1)), 503),
        ("pay", Err(Conflict("frozen")), 409),
        ("pay", Err(Aggregate((NotFound("nobody"), Conflict("frozen")))), 207),
        ("pay", Err(BadAnswer("what?")), 502),
        ("pay", KeyError("a bug"), 500),
    ],
)
async def test_a_route_that_writes_sends_what_it_declares(
    payments: dict[str, Any], told: str | None, answer: bank.Answer | Exception, wanted: int
) -> None:
    world = Bank()
    if told is not None:
        getattr(world, told).answer = answer

    async with bank.client_of(bank.gateway(world)) as client:
        sent = [await bank.posted(client, "rent") for _ in range(2)]

    assert [response.status_code for response in sent] == [wanted] * 2
    for response in sent:
        check_response(payments, response)


async def test_a_commit_past_the_deadline_sends_the_202_it_declares(payments: dict[str, Any]) -> None:
    world = Bank()
    world.pay.seconds = 7

    async with bank.client_of(bank.gateway(world)) as client:
        sent = await bank.posted(client)

    assert sent.status_code == 202
    check_response(payments, sent)


@pytest.mark.parametrize(
    ("body", "headers", "wanted"),
    [
        (PAYMENT, {"Idempotency-Key": "a b"}, 400),
        (PAYMENT, {"Content-Type": "text/plain"}, 415),
        ({}, {}, 422),
        ({"payer": "user-2"}, {"Idempotency-Key": "rent"}, 422),
    ],
)
async def test_a_route_declares_the_refusals_that_it_sends(
    payments: dict[str, Any], body: object, headers: Mapping[str, str], wanted: int
) -> None:
    async with bank.client_of(bank.gateway(Bank())) as client:
        await bank.posted(client, "rent")
        sent = await client.post("/payments", json=body, headers=headers)

    check_response(payments, sent)
    assert sent.status_code == wanted
