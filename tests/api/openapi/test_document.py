"""OpenAPI document: built from FastAPI's document and route specs, and compared with real responses."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
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
from tests.api import fake_bank
from tests.api.fake_bank import PAYMENT, Bank, PayResult, build_bank_gateway, post_payment
from tests.api.openapi_document import (
    check_instance,
    check_response,
    get_example_problems,
    list_examples,
    list_media_types,
    list_operations,
)
from tests.api.sample_gateway import (
    BASKET,
    BasketError,
    FakeServices,
    build_call,
    build_gateway,
    build_sample_gateway,
    create_client,
)

REFUSALS: Final = {"400", "408", "413", "415", "422", "429", "500", "503"}

each_app = pytest.mark.parametrize("name", ["baskets", "payments"])


@pytest.fixture
def baskets() -> dict[str, Any]:
    return build_sample_gateway(FakeServices()).openapi()


@pytest.fixture
def payments() -> dict[str, Any]:
    return build_bank_gateway(Bank()).openapi()


class Lamp(BaseModel):
    size: int | None


@pytest.fixture
def generated() -> dict[str, Any]:
    """Return FastAPI's document of a pipeline route with a body, and of a plain route without a body."""
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


def test_build_document_does_not_modify_its_input(generated: dict[str, Any]) -> None:
    before = deepcopy(generated)

    first, second = build_document(generated, [SPEC]), build_document(generated, [SPEC])

    assert generated == before
    assert first == second


def test_success_body_has_schema_and_example(operation: dict[str, Any]) -> None:
    success = operation["responses"]["201"]

    assert success["content"]["application/json"] == {
        "schema": {"$ref": "#/components/schemas/Lamp"},
        "example": {"size": None},
    }


def test_request_body_has_schema_and_example(operation: dict[str, Any]) -> None:
    assert operation["requestBody"] == {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Lamp"}, "example": {"size": 3}}
        },
    }


def test_header_parameters_follow_path_parameters(operation: dict[str, Any]) -> None:
    path, header = operation["parameters"]

    assert (path["name"], header) == ("name", {"$ref": "#/components/parameters/traceparent"})


def test_required_parameter_has_example_of_dry_run(generated: dict[str, Any]) -> None:
    spec = replace(SPEC, parameter_examples={"name": "desk"})
    path, _ = build_document(generated, [spec])["paths"]["/lamps/{name}"]["post"]["parameters"]

    assert (path["name"], path["example"]) == ("name", "desk")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [({"examples": ["desk"]}, "desk"), ({"enum": ["floor", "desk"]}, "floor"), ({"type": "string"}, None)],
)
def test_required_parameter_has_example_of_schema(
    generated: dict[str, Any], schema: dict[str, Any], expected: str | None
) -> None:
    generated["paths"]["/lamps"]["get"]["parameters"][0]["schema"] = schema
    (limit,) = build_document(generated, [])["paths"]["/lamps"]["get"]["parameters"]

    assert limit.get("example") == expected


@pytest.mark.parametrize(
    "changes", [{"required": False}, {"example": 3}, {"examples": {"few": {"value": 3}}}], ids=repr
)
def test_other_parameters_keep_their_examples(generated: dict[str, Any], changes: dict[str, Any]) -> None:
    limit = generated["paths"]["/lamps"]["get"]["parameters"][0]
    limit |= {"schema": {"examples": [7]}, **changes}

    assert build_document(generated, [])["paths"]["/lamps"]["get"]["parameters"] == [limit]


def test_summary_is_the_default_description(operation: dict[str, Any]) -> None:
    assert operation["description"] == operation["summary"] == "Post Lamp"


def test_security_of_other_routes_is_kept(generated: dict[str, Any]) -> None:
    generated["paths"]["/lamps"]["get"]["security"] = [{"key": []}]
    document = build_document(generated, [])

    assert document["paths"]["/lamps"]["get"]["security"] == [{"key": []}]
    assert document["paths"]["/lamps/{name}"]["post"]["security"] == []


def test_bearer_route_declares_security(operation: dict[str, Any]) -> None:
    assert operation["security"] == [{"bearer": []}]


def test_responses_declared_by_route_are_kept(generated: dict[str, Any]) -> None:
    generated["paths"]["/lamps/{name}"]["post"]["responses"]["404"] = {"description": "No lamp"}
    operation = build_document(generated, [SPEC])["paths"]["/lamps/{name}"]["post"]

    assert operation["responses"]["418"]["description"] == "I am a teapot"
    assert operation["responses"]["404"]["description"] == "No lamp"


def test_operation_responses_are_sorted(operation: dict[str, Any]) -> None:
    assert [*operation["responses"]] == sorted(operation["responses"])
    assert operation["responses"].keys() == {"201", "404", "418"} | REFUSALS


