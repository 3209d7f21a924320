"""Which requests for pipelines are let in."""

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
from tests.api import fake_bank as bank
from tests.api import sample_gateway as world
from tests.api.asgi_connection import Connection
from tests.api.fake_bank import Bank, connected, posted
from tests.api.openapi_document import check_response, operations, problems
from tests.api.sample_gateway import BASKET, Hanging, World, breaks, gives

POLICY: Final = '"caller";q=2;w=60'
BODY: Final = json.dumps(BASKET).encode()
ORIGIN: Final = "https://shop.example"


def basket(*headers: tuple[bytes, bytes]) -> Scope:
    """Give the request for a basket from nobody knows where."""
    return {
        "type": "http",
        "method": "POST",
        "path": "/baskets",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers],
        "client": None,
    }


def app_of(there: World, admission: Admission) -> FastAPI:
    return world.gateway(there, world.state(admission=admission), cors_origins=[ORIGIN])


def client_of(there: World, admission: Admission) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return world.client_of(app_of(there, admission))


async def bought(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/baskets", json=BASKET)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def quota(answer: httpx.Response) -> tuple[str | None, str | None]:
    """Give what *answer* says of the caller's quota."""
    return answer.headers.get("ratelimit-policy"), answer.headers.get("ratelimit")


@pytest.fixture
def hanging() -> Hanging:
    return Hanging("users.fetch")


@pytest.fixture
async def full(hanging: Hanging) -> AsyncIterator[tuple[FastAPI, Admission]]:
    """Give a gateway that answers one request at a time, and is answering one."""
    admission = Admission(max_in_flight=1)
    app = app_of(World(users=hanging.call), admission)
    async with world.client_of(app) as client:
        first = asyncio.create_task(bought(client))
        await hanging.has_started.wait()
        yield app, admission
        first.cancel()


async def test_a_request_more_than_can_be_answered_is_refused_at_once(
    full: tuple[FastAPI, Admission],
) -> None:
    async with world.client_of(full[0]) as client:
        answer = await client.post("/baskets", json=BASKET, headers={"X-Request-Id": "request-1"})

    assert asyncio.get_running_loop().time() == 0.0
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["gateway-completed"] == "false"
    assert answer.headers["server-timing"].startswith("gateway;dur=")
    assert answer.json() == {
        "type": "/problems/unavailable",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The gateway is overloaded; retry shortly",
        "instance": "/baskets",
        "code": "unavailable",
        "request_id": "request-1",
    }


async def nobody() -> Message:
    raise AssertionError


async def test_its_body_is_not_read(full: tuple[FastAPI, Admission]) -> None:
    connection = Connection()

    await full[0](basket((b"content-length", b"70000")), nobody, connection.send)

    assert connection.sent[0]["status"] == 503


async def test_every_pipeline_counts_and_nothing_else(full: tuple[FastAPI, Admission]) -> None:
    async with world.client_of(full[0]) as client:
        pipeline = await client.get("/users/u-1")
        others = [
            await client.get(path)
            for path in ("/health/live", "/health/ready", "/problems/unavailable", "/docs", "/openapi.json")
        ]
        unknown = [await client.get("/nothing"), await client.get("/baskets")]
        asked = await client.options("/baskets")

    assert code(pipeline) == (503, "unavailable")
    assert [answer.status_code for answer in others] == [200] * 5
    assert [answer.status_code for answer in unknown] == [404, 405]
    assert asked.status_code == 204


@pytest.mark.parametrize(
    ("users", "body", "wanted"),
    [
        (gives("users.fetch", Err(NotFound("nobody"))), BASKET, 404),
        (breaks("users.fetch", KeyError("a bug")), BASKET, 500),
        (World().users, {}, 422),
        (World().users, BASKET, 200),
    ],
)
async def test_whatever_the_answer_is_it_makes_room_for_the_next(
    users: world.Service, body: dict[str, Any], wanted: int
) -> None:
    admission = Admission(max_in_flight=1)
    async with client_of(World(users=users), admission) as client:
        answers = [await client.post("/baskets", json=body) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [wanted] * 3
    assert admission.in_flight.count == 0


async def test_a_body_that_does_not_come_takes_nobodys_place() -> None:
    admission = Admission(max_in_flight=1)
    silent, quick = Connection(), Connection({"type": "http.request", "body": BODY, "more_body": False})
    app = app_of(World(), admission)
    request = asyncio.create_task(app(basket(), silent.receive, silent.send))
    await asyncio.sleep(1)
    await app(basket(), quick.receive, quick.send)
    await request

    assert (quick.sent[0]["status"], silent.sent[0]["status"]) == (200, 408)


async def test_a_place_that_is_gone_once_the_body_has_come_is_refused_all_the_same(hanging: Hanging) -> None:
    admission = Admission(max_in_flight=1)
    slow, quick = Connection(), Connection({"type": "http.request", "body": BODY, "more_body": False})
    app = app_of(World(users=hanging.call), admission)
    late = asyncio.create_task(app(basket(), slow.receive, slow.send))
    await asyncio.sleep(1)
    first = asyncio.create_task(app(basket(), quick.receive, quick.send))
    await hanging.has_started.wait()
    slow.say({"type": "http.request", "body": BODY, "more_body": False})
    await late
    first.cancel()

    assert slow.sent[0]["status"] == 503


async def test_who_hangs_up_makes_room(hanging: Hanging) -> None:
    admission = Admission(max_in_flight=1)
    connection = Connection({"type": "http.request", "body": BODY, "more_body": False})
    app = app_of(World(users=hanging.call), admission)
    request = asyncio.create_task(app(basket(), connection.receive, connection.send))
    await hanging.has_started.wait()
    before = admission.in_flight.count

    connection.hang_up()
    await request

    assert (before, admission.in_flight.count) == (1, 0)


async def test_a_request_that_is_cancelled_makes_room(hanging: Hanging) -> None:
    admission = Admission(max_in_flight=1)
    connection = Connection({"type": "http.request", "body": BODY, "more_body": False})
    app = app_of(World(users=hanging.call), admission)
    request = asyncio.create_task(app(basket(), connection.receive, connection.send))
    await hanging.has_started.wait()

    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert admission.in_flight.count == 0


async def test_a_commit_that_goes_on_after_its_answer_takes_nobodys_place() -> None:
    admission, there = Admission(max_in_flight=1), Bank()
    there.pay.seconds = 7
    async with bank.client_of(bank.gateway(there, admission=admission)) as client:
        answer = await posted(client)

    assert (answer.status_code, admission.in_flight.count) == (202, 0)


async def test_a_commit_that_goes_on_after_its_client_has_hung_up_takes_nobodys_place() -> None:
    admission, there = Admission(max_in_flight=1), Bank()
    there.pay.goes_on.clear()
    connection, request = connected(bank.gateway(there, admission=admission))
    await there.pay.is_asked.wait()

    connection.hang_up()
    await request

    assert admission.in_flight.count == 0
    assert there.note.asked == []
    there.pay.goes_on.set()
    await there.note.is_asked.wait()


async def test_without_a_rate_limit_nothing_is_said_of_one() -> None:
    async with client_of(World(), Admission(256)) as client:
        answers = [await bought(client) for _ in range(100)]

    assert {(answer.status_code, quota(answer)) for answer in answers} == {(200, (None, None))}


async def test_who_asks_too_often_is_refused_at_once_and_told_when_to_come_back() -> None:
    async with client_of(World(), Admission(256, per_minute=2)) as client:
        answers = [await bought(client) for _ in range(3)]

    assert asyncio.get_running_loop().time() == 0.0
    assert [quota(answer) for answer in answers] == [
        (POLICY, '"caller";r=1;t=30'),
        (POLICY, '"caller";r=0;t=30'),
        (POLICY, '"caller";r=0;t=30'),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "30"
    assert answers[2].headers["gateway-completed"] == "false"
    said = answers[2].json()
    assert (said["code"], said["detail"], said.get("source")) == (
        "rate-limited",
        "There were too many requests from this address",
        None,
    )


async def test_who_comes_back_when_told_is_let_in() -> None:
    async with client_of(World(), Admission(256, per_minute=2)) as client:
        *_, refused = [await bought(client) for _ in range(3)]
        await asyncio.sleep(int(refused.headers["retry-after"]) - 0.5)
        early = await bought(client)
        await asyncio.sleep(0.5)
        later = await bought(client)

    assert (early.status_code, early.headers["retry-after"]) == (429, "1")
    assert quota(early) == (POLICY, '"caller";r=0;t=1')
    assert later.status_code == 200


async def test_every_answer_of_a_pipeline_says_what_is_left_and_no_other_does() -> None:
    there = World(users=breaks("users.fetch", KeyError("a bug")))
    async with client_of(there, Admission(256, per_minute=3)) as client:
        answers = [
            await client.post("/baskets", content=b"{", headers={"Content-Type": "text/plain"}),
            await client.post("/baskets", json={}),
            await bought(client),
            await bought(client),
        ]
        other = await client.get("/health/live")

    assert [answer.status_code for answer in answers] == [415, 422, 500, 429]
    assert [quota(answer)[1] for answer in answers] == [f'"caller";r={left};t=20' for left in (2, 1, 0, 0)]
    assert quota(other) == (None, None)


async def test_an_answer_that_is_given_again_says_what_is_left_now() -> None:
    async with bank.client_of(bank.gateway(Bank(), admission=Admission(256, per_minute=2))) as client:
        first, again, refused = [await posted(client, "rent") for _ in range(3)]

    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert quota(first) == (POLICY, '"caller";r=1;t=30')
    assert again.headers.get_list("ratelimit") == ['"caller";r=0;t=30']
    assert code(refused) == (429, "rate-limited")


async def test_a_caller_is_an_address_whatever_token_it_shows() -> None:
    app = bank.gateway(Bank(), admission=Admission(256, per_minute=1))
    async with bank.client_of(app, "192.0.2.1") as one, bank.client_of(app, "192.0.2.2") as other:
        answers = [
            await posted(one, Authorization="Bearer a"),
            await posted(one, Authorization="Bearer b"),
            await posted(other, Authorization="Bearer a"),
        ]

    assert [answer.status_code for answer in answers] == [201, 429, 201]


async def test_callers_without_an_address_are_one() -> None:
    app = app_of(World(), Admission(256, per_minute=1))
    connections = [Connection({"type": "http.request", "body": BODY, "more_body": False}) for _ in range(2)]

    for connection in connections:
        await app(basket(), connection.receive, connection.send)

    assert [connection.sent[0]["status"] for connection in connections] == [200, 429]


async def test_who_asks_too_often_takes_nobodys_place_and_is_told_so_even_where_there_is_none(
    hanging: Hanging,
) -> None:
    admission = Admission(max_in_flight=1, per_minute=2)
    async with client_of(World(users=hanging.call), admission) as client:
        first = asyncio.create_task(bought(client))
        await hanging.has_started.wait()
        busy, often = await bought(client), await bought(client)
        count = admission.in_flight.count
        first.cancel()

    assert code(busy) == (503, "unavailable")
    assert code(often) == (429, "rate-limited")
    assert count == 1


async def test_a_request_for_which_there_is_no_place_counts_for_its_caller(hanging: Hanging) -> None:
    async with client_of(World(users=hanging.call), Admission(max_in_flight=1, per_minute=2)) as client:
        first = asyncio.create_task(bought(client))
        await hanging.has_started.wait()
        busy = await bought(client)
        first.cancel()

    assert quota(busy) == (POLICY, '"caller";r=0;t=30')
    assert busy.headers["retry-after"] == "1"


async def test_who_is_not_let_in_is_not_looked_at_any_further() -> None:
    app = bank.gateway(Bank(), admission=Admission(256, per_minute=1))
    async with bank.client_of(app) as client:
        wrong = {"X-Request-Timeout-Ms": "0", "Content-Type": "text/plain"}
        answers = [await client.post("/sealed", content=b"{" * 70_000, headers=wrong) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [415, 429]


async def test_a_page_may_read_what_is_left() -> None:
    async with client_of(World(), Admission(256, per_minute=1)) as client:
        answer = await client.post("/baskets", json=BASKET, headers={"Origin": ORIGIN})

    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"RateLimit-Policy", "RateLimit", "Retry-After"} <= {*exposed}


async def test_what_is_sent_to_who_is_not_let_in_is_what_the_documentation_shows() -> None:
    app = bank.gateway(Bank(), admission=Admission(max_in_flight=1, per_minute=2))
    there = app.shared.admission.in_flight
    async with bank.client_of(app) as client:
        there.try_acquire()
        busy, _, often = [await posted(client) for _ in range(3)]

    answers = app.openapi()["paths"]["/payments"]["post"]["responses"]
    for answer, name in ((busy, "too-much-to-do"), (often, "too-many-requests")):
        check_response(app.openapi(), answer)
        example = problems(answers[str(answer.status_code)])[name]
        assert {**answer.json(), "request_id": example["request_id"]} == example


def test_every_answer_of_a_pipeline_is_documented_with_what_it_says_of_the_quota() -> None:
    documents = world.gateway(World()).openapi(), bank.gateway(Bank()).openapi()

    for name, operation in (one for document in documents for one in operations(document)):
        is_pipeline = "pipelines" in operation["tags"]
        for answer in operation["responses"].values():
            found = answer["headers"].keys() & {"RateLimit-Policy", "RateLimit"}
            assert len(found) == (2 if is_pipeline else 0), name
