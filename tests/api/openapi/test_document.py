"""The OpenAPI document."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

import httpx
import pytest
import schemathesis
from fastapi import APIRouter, Query
from starlette.responses import Response

from gateway.api.application import application
from gateway.api.openapi.document import responses
from gateway.api.openapi.error_examples import EXAMPLES
from gateway.api.pipeline_route.route import PipelineRequest, PipelineRoute, Serving
from gateway.api.problems.problem import status
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Conflict,
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
from tests.api import fake_bank as bank
from tests.api.fake_bank import PAYMENT, Bank
from tests.api.openapi_document import check, examples, media, operations
from tests.api.sample_gateway import BASKET, BasketError, World, client_of, gateway, gives

_OWN = {"400", "408", "413", "415", "422", "429", "500", "503"}


@pytest.fixture
def document() -> dict[str, Any]:
    return gateway(World()).openapi()


@pytest.fixture
def of_bank() -> dict[str, Any]:
    return bank.gateway(Bank()).openapi()


@pytest.mark.parametrize("name", ["document", "of_bank"])
def test_the_document_is_openapi_3_1(request: pytest.FixtureRequest, name: str) -> None:
    document = request.getfixturevalue(name)

    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


@pytest.mark.parametrize("name", ["document", "of_bank"])
def test_every_body_has_an_example_and_every_example_is_valid(
    request: pytest.FixtureRequest, name: str
) -> None:
    document = request.getfixturevalue(name)

    for operation, content in media(document):
        found = [*examples(document, content)]
        assert found, operation
        for example in found:
            check(document, content["schema"], example)


@pytest.mark.parametrize("name", ["document", "of_bank"])
def test_every_example_of_a_problem_says_where_it_would_have_occurred(
    request: pytest.FixtureRequest, name: str
) -> None:
    document = request.getfixturevalue(name)

    problems = [one for one in media(document) if one[0].endswith("application/problem+json")]
    assert problems
    for operation, content in problems:
        _, path, *_ = operation.split()
        for example in examples(document, content):
            assert example["instance"] == path.replace("{", "").replace("}", "")


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


def test_a_route_without_a_body_declares_nothing_that_is_said_of_bodies(document: dict[str, Any]) -> None:
    answers = document["paths"]["/users/{user_id}"]["get"]["responses"]

    assert answers.keys() & _OWN == {*_OWN} - {"415"}
    assert [*shown(answers["400"])] == ["invalid-header"]
    assert "malformed" not in answers["400"]["description"]


def test_a_request_that_is_not_valid_has_the_fields_of_the_route(document: dict[str, Any]) -> None:
    basket = document["paths"]["/baskets"]["post"]["responses"]["422"]
    user = document["paths"]["/users/{user_id}"]["get"]["responses"]["422"]

    assert shown(basket)["invalid-request"]["value"]["violations"] == [
        {"field": "user_id", "messages": ["is required"]},
        {"field": "items", "messages": ["is required"]},
    ]
    assert shown(user)["invalid-request"]["value"]["violations"] == [
        {"field": "user_id", "messages": ["must have at most 10 characters"]}
    ]


@pytest.mark.parametrize(("path", "fields"), [("/anything/{name}", ["name"]), ("/nothing", None)])
def test_a_route_that_finds_no_argument_wrong_names_the_first_and_one_without_declares_no_422(
    path: str, fields: list[str] | None
) -> None:
    @railway
    async def one(run: Run[NotFound]) -> None: ...

    routes = APIRouter(route_class=PipelineRoute)

    @routes.get("/nothing", responses=responses(one))
    async def get_nothing(request: PipelineRequest) -> Response:
        raise AssertionError(request)

    @routes.get("/anything/{name}", responses=responses(one))
    async def get_anything(name: str, request: PipelineRequest) -> Response:
        raise AssertionError(name, request)

    answers = application(Serving(), routes).openapi()["paths"][path]["get"]["responses"]
    if fields is None:
        assert "422" not in answers
    else:
        (example,) = shown(answers["422"]).values()
        assert [violation["field"] for violation in example["value"]["violations"]] == fields


def test_what_else_a_route_declares_stays_as_it_is() -> None:
    @railway
    async def one(run: Run[NotFound]) -> None: ...

    routes = APIRouter(route_class=PipelineRoute)
    own: dict[int | str, dict[str, Any]] = {418: {"description": "I am a teapot"}}

    @routes.get("/tea", responses={**responses(one), **own})
    async def get_tea(request: PipelineRequest) -> Response:
        raise AssertionError(request)

    answers = application(Serving(), routes).openapi()["paths"]["/tea"]["get"]["responses"]
    assert answers["418"]["description"] == "I am a teapot"


def shown(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the examples of problems in *answer*."""
    found: Mapping[str, Any] = answer["content"]["application/problem+json"]["examples"]
    return found


