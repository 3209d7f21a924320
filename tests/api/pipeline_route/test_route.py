"""The route of a pipeline, from bytes to bytes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Never

import httpx
import pytest
from fastapi import Depends, Header, Query
from starlette.responses import Response

from gateway.api.application import Gateway
from gateway.api.pipeline_route.commit_request import CommitRequest
from gateway.api.pipeline_route.registration import Endpoint, RegistrationError, Route
from gateway.api.pipeline_route.request import PipelineRequest
from gateway.railway import Err, NotFound, Run, Unavailable, railway
from tests.api.sample_gateway import (
    BASKET,
    RECEIPT,
    Basket,
    World,
    breaks,
    buy,
    client_of,
    gateway,
    gateway_of,
    gives,
    state,
)

JSON = {"Content-Type": "application/json"}
GOOD = b'{"user_id": "user-1", "items": [{"id": "prod-1"}]}'


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_success_is_the_body_of_the_response_model(client: httpx.AsyncClient) -> None:
    answer = await client.post("/baskets", json=BASKET)

    assert answer.status_code == 200
    assert answer.json() == RECEIPT
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["gateway-completed"] == "true"


async def test_a_success_that_lacks_something_is_not_completed(
    world: World, client: httpx.AsyncClient
) -> None:
    world.gifts = gives("gifts.pick", Err(Unavailable()))

    answer = await client.post("/baskets", json=BASKET)

    assert answer.json() == {**RECEIPT, "gift": None}
    assert answer.headers["gateway-completed"] == "false"


async def test_a_failure_is_a_problem(world: World, client: httpx.AsyncClient) -> None:
    world.users = gives("users.fetch", Err(NotFound("User not found: nobody", source="users.fetch")))

    answer = await client.post("/baskets", json=BASKET, headers={"X-Request-Id": "request-1"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["gateway-completed"] == "false"
    assert answer.json() == {
        "type": "/problems/not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "User not found: nobody",
        "instance": "/baskets",
        "code": "not-found",
        "source": "users.fetch",
        "request_id": "request-1",
    }


async def test_headers_of_the_failure_are_sent(world: World, client: httpx.AsyncClient) -> None:
    world.users = gives("users.fetch", Err(Unavailable(retry_after=1.5)))

    answer = await client.post("/baskets", json=BASKET)

    assert answer.headers["retry-after"] == "2"


async def test_a_path_parameter_is_an_argument_and_headers_go_with_a_value(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users/u-1")

    assert answer.json() == "u-1 is user-1"
    assert answer.headers["location"] == "/me"


async def test_a_path_parameter_that_is_not_valid_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users/much-too-long")

    assert code(answer) == (422, "invalid")
    assert answer.json()["violations"] == [
        {"field": "user_id", "messages": ["must have at most 10 characters"]}
    ]


async def test_the_instance_of_a_problem_is_percent_encoded(client: httpx.AsyncClient) -> None:
    answer = await client.get("/users/%1b%5B%C3%A4:@too-long-a-name?a=b")

    assert answer.json()["instance"] == "/users/%1B%5B%C3%A4:@too-long-a-name"


@pytest.mark.parametrize("sent", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "text/json"}])
async def test_a_body_that_is_not_declared_as_json_is_415(
    client: httpx.AsyncClient, sent: dict[str, str]
) -> None:
    answer = await client.post("/baskets", content=GOOD, headers=sent)

    assert code(answer) == (415, "unsupported-media-type")
    assert answer.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "declared",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json ;charset="UTF-8"; v=1',
        "application/problem+json",
        "application/vnd.api+json; v=2",
    ],
)
async def test_json_may_be_declared_in_many_ways(client: httpx.AsyncClient, declared: str) -> None:
    answer = await client.post("/baskets", content=GOOD, headers={"Content-Type": declared})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "declared",
    [
        "application/json; charset=latin-1",
        "application/json; charset=utf-8; charset=utf-16",
        "application/jsonp",
        "application/+json",
        "application/json, application/json",
        "json",
    ],
)
async def test_what_only_looks_like_json_is_415(client: httpx.AsyncClient, declared: str) -> None:
    answer = await client.post("/baskets", content=GOOD, headers={"Content-Type": declared})

    assert code(answer) == (415, "unsupported-media-type")


async def test_a_compressed_body_is_415(client: httpx.AsyncClient) -> None:
    answer = await client.post("/baskets", content=GOOD, headers={**JSON, "Content-Encoding": "gzip"})

    assert code(answer) == (415, "unsupported-media-type")
    assert answer.headers["accept-encoding"] == "identity"


async def test_a_body_that_says_it_is_not_compressed_is_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/baskets", content=GOOD, headers={**JSON, "Content-Encoding": "Identity"})

    assert answer.status_code == 200


async def test_a_body_of_64_kib_is_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/baskets", content=GOOD.ljust(64 * 1024), headers=JSON)

    assert answer.status_code == 200


async def test_a_body_over_64_kib_is_413(client: httpx.AsyncClient) -> None:
    answer = await client.post("/baskets", content=GOOD.ljust(64 * 1024 + 1), headers=JSON)

    assert code(answer) == (413, "too-large")


async def test_a_body_that_declares_to_be_over_64_kib_is_not_read(world: World) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(GOOD)
        yield GOOD

    headers = {**JSON, "Content-Length": str(64 * 1024 + 1)}
    async with client_of(gateway(world)) as client:
        answer = await client.post("/baskets", content=body(), headers=headers)

    assert code(answer) == (413, "too-large")
    assert read == []


async def test_a_body_in_chunks_is_read_to_64_kib_and_no_further(client: httpx.AsyncClient) -> None:
    produced: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(10):
            produced.append(number)
            yield b" " * 16 * 1024

    answer = await client.post("/baskets", content=endless(), headers=JSON)

    assert code(answer) == (413, "too-large")
    assert produced == [0, 1, 2, 3, 4]


async def test_a_body_in_chunks_is_one_body(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield GOOD[:9]
        yield GOOD[9:]

    answer = await client.post("/baskets", content=chunks(), headers=JSON)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"basket",
        b"\xff\xfe",
        b'{"user_id": "\xff"}',
        b'{"user_id": "\\ud800"}',
        b'{"weight": NaN}',
        GOOD[:-1] + b', "weight": NaN}',
        GOOD[:-1] + b', "weight": -Infinity}',
        b"[" * 1000 + b"]" * 1000,
        GOOD + b"}",
        "{}".encode("utf-16"),
        b"\xef\xbb\xbf" + GOOD,
    ],
)
async def test_a_body_that_is_not_json_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/baskets", content=body, headers=JSON)

    assert code(answer) == (400, "malformed")


async def test_a_word_that_is_no_number_may_stand_in_a_string(client: httpx.AsyncClient) -> None:
    answer = await client.post("/baskets", json={**BASKET, "user_id": "NaN"})

    assert answer.status_code == 200


@pytest.mark.parametrize("asked", ["0", "soon", "-1", "1.5", ""])
async def test_a_timeout_that_is_not_a_whole_number_is_400(client: httpx.AsyncClient, asked: str) -> None:
    answer = await client.post("/baskets", json=BASKET, headers={"X-Request-Timeout-Ms": asked})

    assert code(answer) == (400, "invalid-header")


@pytest.mark.parametrize("body", [b"[]", b"3", b"null", b'"basket"'])
async def test_json_that_is_not_an_object_is_422_without_a_field(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.post("/baskets", content=body, headers=JSON)

    assert code(answer) == (422, "invalid")
    assert answer.json()["violations"] == [{"field": "", "messages": ["must be an object"]}]


async def test_every_field_that_is_not_valid_is_named_by_its_path(client: httpx.AsyncClient) -> None:
    answer = await client.post("/baskets", json={"items": [{"id": "!", "quantity": "3"}], "adress": 1})

    assert code(answer) == (422, "invalid")
    assert [violation["field"] for violation in answer.json()["violations"]] == [
        "user_id",
        "items.0.id",
        "items.0.quantity",
        "adress",
    ]


async def test_of_a_repeated_key_the_last_one_counts(client: httpx.AsyncClient) -> None:
    body = b'{"user_id": 3, "items": [{"id": "prod-1"}], "user_id": "user-1"}'

    answer = await client.post("/baskets", content=body, headers=JSON)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("declared", "patience", "body", "wanted"),
    [
        ("text/plain", "0", b"{" * 70_000, 415),
        ("application/json", "0", b"{" * 70_000, 413),
        ("application/json", "0", b"{", 400),
        ("application/json", "1", b"{", 400),
        ("application/json", "0", b"{}", 400),
        ("application/json", "1", b"{}", 422),
    ],
)
async def test_checks_are_made_in_the_order_of_the_contract(
    client: httpx.AsyncClient, declared: str, patience: str, body: bytes, wanted: int
) -> None:
    headers = {"Content-Type": declared, "X-Request-Timeout-Ms": patience}

    answer = await client.post("/baskets", content=body, headers=headers)

    assert answer.status_code == wanted


async def test_a_refused_request_starts_no_pipeline(world: World, client: httpx.AsyncClient) -> None:
    answer = await client.post("/baskets", json={})

    assert answer.headers["gateway-completed"] == "false"
    assert answer.headers["server-timing"].startswith("gateway;dur=")
    assert world.seen == []


@pytest.mark.parametrize(
    ("asked", "deadline"),
    [({}, 3.0), ({"X-Request-Timeout-Ms": "1500"}, 1.5), ({"X-Request-Timeout-Ms": "9000"}, 3.0)],
)
async def test_a_caller_can_only_shorten_the_deadline(
    world: World, asked: dict[str, str], deadline: float
) -> None:
    arrival = asyncio.get_running_loop().time()
    async with client_of(gateway(world, state(deadline=3.0))) as client:
        await client.post("/baskets", json=BASKET, headers=asked)

    (seen,) = world.seen
    assert seen.deadline == arrival + deadline


async def test_time_to_read_the_body_counts(world: World, client: httpx.AsyncClient) -> None:
    async def slow() -> AsyncIterator[bytes]:
        await asyncio.sleep(2)
        yield GOOD

    arrival = asyncio.get_running_loop().time()
    await client.post("/baskets", content=slow(), headers=JSON)

    (seen,) = world.seen
    assert seen.deadline == arrival + 5


async def test_a_body_that_does_not_arrive_in_time_is_not_waited_for(
    world: World, client: httpx.AsyncClient
) -> None:
    async def trickling() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(1)
            yield b" "

    answer = await client.post("/baskets", content=trickling(), headers=JSON)

    assert asyncio.get_running_loop().time() == 5
    assert (answer.status_code, answer.json()["code"]) == (408, "request-timeout")
    assert answer.headers["connection"] == "close"
    assert world.seen == []


async def test_a_record_that_cannot_be_shown_costs_nobody_the_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with client_of(gateway(world, state(on_trace=full))) as client:
        answer = await client.post("/baskets", json=BASKET)

    assert answer.headers["gateway-completed"] == "true"
    assert "the trace observer raised for POST /baskets 200" in caplog.text


async def test_a_run_has_the_surroundings_of_its_request(world: World) -> None:
    async with client_of(gateway(world, state(optional_budget=0.25))) as client:
        await client.post("/baskets", json=BASKET, headers={"X-Request-Id": "request-1"})

    (seen,) = world.seen
    assert seen.optional_budget == 0.25
    assert seen.baggage == {"X-Request-Id": "request-1"}


async def test_the_record_of_a_request_is_in_its_answer_and_handed_on(world: World) -> None:
    handed: list[tuple[str, list[str]]] = []
    seconds = iter(range(100))
    serving = state(
        on_trace=lambda title, trace: handed.append((title, [call.name for call in trace.calls])),
        clock=lambda: float(next(seconds)),
    )
    async with client_of(gateway(world, serving)) as client:
        answer = await client.post("/baskets", json=BASKET)

    assert handed == [("POST /baskets 200", ["users.fetch", "stock.check", "gifts.pick"])]
    assert answer.headers["server-timing"].startswith("users.fetch;dur=")


async def test_the_title_of_a_record_has_no_control_characters(world: World) -> None:
    handed: list[str] = []
    async with client_of(gateway(world, state(on_trace=lambda title, _: handed.append(title)))) as client:
        await client.get("/users/a%0ab")

    assert handed == ["GET /users/a%0Ab 200"]


async def test_a_bug_is_a_500_with_the_record_of_the_request(world: World, client: httpx.AsyncClient) -> None:
    world.users = breaks("users.fetch", KeyError("password"))

    answer = await client.post("/baskets", json=BASKET)

    assert code(answer) == (500, "unexpected")
    assert "password" not in answer.text
    assert answer.headers["gateway-completed"] == "false"
    assert "users.fetch;dur=" in answer.headers["server-timing"]


async def test_success_has_the_status_of_its_route(world: World) -> None:
    async with client_of(
        gateway_of(Route("POST", "/orders", buy, status=201), services={"w": world})
    ) as client:
        answer = await client.post("/orders", json=BASKET)

    assert answer.status_code == 201


@railway
async def repeat(_: Run[Never], token: str) -> str:
    """Return the token."""
    return token


async def get_token(request: PipelineRequest) -> Response:
    return await request.run(request.token)


async def get_unsealed_token(request: PipelineRequest) -> Response:
    return await get_token(request)


def sealed() -> Gateway:
    """Serve a route that requires a token, and another that uses it without having required it."""
    return gateway_of(
        Route("GET", "/sealed", repeat, endpoint=get_token, bearer=True),
        Route("GET", "/open", repeat, endpoint=get_unsealed_token),
        services={},
    )


async def test_a_route_that_wants_a_token_has_it_from_its_request() -> None:
    async with client_of(sealed()) as client:
        answer = await client.get("/sealed", headers={"Authorization": "bearer token-1"})

    assert (answer.status_code, answer.json()) == (200, "token-1")


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Basic dXNlcjpwYXNz")],
        [("Authorization", "Bearer a b")],
        [("Authorization", "Bearer a"), ("Authorization", "Bearer a")],
    ],
)
async def test_without_one_token_it_is_401_and_says_how_to_ask(sent: list[tuple[str, str]]) -> None:
    async with client_of(sealed()) as client:
        answer = await client.get("/sealed", headers=sent)

    assert code(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["gateway-completed"] == "false"


async def test_a_route_that_does_not_say_that_it_wants_a_token_has_none() -> None:
    async with client_of(sealed()) as client:
        answer = await client.get("/open", headers={"Authorization": "Bearer token-1"})

    assert code(answer) == (500, "unexpected")


def nothing() -> None: ...


async def no_request(basket: Basket) -> None: ...
async def a_dependency(request: PipelineRequest, it: Annotated[None, Depends(nothing)]) -> None: ...
async def a_query(request: PipelineRequest, it: Annotated[str, Query()]) -> None: ...
async def a_header(request: PipelineRequest, it: Annotated[str, Header()]) -> None: ...
async def a_scalar(request: PipelineRequest, it: str) -> None: ...
async def two_bodies(request: PipelineRequest, one: Basket, two: Basket) -> None: ...
async def commits(request: CommitRequest, basket: Basket) -> None: ...


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        (no_request, "one PipelineRequest or CommitRequest"),
        (a_dependency, "it is a query, header or cookie parameter or a dependency"),
        (a_query, "it is a query, header or cookie parameter"),
        (a_header, "it is a query, header or cookie parameter"),
        (a_scalar, "query parameters are not supported: it"),
        (two_bodies, "at most one body"),
        (commits, "commits must take a PipelineRequest"),
    ],
)
def test_unsupported_endpoint_is_refused(world: World, endpoint: Endpoint, reason: str) -> None:
    with pytest.raises(RegistrationError, match=reason):
        gateway_of(Route("POST", "/x", buy, endpoint=endpoint), services={"world": world})
