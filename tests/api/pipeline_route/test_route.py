"""Route of a pipeline: checks of the request, deadline, response and trace."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Never

import httpx
import pytest
from fastapi import Body, Depends, Form, Query
from starlette.requests import Request
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
    FakeServices,
    build_call,
    build_gateway,
    build_raising_call,
    build_sample_gateway,
    build_state,
    buy,
    create_client,
)

JSON = {"Content-Type": "application/json"}
GOOD = b'{"user_id": "user-1", "items": [{"id": "prod-1"}]}'


def get_code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def test_success_is_sent_as_response_model(client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", json=BASKET)

    assert response.status_code == 200
    assert response.json() == RECEIPT
    assert response.headers["content-type"] == "application/json"
    assert response.headers["gateway-completed"] == "true"


async def test_partial_success_is_not_completed(services: FakeServices, client: httpx.AsyncClient) -> None:
    services.gifts = build_call("gifts.pick", Err(Unavailable()))

    response = await client.post("/baskets", json=BASKET)

    assert response.json() == {**RECEIPT, "gift": None}
    assert response.headers["gateway-completed"] == "false"


async def test_failure_is_sent_as_problem(services: FakeServices, client: httpx.AsyncClient) -> None:
    services.users = build_call("users.fetch", Err(NotFound("User not found: user-1", source="users.fetch")))

    response = await client.post("/baskets", json=BASKET, headers={"X-Request-Id": "request-1"})

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["gateway-completed"] == "false"
    assert response.json() == {
        "type": "/problems/not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "User not found: user-1",
        "instance": "/baskets",
        "code": "not-found",
        "source": "users.fetch",
        "request_id": "request-1",
    }


async def test_failure_headers_are_sent(services: FakeServices, client: httpx.AsyncClient) -> None:
    services.users = build_call("users.fetch", Err(Unavailable(retry_after=1.5)))

    response = await client.post("/baskets", json=BASKET)

    assert response.headers["retry-after"] == "2"


async def test_route_takes_path_parameter_and_adds_headers(client: httpx.AsyncClient) -> None:
    response = await client.get("/users/u-1")

    assert response.json() == "u-1 is user-1"
    assert response.headers["location"] == "/me"


async def test_invalid_path_parameter_is_named(client: httpx.AsyncClient) -> None:
    response = await client.get("/users/much-too-long")

    assert get_code(response) == (422, "invalid")
    assert response.json()["violations"] == [
        {"field": "user_id", "messages": ["must have at most 10 characters"]}
    ]


async def test_problem_instance_is_percent_encoded(client: httpx.AsyncClient) -> None:
    response = await client.get("/users/%1b%5B%C3%A4:@too-long-a-name?a=b")

    assert response.json()["instance"] == "/users/%1B%5B%C3%A4:@too-long-a-name"


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "text/json"}])
async def test_body_without_json_content_type_is_415(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.post("/baskets", content=GOOD, headers=headers)

    assert get_code(response) == (415, "unsupported-media-type")
    assert response.headers["accept"] == "application/json"


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
async def test_json_media_types_are_accepted(client: httpx.AsyncClient, declared: str) -> None:
    response = await client.post("/baskets", content=GOOD, headers={"Content-Type": declared})

    assert response.status_code == 200


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
async def test_lookalike_json_media_type_is_415(client: httpx.AsyncClient, declared: str) -> None:
    response = await client.post("/baskets", content=GOOD, headers={"Content-Type": declared})

    assert get_code(response) == (415, "unsupported-media-type")


async def test_compressed_body_is_415(client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", content=GOOD, headers={**JSON, "Content-Encoding": "gzip"})

    assert get_code(response) == (415, "unsupported-media-type")
    assert response.headers["accept-encoding"] == "identity"


async def test_identity_content_encoding_is_accepted(client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", content=GOOD, headers={**JSON, "Content-Encoding": "Identity"})

    assert response.status_code == 200


async def test_body_of_64_kib_is_read(client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", content=GOOD.ljust(64 * 1024), headers=JSON)

    assert response.status_code == 200


async def test_body_over_64_kib_is_413(client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", content=GOOD.ljust(64 * 1024 + 1), headers=JSON)

    assert get_code(response) == (413, "too-large")


async def test_body_declared_over_64_kib_is_not_read(services: FakeServices) -> None:
    read: list[bytes] = []

    async def stream() -> AsyncIterator[bytes]:
        read.append(GOOD)
        yield GOOD

    headers = {**JSON, "Content-Length": str(64 * 1024 + 1)}
    async with create_client(build_sample_gateway(services)) as client:
        response = await client.post("/baskets", content=stream(), headers=headers)

    assert get_code(response) == (413, "too-large")
    assert read == []


async def test_chunked_body_is_read_up_to_64_kib(client: httpx.AsyncClient) -> None:
    produced: list[int] = []

    async def stream_spaces() -> AsyncIterator[bytes]:
        for number in range(10):
            produced.append(number)
            yield b" " * 16 * 1024

    response = await client.post("/baskets", content=stream_spaces(), headers=JSON)

    assert get_code(response) == (413, "too-large")
    assert produced == [0, 1, 2, 3, 4]


async def test_chunked_body_is_joined(client: httpx.AsyncClient) -> None:
    async def stream_halves() -> AsyncIterator[bytes]:
        yield GOOD[:9]
        yield GOOD[9:]

    response = await client.post("/baskets", content=stream_halves(), headers=JSON)

    assert response.status_code == 200


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
async def test_malformed_json_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/baskets", content=body, headers=JSON)

    assert get_code(response) == (400, "malformed")


async def test_nan_inside_a_string_is_accepted(client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", json={**BASKET, "user_id": "NaN"})

    assert response.status_code == 200


@pytest.mark.parametrize("timeout_ms", ["0", "soon", "-1", "1.5", ""])
async def test_invalid_timeout_header_is_400(client: httpx.AsyncClient, timeout_ms: str) -> None:
    response = await client.post("/baskets", json=BASKET, headers={"X-Request-Timeout-Ms": timeout_ms})

    assert get_code(response) == (400, "invalid-header")


@pytest.mark.parametrize("body", [b"[]", b"3", b"null", b'"basket"'])
async def test_json_other_than_object_is_422(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/baskets", content=body, headers=JSON)

    assert get_code(response) == (422, "invalid")
    assert response.json()["violations"] == [{"field": "", "messages": ["must be an object"]}]


async def test_invalid_fields_are_named_by_path(client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", json={"items": [{"id": "!", "quantity": "3"}], "adress": 1})

    assert get_code(response) == (422, "invalid")
    # pydantic 2.14.0 lists unknown fields first, later versions last.
    assert {violation["field"] for violation in response.json()["violations"]} == {
        "user_id",
        "items.0.id",
        "items.0.quantity",
        "adress",
    }


async def test_last_duplicate_json_key_wins(client: httpx.AsyncClient) -> None:
    body = b'{"user_id": 3, "items": [{"id": "prod-1"}], "user_id": "user-1"}'

    response = await client.post("/baskets", content=body, headers=JSON)

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("content_type", "timeout_ms", "body", "expected"),
    [
        ("text/plain", "0", b"{" * 70_000, 415),
        ("application/json", "0", b"{" * 70_000, 413),
        ("application/json", "0", b"{", 400),
        ("application/json", "1", b"{", 400),
        ("application/json", "0", b"{}", 400),
        ("application/json", "1", b"{}", 422),
    ],
)
async def test_request_checks_are_ordered(
    client: httpx.AsyncClient, content_type: str, timeout_ms: str, body: bytes, expected: int
) -> None:
    headers = {"Content-Type": content_type, "X-Request-Timeout-Ms": timeout_ms}

    response = await client.post("/baskets", content=body, headers=headers)

    assert response.status_code == expected


async def test_refused_request_runs_no_pipeline(services: FakeServices, client: httpx.AsyncClient) -> None:
    response = await client.post("/baskets", json={})

    assert response.headers["gateway-completed"] == "false"
    assert response.headers["server-timing"].startswith("gateway;dur=")
    assert services.contexts == []


@pytest.mark.parametrize(
    ("headers", "deadline"),
    [
        ({}, 3.0),
        ({"X-Request-Timeout-Ms": "1500"}, 1.5),
        ({"X-Request-Timeout-Ms": "9000"}, 3.0),
        ({"x-envoy-expected-rq-timeout-ms": "300"}, 0.3),
        ({"grpc-timeout": "300m"}, 0.3),
        ({"x-envoy-expected-rq-timeout-ms": "9000", "grpc-timeout": "1H"}, 3.0),
        ({"x-envoy-expected-rq-timeout-ms": "soon", "grpc-timeout": "300"}, 3.0),
    ],
)
async def test_client_can_only_shorten_deadline(
    services: FakeServices, headers: dict[str, str], deadline: float
) -> None:
    arrival = asyncio.get_running_loop().time()
    async with create_client(build_sample_gateway(services, build_state(deadline=3.0))) as client:
        await client.post("/baskets", json=BASKET, headers=headers)

    (context,) = services.contexts
    assert context.deadline == arrival + deadline


async def test_deadline_includes_reading_the_body(services: FakeServices, client: httpx.AsyncClient) -> None:
    async def stream_slowly() -> AsyncIterator[bytes]:
        await asyncio.sleep(2)
        yield GOOD

    arrival = asyncio.get_running_loop().time()
    await client.post("/baskets", content=stream_slowly(), headers=JSON)

    (context,) = services.contexts
    assert context.deadline == arrival + 5


async def test_slow_body_is_408_at_the_deadline(services: FakeServices, client: httpx.AsyncClient) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(1)
            yield b" "

    response = await client.post("/baskets", content=trickle(), headers=JSON)

    assert asyncio.get_running_loop().time() == 5
    assert (response.status_code, response.json()["code"]) == (408, "request-timeout")
    assert response.headers["connection"] == "close"
    assert services.contexts == []


async def test_trace_observer_error_keeps_response(
    services: FakeServices, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with create_client(build_sample_gateway(services, build_state(on_trace=raise_disk_full))) as client:
        response = await client.post("/baskets", json=BASKET)

    assert response.headers["gateway-completed"] == "true"
    assert "the trace observer raised for POST /baskets 200" in caplog.text


async def test_run_context_comes_from_request(services: FakeServices) -> None:
    async with create_client(build_sample_gateway(services, build_state(optional_budget=0.25))) as client:
        await client.post("/baskets", json=BASKET, headers={"X-Request-Id": "request-1"})

    (context,) = services.contexts
    assert context.optional_budget == 0.25
    assert context.baggage == {"X-Request-Id": "request-1"}


async def test_trace_is_sent_and_observed(services: FakeServices) -> None:
    observed: list[tuple[str, list[str]]] = []
    seconds = iter(range(100))
    gateway_state = build_state(
        on_trace=lambda title, trace: observed.append((title, [call.name for call in trace.calls])),
        clock=lambda: float(next(seconds)),
    )
    async with create_client(build_sample_gateway(services, gateway_state)) as client:
        response = await client.post("/baskets", json=BASKET)

    assert observed == [("POST /baskets 200", ["users.fetch", "stock.check", "gifts.pick"])]
    assert response.headers["server-timing"].startswith("users.fetch;dur=")


async def test_trace_title_has_no_control_characters(services: FakeServices) -> None:
    titles: list[str] = []
    async with create_client(
        build_sample_gateway(services, build_state(on_trace=lambda title, _: titles.append(title)))
    ) as client:
        await client.get("/users/a%0ab")

    assert titles == ["GET /users/a%0Ab 200"]


async def test_bug_is_500_with_server_timing(services: FakeServices, client: httpx.AsyncClient) -> None:
    services.users = build_raising_call("users.fetch", KeyError("password"))

    response = await client.post("/baskets", json=BASKET)

    assert get_code(response) == (500, "unexpected")
    assert "password" not in response.text
    assert response.headers["gateway-completed"] == "false"
    assert "users.fetch;dur=" in response.headers["server-timing"]


async def test_success_has_status_of_route(services: FakeServices) -> None:
    async with create_client(
        build_gateway(Route("POST", "/orders", buy, status=201), services={"fakes": services})
    ) as client:
        response = await client.post("/orders", json=BASKET)

    assert response.status_code == 201


@railway
async def repeat(_: Run[Never], token: str) -> str:
    """Return the token."""
    return token


async def get_token(request: PipelineRequest) -> Response:
    return await request.run(request.token)


async def get_unsealed_token(request: PipelineRequest) -> Response:
    return await get_token(request)


def build_bearer_gateway() -> Gateway:
    """Build a gateway with two routes that return the bearer token; only `/sealed` requires it."""
    return build_gateway(
        Route("GET", "/sealed", repeat, endpoint=get_token, bearer=True),
        Route("GET", "/open", repeat, endpoint=get_unsealed_token),
        services={},
    )


async def test_bearer_route_provides_the_token() -> None:
    async with create_client(build_bearer_gateway()) as client:
        response = await client.get("/sealed", headers={"Authorization": "bearer token-1"})

    assert (response.status_code, response.json()) == (200, "token-1")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Basic dXNlcjpwYXNz")],
        [("Authorization", "Bearer a b")],
        [("Authorization", "Bearer a"), ("Authorization", "Bearer a")],
    ],
)
async def test_missing_or_malformed_token_is_401(headers: list[tuple[str, str]]) -> None:
    async with create_client(build_bearer_gateway()) as client:
        response = await client.get("/sealed", headers=headers)

    assert get_code(response) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["gateway-completed"] == "false"


async def test_reading_token_without_bearer_route_is_500() -> None:
    async with create_client(build_bearer_gateway()) as client:
        response = await client.get("/open", headers={"Authorization": "Bearer token-1"})

    assert get_code(response) == (500, "unexpected")


async def take_body(basket: Basket) -> None: ...
async def take_no_request(basket: Basket) -> None: ...
async def take_two_requests(request: PipelineRequest, raw: Request) -> None: ...
async def take_plain_request(request: Request) -> None: ...
async def take_two_bodies(request: PipelineRequest, first: Basket, second: Basket) -> None: ...
async def take_commit_request(request: CommitRequest, basket: Basket) -> None: ...
async def take_form(request: PipelineRequest, value: Annotated[str, Form()]) -> None: ...
async def take_embedded(request: PipelineRequest, basket: Annotated[Basket, Body(embed=True)]) -> None: ...
async def take_variadic(request: PipelineRequest, *values: str) -> None: ...
async def take_unusable(request: PipelineRequest, value: Annotated[FakeServices, Query()]) -> None: ...
async def take_body_in_dependency(
    request: PipelineRequest, value: Annotated[None, Depends(take_body)]
) -> None: ...


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        (take_no_request, "one PipelineRequest or CommitRequest"),
        (take_two_requests, "one PipelineRequest or CommitRequest"),
        (take_plain_request, "one PipelineRequest or CommitRequest"),
        (take_form, "take_form: Form data requires"),
        (take_embedded, r"take_embedded: Body\(embed=True\) of basket is not supported"),
        (take_variadic, "take_variadic: values is positional-only or variadic"),
        (take_unusable, "POST /x: take_unusable: "),
        (take_body_in_dependency, "the dependency take_body takes a body: basket"),
        (take_two_bodies, "at most one body, not first, second"),
        (take_commit_request, "take_commit_request must take a PipelineRequest"),
    ],
)
def test_unsupported_endpoint_parameter_is_refused(
    services: FakeServices, endpoint: Endpoint, reason: str
) -> None:
    with pytest.raises(RegistrationError, match=reason):
        build_gateway(Route("POST", "/x", buy, endpoint=endpoint), services={"fakes": services})
