"""Undos of a client, which need only the key of their write."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

import httpx
import pytest
from typing_extensions import override

from gateway.client.answers.body import MAX_ANSWER_BYTES
from gateway.railway import BadAnswer, Err, Fault, Key, Ok, SentWrite, TimedOut, Unavailable
from tests.client.scripted_service import PROBLEM, Answering, Content, Hanging, Raising, client
from tests.client.test_writes import CASES, connect_services

KEY: Final = Key("exe-1.settlement.0.payments.execute_transfer")
WRITE: Final = SentWrite(KEY)
PATHS: Final = {
    "inventory.release": "/reservations/",
    "payments.reverse_transfer": "/transfers/",
    "accounts.reverse_posting": "/postings/",
    "orders.cancel": "/orders/",
}


def test_sample_undos_match_undoable_writes() -> None:
    undos = connect_services(Answering()).undos

    assert {name: undo.name for name, undo in undos.items()} == {name: name for name in PATHS}
    assert {case.undo for case in CASES} == {*PATHS, None}


@pytest.mark.parametrize("name", PATHS)
async def test_undo_sends_delete_with_key(name: str) -> None:
    transport = Answering(httpx.Response(204))
    result = await connect_services(transport).undos[name].attempt(WRITE)
    (request,) = transport.requests

    assert result == Ok(None)
    assert (request.method, request.url.path, request.content) == ("DELETE", PATHS[name] + KEY, b"")
    assert set(request.headers) == {
        "host",
        "accept",
        "accept-encoding",
        "user-agent",
        "x-envoy-expected-rq-timeout-ms",
    }


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("exe-1.order.0.orders.create", b"exe-1.order.0.orders.create"),
        ("a/b?c#d", b"a%2Fb%3Fc%23d"),
        ("../orders", b"..%2Forders"),
        ("50% é", b"50%25%20%C3%A9"),
        ("a" * 300, b"a" * 300),
    ],
)
async def test_undo_encodes_key_as_path_segment(key: str, sent: bytes) -> None:
    transport = Answering(httpx.Response(204))
    await connect_services(transport).orders.cancel.attempt(SentWrite(Key(key)))
    (request,) = transport.requests

    assert request.url.raw_path == b"/orders/" + sent
    assert unquote(sent.decode()) == key


@pytest.mark.parametrize("content", [b"", b"{}", b'{"status": "reversed"}', b"null"])
@pytest.mark.parametrize("status", [200, 201, 203, 204, 205, 206, 299])
async def test_undo_succeeds_on_any_2xx_but_202(status: int, content: bytes) -> None:
    body = Content([content])
    result = await connect_services(Answering(httpx.Response(status, stream=body))).orders.cancel.attempt(
        WRITE
    )

    assert result == Ok(None)
    assert body.is_closed


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "text/plain"}, b"OK"),
        ({"content-type": "text/plain"}, b""),
        ({}, b" "),
        ({"content-type": "application/json"}, b"{"),
        ({"content-type": "application/json"}, b'{"status": '),
        ({"content-type": "application/json; charset=utf-16"}, b"\xff\xfe{"),
        ({"content-type": "application/xml"}, b"<result>deleted</result>"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"\x1f\x8b"),
        ({"content-length": "9999999"}, b"x" * 2_000_000),
    ],
)
async def test_undo_accepts_any_body_but_a_page(headers: Mapping[str, str], content: bytes) -> None:
    response = httpx.Response(200, headers=headers, stream=Content([content, b""]))

    assert await connect_services(Answering(response)).orders.cancel.attempt(WRITE) == Ok(None)


@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [
        (200, {"content-type": "text/html"}, b""),
        (200, {"content-type": "Text/HTML; charset=utf-8"}, b"<h1>Log in</h1>"),
        (200, {"content-type": "application/xhtml+xml"}, b"<html/>"),
        (200, {}, b"<!doctype html>"),
        (200, {}, b"\xef\xbb\xbf\n <HTML lang=en>"),
        (200, {"content-type": "application/json"}, b"<html><body>"),
        (200, {"content-type": "text/plain, text/html"}, b"ok"),
        (200, {"content-type": "text/plain"}, b"<!-- nginx --><html>"),
        (200, {}, b'<?xml version="1.0"?>\n<!DOCTYPE html>'),
        (200, {}, b"<h1>Service Unavailable</h1>"),
        (200, {}, b"<script>location='/login'</script>"),
        (200, {}, b" " * 5000 + b"<html>"),
        (200, {}, "<html>".encode("utf-16")),
        (202, {"content-type": "application/json"}, b'{"status": "pending"}'),
        (202, {}, b""),
    ],
)
async def test_undo_answered_by_page_or_202_is_not_made(
    status: int, headers: Mapping[str, str], content: bytes
) -> None:
    transport = Answering(httpx.Response(status, headers=headers, content=content))
    result = await connect_services(transport).orders.cancel.attempt(WRITE)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "orders.cancel")


@pytest.mark.parametrize("status", [204, 205])
async def test_media_type_without_content_is_no_page(status: int) -> None:
    transport = Answering(httpx.Response(status, headers={"content-type": "text/html"}))

    assert await connect_services(transport).orders.cancel.attempt(WRITE) == Ok(None)


async def test_endless_undo_response_is_cut_off() -> None:
    read = 0

    class Endless(httpx.AsyncByteStream):
        @override
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal read
            while True:
                read += 1_000
                yield b"x" * 1_000

    response = httpx.Response(200, stream=Endless())

    assert await connect_services(Answering(response)).orders.cancel.attempt(WRITE) == Ok(None)
    assert MAX_ANSWER_BYTES < read <= MAX_ANSWER_BYTES + 1_000


async def test_truncated_undo_response_is_unavailable() -> None:
    body = Content([b"{", httpx.ReadError("reset")])
    result = await connect_services(Answering(httpx.Response(200, stream=body))).orders.cancel.attempt(WRITE)

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(status, BadAnswer) for status in (302, 400, 401, 403, 404, 409, 410, 422, 500, 502)],
        *[(status, TimedOut) for status in (408, 504)],
        *[(status, Unavailable) for status in (429, 503)],
    ],
)
@pytest.mark.parametrize("name", PATHS)
async def test_undo_fails_on_status_outside_2xx(name: str, status: int, kind: type[Fault]) -> None:
    transport = Answering(httpx.Response(status, json={"detail": "SECRET"}, headers=PROBLEM))
    result = await connect_services(transport).undos[name].attempt(WRITE)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (kind, name)
    assert "SECRET" not in result.error.detail


@pytest.mark.parametrize(
    ("transport", "kind"),
    [
        pytest.param(Raising(httpx.ConnectError("refused")), Unavailable, id="refused"),
        pytest.param(Raising(httpx.ReadError("reset")), Unavailable, id="dropped"),
        pytest.param(Hanging(), TimedOut, id="hanging"),
    ],
)
async def test_undo_fails_without_response(transport: httpx.AsyncBaseTransport, kind: type[Fault]) -> None:
    result = await connect_services(transport).orders.cancel.attempt(WRITE)

    assert isinstance(result, Err)
    assert type(result.error) is kind


async def test_undo_can_be_repeated() -> None:
    transport = Answering(httpx.Response(204))
    cancel = connect_services(transport).orders.cancel

    assert await cancel.attempt(WRITE) == await cancel.attempt(WRITE) == Ok(None)
    assert len(transport.requests) == 2


def test_client_lists_its_undos_by_name() -> None:
    things = client(Answering())
    undos = {name: things.undo.delete(name, "/things/{key}") for name in ("things.unmake", "things.forget")}

    assert things.undos == undos


def test_client_undos_are_read_only() -> None:
    assert isinstance(client(Answering()).undos, MappingProxyType)


def test_client_refuses_duplicate_undo() -> None:
    things = client(Answering())
    things.undo.delete("things.unmake", "/things/{key}")

    with pytest.raises(ValueError, match=r"the things service already has an undo named 'things\.unmake'"):
        things.undo.delete("things.unmake", "/others/{key}")