def test_spec_without_examples_keeps_generated_bodies(generated: dict[str, Any]) -> None:
    spec = RouteSpec(method="POST", path="/lamps/{name}", pipeline="light", success_status=201)
    before = generated["paths"]["/lamps/{name}"]["post"]
    operation = build_document(generated, [spec])["paths"]["/lamps/{name}"]["post"]

    assert operation["requestBody"] == before["requestBody"]
    assert operation["responses"]["201"]["content"] == before["responses"]["201"]["content"]
    assert operation["security"] == []


def test_spec_of_hidden_route_adds_nothing(generated: dict[str, Any]) -> None:
    hidden = RouteSpec(method="GET", path="/hidden", pipeline="hide")

    assert build_document(generated, [hidden]) == build_document(generated, [])


def test_non_pipeline_route_declares_problem_422(generated: dict[str, Any]) -> None:
    document = build_document(generated, [SPEC])

    refused = document["paths"]["/lamps"]["get"]["responses"]["422"]
    assert get_example_problems(refused)["invalid"]["instance"] == "/lamps"
    assert refused["headers"].keys() == {"X-Request-Id"}
    assert "ValidationError" not in str(document)


def test_only_used_components_are_added() -> None:
    lamp = {"get": {"responses": {"204": {"description": ""}}}}
    document = build_document({"openapi": "3.1.0", "paths": {"/lamps": lamp}}, [])

    assert document["components"].keys() == {"headers"}


@each_app
def test_document_is_valid_openapi_3_1(request: pytest.FixtureRequest, name: str) -> None:
    document = request.getfixturevalue(name)

    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


@each_app
def test_every_body_has_valid_examples(request: pytest.FixtureRequest, name: str) -> None:
    document = request.getfixturevalue(name)

    for operation, content in list_media_types(document):
        found = [*list_examples(document, content)]
        # Without a dry run, a pipeline route has no example of a success.
        assert found or operation.endswith("application/json"), operation
        for example in found:
            check_instance(document, content["schema"], example)


@each_app
def test_problem_examples_have_path_as_instance(request: pytest.FixtureRequest, name: str) -> None:
    document = request.getfixturevalue(name)

    problem_media = [
        item for item in list_media_types(document) if item[0].endswith("application/problem+json")
    ]
    assert problem_media
    for operation, content in problem_media:
        _, path, *_ = operation.split()
        for example in list_examples(document, content):
            assert example["instance"] == path.replace("{", "").replace("}", "")


def test_every_operation_is_described_and_named(baskets: dict[str, Any]) -> None:
    operation_ids = [operation["operationId"] for _, operation in list_operations(baskets)]

    assert sorted(operation_ids) == [
        "get_liveness",
        "get_look_up",
        "get_problem",
        "get_readiness",
        "list_pipelines",
        "post_buy",
    ]
    for name, operation in list_operations(baskets):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name


async def test_plain_fastapi_route_sends_declared_422(services: FakeServices) -> None:
    app = build_sample_gateway(services)

    @app.get("/plain")
    async def get_plain(limit: Annotated[int, Query()]) -> int:
        return limit

    async with create_client(app) as client:
        refused = await client.get("/plain?limit=x")

    check_response(app.openapi(), refused)
    assert "ValidationError" not in str(app.openapi())


def test_document_is_cached_for_same_routes(services: FakeServices) -> None:
    app = build_sample_gateway(services)
    first = app.openapi()

    assert app.openapi() is first


def test_document_includes_routes_added_later(services: FakeServices) -> None:
    app = build_sample_gateway(services)
    app.openapi()

    @app.get("/plain")
    async def get_plain(limit: Annotated[int, Query()]) -> int:
        return limit

    responses = app.openapi()["paths"]["/plain"]["get"]["responses"]

    assert get_example_problems(responses["422"])["invalid"]["instance"] == "/plain"


def test_document_has_contact_and_license_of_the_app(services: FakeServices) -> None:
    app = build_sample_gateway(services)
    app.contact, app.license_info = {"name": "the team"}, {"name": "MIT"}

    info = app.openapi()["info"]

    assert (info["contact"], info["license"]) == ({"name": "the team"}, {"name": "MIT"})


@railway
async def brew(run: Run[NotFound]) -> None: ...


def test_pipeline_route_keeps_declared_responses() -> None:
    tea = Route("GET", "/tea", brew, responses={418: {"description": "I am a teapot"}})

    responses = build_gateway(tea, services={}).openapi()["paths"]["/tea"]["get"]["responses"]

    assert responses["418"]["description"] == "I am a teapot"
    assert responses.keys() == {"200", "404", "418"} | REFUSALS - {"415", "422"}


def test_pipeline_route_declares_promised_errors(baskets: dict[str, Any]) -> None:
    promised = {"207", "401", "404", "409", "422", "429", "502", "503", "504"}

    assert baskets["paths"]["/baskets"]["post"]["responses"].keys() == {"200"} | REFUSALS | promised


