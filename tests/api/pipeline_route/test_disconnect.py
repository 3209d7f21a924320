"""A client that hangs up."""

import asyncio
import logging

import pytest
from starlette.requests import ClientDisconnect

from gateway.api.pipeline_route.disconnect import run_while_connected
from tests.api.asgi_connection import Connection
from tests.api.sample_gateway import Hanging, World, gateway

BODY = b'{"user_id": "user-1", "items": [{"id": "prod-1"}]}'


SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/baskets",
    "query_string": b"",
    "headers": [(b"content-type", b"application/json")],
}


@pytest.fixture
def connection() -> Connection:
    return Connection({"type": "http.request", "body": BODY, "more_body": False})


async def test_every_call_is_cancelled_and_nothing_is_sent_or_logged_when_the_client_hangs_up(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    users, stock = Hanging("users.fetch"), Hanging("stock.check")
    app = gateway(World(users=users.call, stock=stock.call))
    request = asyncio.create_task(app({**SCOPE}, connection.receive, connection.send))
    await stock.has_started.wait()

    connection.hang_up()
    await request

    assert users.was_cancelled
    assert stock.was_cancelled
    assert connection.sent == []
    assert caplog.records == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_client_that_hangs_up_in_the_middle_of_the_body_starts_nothing() -> None:
    connection = Connection({"type": "http.request", "body": BODY[:9], "more_body": True})
    connection.hang_up()
    world = World()

    await gateway(world)({**SCOPE}, connection.receive, connection.send)

    assert world.seen == []
    assert connection.sent == []


async def test_a_cancellation_from_outside_stays_one(connection: Connection) -> None:
    users = Hanging("users.fetch")
    app = gateway(World(users=users.call))
    request = asyncio.create_task(app({**SCOPE}, connection.receive, connection.send))
    await users.has_started.wait()

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert users.was_cancelled


async def test_a_cancellation_from_outside_beats_a_client_that_hangs_up(connection: Connection) -> None:
    users = Hanging("users.fetch")
    app = gateway(World(users=users.call))
    request = asyncio.create_task(app({**SCOPE}, connection.receive, connection.send))
    await users.has_started.wait()
    connection.hang_up()
    await asyncio.sleep(0)

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request


async def test_an_answer_is_sent_while_the_client_is_there(connection: Connection) -> None:
    await gateway(World())({**SCOPE}, connection.receive, connection.send)

    start, body = connection.sent
    assert start["status"] == 200
    assert body["body"]


async def test_nobody_listens_for_the_client_any_more_once_it_has_its_answer(connection: Connection) -> None:
    await gateway(World())({**SCOPE}, connection.receive, connection.send)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_work_that_does_not_let_itself_be_cancelled_gives_its_result(connection: Connection) -> None:
    connection = Connection()
    has_started = asyncio.Event()

    async def stubborn() -> str:
        has_started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done"
        raise AssertionError

    async def serve() -> tuple[str, int]:
        result = await run_while_connected(connection.receive, stubborn())
        task = asyncio.current_task()
        assert task is not None
        return result, task.cancelling()

    request = asyncio.create_task(serve())
    await has_started.wait()
    connection.hang_up()

    assert await request == ("done", 0)


async def test_the_task_is_as_it_was_after_a_client_has_hung_up() -> None:
    connection = Connection()
    connection.hang_up()

    with pytest.raises(ClientDisconnect):
        await run_while_connected(connection.receive, asyncio.Event().wait())

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    async with asyncio.timeout(1):
        await asyncio.sleep(0.5)


async def test_what_else_a_server_says_is_passed_over() -> None:
    connection = Connection({"type": "http.request", "body": b"", "more_body": False})
    connection.hang_up()

    with pytest.raises(ClientDisconnect):
        await run_while_connected(connection.receive, asyncio.Event().wait())


async def test_a_bug_in_what_cleans_up_is_logged_and_not_lost(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    connection = Connection()
    connection.hang_up()

    async def messy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError

    with caplog.at_level(logging.ERROR), pytest.raises(KeyError):
        await run_while_connected(connection.receive, messy())