def test_a_pipeline_that_promises_everything_declares_everything() -> None:
    @railway
    async def everything(run: Run[Fault | Aggregate]) -> None: ...

    wanted = {status(EXAMPLES[kind]) for kind in get_args(Fault)} | {*map(int, _OWN), 200, 202, 207}
    assert {*responses(everything)} == wanted


def test_success_has_the_status_that_is_given() -> None:
    @railway
    async def one(run: Run[Gone]) -> None: ...

    assert [*responses(one, status=201, example=1)] == [201, 400, 408, 410, 413, 415, 422, 429, 500, 503]


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
        "429": ["too-many-requests", "rate-limited"],
        "503": ["too-much-to-do", "unavailable", "aggregate"],
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


def test_only_what_writes_may_answer_that_it_is_still_running(
    document: dict[str, Any], of_bank: dict[str, Any]
) -> None:
    assert [name for name, said in operations(document) if "202" in said["responses"]] == []
    assert [name for name, said in operations(of_bank) if "202" in said["responses"]] == [
        "post /payments",
        "post /sealed",
    ]


def test_what_writes_documents_its_key_and_the_headers_of_its_answers(of_bank: dict[str, Any]) -> None:
    operation = of_bank["paths"]["/payments"]["post"]

    assert {"$ref": "#/components/parameters/Idempotency-Key"} in operation["parameters"]
    assert operation["responses"]["201"]["headers"].keys() >= {"Location", "Idempotent-Replayed"}
    assert operation["responses"]["202"]["headers"].keys() >= {"Location", "Retry-After"}
    for code in ("409", "422", "500", "503"):
        assert "Idempotent-Replayed" in operation["responses"][code]["headers"]


def test_what_wants_a_token_says_so(of_bank: dict[str, Any]) -> None:
    wants = {name: said["security"] for name, said in operations(of_bank) if "security" in said}

    assert of_bank["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert wants == {
        "post /sealed": [{"bearer": []}],
        "get /executions": [{"bearer": []}, {}],
        "post /executions/{execution_id}/retry": [{"bearer": []}, {}],
    }


def test_what_is_stuck_is_said_alone_and_with_its_execution(of_bank: dict[str, Any]) -> None:
    said = of_bank["paths"]["/payments"]["post"]["responses"]["500"]["content"]["application/problem+json"]

    assert [*said["examples"]] == ["unexpected", "stuck"]
    assert said["examples"]["stuck"]["value"]["execution_id"].startswith("exe-")


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
async def test_what_a_pipeline_that_writes_sends_is_declared(
    of_bank: dict[str, Any], told: str | None, answer: bank.Answer | Exception, wanted: int
) -> None:
    world = Bank()
    if told is not None:
        getattr(world, told).answer = answer

    async with bank.client_of(bank.gateway(world)) as client:
        answers = [await bank.posted(client, "rent") for _ in range(2)]

    assert [sent.status_code for sent in answers] == [wanted] * 2
    for sent in answers:
        declared(of_bank, sent)


async def test_that_it_still_writes_is_declared(of_bank: dict[str, Any]) -> None:
    world = Bank()
    world.pay.seconds = 7

    async with bank.client_of(bank.gateway(world)) as client:
        sent = await bank.posted(client)

    assert sent.status_code == 202
    declared(of_bank, sent)


@pytest.mark.parametrize(
    ("body", "headers", "wanted"),
    [
        (PAYMENT, {"Idempotency-Key": "a b"}, 400),
        (PAYMENT, {"Content-Type": "text/plain"}, 415),
        ({}, {}, 422),
        ({"payer": "user-2"}, {"Idempotency-Key": "rent"}, 422),
    ],
)
async def test_what_is_refused_is_declared(
    of_bank: dict[str, Any], body: object, headers: Mapping[str, str], wanted: int
) -> None:
    async with bank.client_of(bank.gateway(Bank())) as client:
        await bank.posted(client, "rent")
        sent = await client.post("/payments", json=body, headers=headers)

    declared(of_bank, sent)
    assert sent.status_code == wanted


def declared(document: dict[str, Any], sent: httpx.Response) -> None:
    """Hold what was sent to what the document says of it."""
    answers = document["paths"][sent.request.url.path][sent.request.method.lower()]["responses"]
    answer = answers[str(sent.status_code)]
    check(document, answer["content"][sent.headers["content-type"]]["schema"], sent.json())
    ours = {name.lower() for name in document["components"]["headers"]}
    assert {name.lower() for name in answer["headers"]} >= ours & sent.headers.keys()