def test_pipeline_route_documents_headers(baskets: dict[str, Any]) -> None:
    operation = baskets["paths"]["/baskets"]["post"]

    parameters = {parameter["$ref"].rpartition("/")[2] for parameter in operation["parameters"]}
    assert parameters == {
        "X-Request-Id",
        "X-Request-Timeout-Ms",
        "x-envoy-expected-rq-timeout-ms",
        "grpc-timeout",
        "traceparent",
        "tracestate",
    }
    for response in operation["responses"].values():
        assert response["headers"].keys() >= {"X-Request-Id", "Server-Timing", "Gateway-Completed"}


def test_route_without_body_documents_no_415(baskets: dict[str, Any]) -> None:
    responses = baskets["paths"]["/users/{user_id}"]["get"]["responses"]

    assert responses.keys() & REFUSALS == {*REFUSALS} - {"415"}
    assert [*get_example_problems(responses["400"])] == ["invalid-header"]


def test_example_422_has_fields_of_route(baskets: dict[str, Any]) -> None:
    basket = baskets["paths"]["/baskets"]["post"]["responses"]["422"]
    user = baskets["paths"]["/users/{user_id}"]["get"]["responses"]["422"]

    assert get_example_problems(basket)["invalid-request"]["violations"] == [
        {"field": "user_id", "messages": ["is required"]},
        {"field": "items", "messages": ["is required"]},
    ]
    assert get_example_problems(user)["invalid-request"]["violations"] == [
        {"field": "user_id", "messages": ["must have at most 10 characters"]}
    ]


def test_example_422_names_unconstrained_field() -> None:
    @railway
    async def find(run: Run[NotFound], name: str) -> None: ...

    app = build_gateway(Route("GET", "/anything/{name}", find), services={})

    operation = app.openapi()["paths"]["/anything/{name}"]["get"]
    (example,) = get_example_problems(operation["responses"]["422"]).values()
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
async def test_reading_route_sends_declared_responses(
    services: FakeServices, baskets: dict[str, Any], client: httpx.AsyncClient, failure: BasketError
) -> None:
    services.users = build_call("users.fetch", Err(failure))

    check_response(baskets, await client.post("/baskets", json=BASKET))


def test_only_writing_routes_declare_202(baskets: dict[str, Any], payments: dict[str, Any]) -> None:
    assert [name for name, operation in list_operations(baskets) if "202" in operation["responses"]] == []
    assert [name for name, operation in list_operations(payments) if "202" in operation["responses"]] == [
        "post /payments",
        "post /sealed",
    ]


def test_writing_route_documents_idempotency_key(payments: dict[str, Any]) -> None:
    operation = payments["paths"]["/payments"]["post"]

    assert {"$ref": "#/components/parameters/Idempotency-Key"} in operation["parameters"]
    for code in ("201", "409", "422", "500", "503"):
        assert "Idempotent-Replayed" in operation["responses"][code]["headers"]


def test_protected_operations_declare_security(payments: dict[str, Any]) -> None:
    security = {
        name: operation["security"] for name, operation in list_operations(payments) if operation["security"]
    }

    scheme = payments["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert security == {
        "post /sealed": [{"bearer": []}],
        "get /executions": [{"bearer": []}, {}],
        "post /executions/{execution_id}/retry": [{"bearer": []}, {}],
    }


@pytest.mark.parametrize(
    ("operation", "outcome", "expected"),
    [
        (None, None, 201),
        ("check", Err(NotFound("user-1")), 404),
        ("check", Err(Unavailable("down", retry_after=1)), 503),
        ("pay", Err(Conflict("frozen")), 409),
        ("pay", Err(Aggregate((NotFound("user-1"), Conflict("frozen")))), 207),
        ("pay", Err(BadAnswer("what?")), 502),
        ("pay", KeyError("a bug"), 500),
    ],
)
async def test_writing_route_sends_declared_responses(
    payments: dict[str, Any], operation: str | None, outcome: PayResult | Exception, expected: int
) -> None:
    bank = Bank()
    if operation is not None:
        getattr(bank, operation).outcome = outcome

    async with fake_bank.create_client(build_bank_gateway(bank)) as client:
        responses = [await post_payment(client, "rent") for _ in range(2)]

    assert [response.status_code for response in responses] == [expected] * 2
    for response in responses:
        check_response(payments, response)


async def test_commit_past_deadline_sends_declared_202(payments: dict[str, Any]) -> None:
    bank = Bank()
    bank.pay.seconds = 7

    async with fake_bank.create_client(build_bank_gateway(bank)) as client:
        response = await post_payment(client)

    assert response.status_code == 202
    check_response(payments, response)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (PAYMENT, {"Idempotency-Key": "a b"}, 400),
        (PAYMENT, {"Content-Type": "text/plain"}, 415),
        ({}, {}, 422),
        ({"payer": "user-2"}, {"Idempotency-Key": "rent"}, 422),
    ],
)
async def test_writing_route_sends_declared_refusals(
    payments: dict[str, Any], body: object, headers: Mapping[str, str], expected: int
) -> None:
    async with fake_bank.create_client(build_bank_gateway(Bank())) as client:
        await post_payment(client, "rent")
        response = await client.post("/payments", json=body, headers=headers)

    check_response(payments, response)
    assert response.status_code == expected
