"""Admission control over HTTP: load shedding and rate limits of pipeline requests."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from gateway.api.admission.admission import Admission
from gateway.railway import Err, NotFound
from tests.api import fake_bank, sample_gateway
from tests.api.asgi_connection import AsgiConnection
from tests.api.fake_bank import Bank, build_bank_gateway, post_payment, start_payment
from tests.api.openapi_document import check_response, get_example_problems, list_operations
from tests.api.sample_gateway import (
    BASKET,
    FakeCall,
    FakeServices,
    HangingCall,
    build_call,
    build_raising_call,
    build_sample_gateway,
    build_state,
)

POLICY: Final = '"caller";q=2;w=60'
BODY: Final = json.dumps(BASKET).encode()
ORIGIN: Final = "https://shop.example"


def build_scope(*headers: tuple[bytes, bytes]) -> Scope:
    """Build the ASGI scope of a request for a basket, without a client address."""
    return {
        "type": "http",
        "method": "POST",
        "path": "/baskets",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers],
        "client": None,
    }


def build_app(services: FakeServices, admission: Admission) -> FastAPI:
    return build_sample_gateway(services, build_state(admission=admission), cors_origins=[ORIGIN])


def create_client(
    services: FakeServices, admission: Admission
) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return sample_gateway.create_client(build_app(services, admission))


async def post_basket(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/baskets", json=BASKET)


def get_code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def get_quota(response: httpx.Response) -> tuple[str | None, str | None]:
    """Return the RateLimit headers of *response*."""
    return response.headers.get("ratelimit-policy"), response.headers.get("ratelimit")


@pytest.fixture
def hanging() -> HangingCall:
    return HangingCall("users.fetch")


@pytest.fixture
async def full_gateway(hanging: HangingCall) -> AsyncIterator[tuple[FastAPI, Admission]]:
    """Yield a gateway without a free slot, and its admission control."""
    admission = Admission(max_in_flight=1)
    app = build_app(FakeServices(users=hanging.call), admission)
    async with sample_gateway.create_client(app) as client:
        first = asyncio.create_task(post_basket(client))
        await hanging.has_started.wait()
        yield app, admission
        first.cancel()


async def test_full_gateway_sheds_requests_immediately(
    full_gateway: tuple[FastAPI, Admission],
) -> None:
    async with sample_gateway.create_client(full_gateway[0]) as client:
        response = await client.post("/baskets", json=BASKET, headers={"X-Request-Id": "request-1"})

    assert asyncio.get_running_loop().time() == 0.0
    assert response.headers["retry-after"] == "1"
    assert response.headers["gateway-completed"] == "false"
    assert response.headers["server-timing"].startswith("gateway;dur=")
    assert response.json() == {
        "type": "/problems/unavailable",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The gateway is overloaded; retry shortly",
        "instance": "/baskets",
        "code": "unavailable",
        "request_id": "request-1",
    }


async def fail_on_read() -> Message:
    raise AssertionError


async def test_body_of_shed_request_is_not_read(full_gateway: tuple[FastAPI, Admission]) -> None:
    connection = AsgiConnection()

    await full_gateway[0](build_scope((b"content-length", b"70000")), fail_on_read, connection.send)

    assert connection.sent[0]["status"] == 503


async def test_in_flight_limit_covers_pipelines_only(full_gateway: tuple[FastAPI, Admission]) -> None:
    async with sample_gateway.create_client(full_gateway[0]) as client:
        pipeline = await client.get("/users/u-1")
        others = [
            await client.get(path)
            for path in ("/health/live", "/health/ready", "/problems/unavailable", "/docs", "/openapi.json")
        ]
        unknown = [await client.get("/nothing"), await client.get("/baskets")]
        options = await client.options("/baskets")

    assert get_code(pipeline) == (503, "unavailable")
    assert [response.status_code for response in others] == [200] * 5
    assert [response.status_code for response in unknown] == [404, 405]
    assert options.status_code == 204


@pytest.mark.parametrize(
    ("users", "body", "expected"),
    [
        (build_call("users.fetch", Err(NotFound("user-1"))), BASKET, 404),
        (build_raising_call("users.fetch", KeyError("a bug")), BASKET, 500),
        (FakeServices().users, {}, 422),
        (FakeServices().users, BASKET, 200),
    ],
)
async def test_every_response_releases_its_slot(users: FakeCall, body: dict[str, Any], expected: int) -> None:
    admission = Admission(max_in_flight=1)
    async with create_client(FakeServices(users=users), admission) as client:
        responses = [await client.post("/baskets", json=body) for _ in range(3)]

    assert [response.status_code for response in responses] == [expected] * 3
    assert admission.in_flight.count == 0


async def test_request_waiting_for_body_takes_no_slot() -> None:
    admission = Admission(max_in_flight=1)
    silent, quick = (
        AsgiConnection(),
        AsgiConnection({"type": "http.request", "body": BODY, "more_body": False}),
    )
    app = build_app(FakeServices(), admission)
    request = asyncio.create_task(app(build_scope(), silent.receive, silent.send))
    await asyncio.sleep(1)
    await app(build_scope(), quick.receive, quick.send)
    await request

    assert (quick.sent[0]["status"], silent.sent[0]["status"]) == (200, 408)


async def test_slow_upload_is_shed_if_no_slot_is_left(hanging: HangingCall) -> None:
    """A slot is acquired after the body has been read, not when the request arrives."""
    admission = Admission(max_in_flight=1)
    slow, quick = AsgiConnection(), AsgiConnection({"type": "http.request", "body": BODY, "more_body": False})
    app = build_app(FakeServices(users=hanging.call), admission)
    slow_request = asyncio.create_task(app(build_scope(), slow.receive, slow.send))
    await asyncio.sleep(1)
    first = asyncio.create_task(app(build_scope(), quick.receive, quick.send))
    await hanging.has_started.wait()
    slow.push({"type": "http.request", "body": BODY, "more_body": False})
    await slow_request
    first.cancel()

    assert slow.sent[0]["status"] == 503


async def test_disconnect_releases_slot(hanging: HangingCall) -> None:
    admission = Admission(max_in_flight=1)
    connection = AsgiConnection({"type": "http.request", "body": BODY, "more_body": False})
    app = build_app(FakeServices(users=hanging.call), admission)
    request = asyncio.create_task(app(build_scope(), connection.receive, connection.send))
    await hanging.has_started.wait()
    before = admission.in_flight.count

    connection.disconnect()
    await request

    assert (before, admission.in_flight.count) == (1, 0)


async def test_cancelled_request_releases_slot(hanging: HangingCall) -> None:
    admission = Admission(max_in_flight=1)
    connection = AsgiConnection({"type": "http.request", "body": BODY, "more_body": False})
    app = build_app(FakeServices(users=hanging.call), admission)
    request = asyncio.create_task(app(build_scope(), connection.receive, connection.send))
    await hanging.has_started.wait()

    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert admission.in_flight.count == 0


async def test_commit_after_202_holds_no_slot() -> None:
    admission, bank = Admission(max_in_flight=1), Bank()
    bank.pay.seconds = 7
    async with fake_bank.create_client(build_bank_gateway(bank, admission=admission)) as client:
        response = await post_payment(client)

    assert (response.status_code, admission.in_flight.count) == (202, 0)


async def test_commit_after_disconnect_holds_no_slot() -> None:
    admission, bank = Admission(max_in_flight=1), Bank()
    bank.pay.can_finish.clear()
    connection, request = start_payment(build_bank_gateway(bank, admission=admission))
    await bank.pay.has_started.wait()

    connection.disconnect()
    await request

    assert admission.in_flight.count == 0
    assert bank.note.keys == []
    bank.pay.can_finish.set()
    await bank.note.has_started.wait()


async def test_no_quota_headers_without_rate_limit() -> None:
    async with create_client(FakeServices(), Admission(256)) as client:
        responses = [await post_basket(client) for _ in range(100)]

    assert {(response.status_code, get_quota(response)) for response in responses} == {(200, (None, None))}


async def test_rate_limit_refuses_with_retry_after() -> None:
    async with create_client(FakeServices(), Admission(256, per_minute=2)) as client:
        responses = [await post_basket(client) for _ in range(3)]

    assert asyncio.get_running_loop().time() == 0.0
    assert [get_quota(response) for response in responses] == [
        (POLICY, '"caller";r=1;t=30'),
        (POLICY, '"caller";r=0;t=30'),
        (POLICY, '"caller";r=0;t=30'),
    ]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[2].headers["retry-after"] == "30"
    assert responses[2].headers["gateway-completed"] == "false"
    problem = responses[2].json()
    assert (problem["code"], problem["detail"], problem.get("source")) == (
        "rate-limited",
        "Too many requests from this caller; retry after the time in Retry-After",
        None,
    )


async def test_caller_is_admitted_after_retry_after() -> None:
    async with create_client(FakeServices(), Admission(256, per_minute=2)) as client:
        *_, refused = [await post_basket(client) for _ in range(3)]
        await asyncio.sleep(int(refused.headers["retry-after"]) - 0.5)
        early = await post_basket(client)
        await asyncio.sleep(0.5)
        later = await post_basket(client)

    assert (early.status_code, early.headers["retry-after"]) == (429, "1")
    assert get_quota(early) == (POLICY, '"caller";r=0;t=1')
    assert later.status_code == 200


async def test_only_pipeline_responses_have_quota_headers() -> None:
    services = FakeServices(users=build_raising_call("users.fetch", KeyError("a bug")))
    async with create_client(services, Admission(256, per_minute=3)) as client:
        responses = [
            await client.post("/baskets", content=b"{", headers={"Content-Type": "text/plain"}),
            await client.post("/baskets", json={}),
            await post_basket(client),
            await post_basket(client),
        ]
        other = await client.get("/health/live")

    assert [response.status_code for response in responses] == [415, 422, 500, 429]
    assert [get_quota(response)[1] for response in responses] == [
        f'"caller";r={remaining};t=20' for remaining in (2, 1, 0, 0)
    ]
    assert get_quota(other) == (None, None)


async def test_replayed_response_has_current_quota() -> None:
    async with fake_bank.create_client(
        build_bank_gateway(Bank(), admission=Admission(256, per_minute=2))
    ) as client:
        first, replayed, refused = [await post_payment(client, "rent") for _ in range(3)]

    assert replayed.content == first.content
    assert replayed.headers["idempotent-replayed"] == "true"
    assert get_quota(first) == (POLICY, '"caller";r=1;t=30')
    assert replayed.headers.get_list("ratelimit") == ['"caller";r=0;t=30']
    assert get_code(refused) == (429, "rate-limited")


async def test_rate_limit_ignores_bearer_tokens() -> None:
    app = build_bank_gateway(Bank(), admission=Admission(256, per_minute=1))
    async with (
        fake_bank.create_client(app, "192.0.2.1") as first,
        fake_bank.create_client(app, "192.0.2.2") as second,
    ):
        responses = [
            await post_payment(first, Authorization="Bearer a"),
            await post_payment(first, Authorization="Bearer b"),
            await post_payment(second, Authorization="Bearer a"),
        ]

    assert [response.status_code for response in responses] == [201, 429, 201]


async def test_callers_without_address_share_a_quota() -> None:
    app = build_app(FakeServices(), Admission(256, per_minute=1))
    connections = [
        AsgiConnection({"type": "http.request", "body": BODY, "more_body": False}) for _ in range(2)
    ]

    for connection in connections:
        await app(build_scope(), connection.receive, connection.send)

    assert [connection.sent[0]["status"] for connection in connections] == [200, 429]


async def test_rate_limit_precedes_load_shedding(
    hanging: HangingCall,
) -> None:
    """A rate-limited request takes no slot, and gets a 429 even if no slot is free."""
    admission = Admission(max_in_flight=1, per_minute=2)
    async with create_client(FakeServices(users=hanging.call), admission) as client:
        first = asyncio.create_task(post_basket(client))
        await hanging.has_started.wait()
        shed, limited = await post_basket(client), await post_basket(client)
        count = admission.in_flight.count
        first.cancel()

    assert get_code(shed) == (503, "unavailable")
    assert get_code(limited) == (429, "rate-limited")
    assert count == 1


async def test_shed_request_uses_up_quota(hanging: HangingCall) -> None:
    async with create_client(
        FakeServices(users=hanging.call), Admission(max_in_flight=1, per_minute=2)
    ) as client:
        first = asyncio.create_task(post_basket(client))
        await hanging.has_started.wait()
        shed = await post_basket(client)
        first.cancel()

    assert get_quota(shed) == (POLICY, '"caller";r=0;t=30')
    assert shed.headers["retry-after"] == "1"


async def test_rate_limit_precedes_all_other_checks() -> None:
    app = build_bank_gateway(Bank(), admission=Admission(256, per_minute=1))
    async with fake_bank.create_client(app) as client:
        invalid = {"X-Request-Timeout-Ms": "0", "Content-Type": "text/plain"}
        responses = [await client.post("/sealed", content=b"{" * 70_000, headers=invalid) for _ in range(2)]

    assert [response.status_code for response in responses] == [415, 429]


async def test_cors_exposes_quota_headers() -> None:
    async with create_client(FakeServices(), Admission(256, per_minute=1)) as client:
        response = await client.post("/baskets", json=BASKET, headers={"Origin": ORIGIN})

    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert {"RateLimit-Policy", "RateLimit", "Retry-After"} <= {*exposed}


async def test_openapi_shows_admission_refusals_as_sent() -> None:
    app = build_bank_gateway(Bank(), admission=Admission(max_in_flight=1, per_minute=2))
    in_flight = app.shared.admission.in_flight
    async with fake_bank.create_client(app) as client:
        in_flight.try_acquire()
        shed, _, limited = [await post_payment(client) for _ in range(3)]

    responses = app.openapi()["paths"]["/payments"]["post"]["responses"]
    for response, name in ((shed, "overloaded"), (limited, "rate-limited")):
        check_response(app.openapi(), response)
        example = get_example_problems(responses[str(response.status_code)])[name]
        assert {**response.json(), "request_id": example["request_id"]} == example


def test_openapi_documents_quota_headers() -> None:
    documents = build_sample_gateway(FakeServices()).openapi(), build_bank_gateway(Bank()).openapi()

    for name, operation in (item for document in documents for item in list_operations(document)):
        is_pipeline = "pipelines" in operation["tags"]
        for response in operation["responses"].values():
            found = response["headers"].keys() & {"RateLimit-Policy", "RateLimit"}
            assert len(found) == (2 if is_pipeline else 0), name
