"""Cancellation of a request's work when its client disconnects."""

import asyncio
import logging

import pytest
from starlette.requests import ClientDisconnect

from gateway.api.pipeline_route.disconnect import run_while_connected
from tests.api.asgi_connection import AsgiConnection
from tests.api.sample_gateway import FakeServices, HangingCall, build_sample_gateway

BODY = b'{"user_id": "user-1", "items": [{"id": "prod-1"}]}'


SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/baskets",
    "query_string": b"",
    "headers": [(b"content-type", b"application/json")],
}


@pytest.fixture
def connection() -> AsgiConnection:
    return AsgiConnection({"type": "http.request", "body": BODY, "more_body": False})


async def test_disconnect_cancels_calls_and_sends_nothing(
    connection: AsgiConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """Every call is cancelled, and nothing is sent or logged."""
    users, stock = HangingCall("users.fetch"), HangingCall("stock.check")
    app = build_sample_gateway(FakeServices(users=users.call, stock=stock.call))
    request = asyncio.create_task(app({**SCOPE}, connection.receive, connection.send))
    await stock.has_started.wait()

    connection.disconnect()
    await request

    assert users.was_cancelled
    assert stock.was_cancelled
    assert connection.sent == []
    assert caplog.records == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_disconnect_during_upload_starts_nothing() -> None:
    connection = AsgiConnection({"type": "http.request", "body": BODY[:9], "more_body": True})
    connection.disconnect()
    services = FakeServices()

    await build_sample_gateway(services)({**SCOPE}, connection.receive, connection.send)

    assert services.contexts == []
    assert connection.sent == []


async def test_outside_cancellation_is_passed_on(connection: AsgiConnection) -> None:
    users = HangingCall("users.fetch")
    app = build_sample_gateway(FakeServices(users=users.call))
    request = asyncio.create_task(app({**SCOPE}, connection.receive, connection.send))
    await users.has_started.wait()

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert users.was_cancelled


async def test_outside_cancellation_overrides_disconnect(connection: AsgiConnection) -> None:
    users = HangingCall("users.fetch")
    app = build_sample_gateway(FakeServices(users=users.call))
    request = asyncio.create_task(app({**SCOPE}, connection.receive, connection.send))
    await users.has_started.wait()
    connection.disconnect()
    await asyncio.sleep(0)

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request


async def test_connected_client_gets_response(connection: AsgiConnection) -> None:
    await build_sample_gateway(FakeServices())({**SCOPE}, connection.receive, connection.send)

    start, body = connection.sent
    assert start["status"] == 200
    assert body["body"]


async def test_disconnect_listener_ends_with_response(connection: AsgiConnection) -> None:
    await build_sample_gateway(FakeServices())({**SCOPE}, connection.receive, connection.send)
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_work_that_ignores_disconnect_returns_result(connection: AsgiConnection) -> None:
    connection = AsgiConnection()
    has_started = asyncio.Event()

    async def suppress_cancellation() -> str:
        has_started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done"
        raise AssertionError

    async def serve() -> tuple[str, int]:
        result = await run_while_connected(connection.receive, suppress_cancellation())
        task = asyncio.current_task()
        assert task is not None
        return result, task.cancelling()

    request = asyncio.create_task(serve())
    await has_started.wait()
    connection.disconnect()

    assert await request == ("done", 0)


async def test_disconnect_leaves_task_uncancelled() -> None:
    connection = AsgiConnection()
    connection.disconnect()

    with pytest.raises(ClientDisconnect):
        await run_while_connected(connection.receive, asyncio.Event().wait())

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    async with asyncio.timeout(1):
        await asyncio.sleep(0.5)


async def test_other_messages_are_not_disconnects() -> None:
    connection = AsgiConnection({"type": "http.request", "body": b"", "more_body": False})
    connection.disconnect()

    with pytest.raises(ClientDisconnect):
        await run_while_connected(connection.receive, asyncio.Event().wait())


async def test_cleanup_error_after_disconnect_is_raised(
    connection: AsgiConnection, caplog: pytest.LogCaptureFixture
) -> None:
    connection = AsgiConnection()
    connection.disconnect()

    async def fail_in_cleanup() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError

    with caplog.at_level(logging.ERROR), pytest.raises(KeyError):
        await run_while_connected(connection.receive, fail_in_cleanup())
