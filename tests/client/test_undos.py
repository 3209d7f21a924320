"""What takes writes back: it is given the key of the write and nothing else."""

from typing import Final
from urllib.parse import unquote

import httpx
import pytest

from gateway.railway import BadAnswer, Err, Fault, Key, Ok, TimedOut, Unavailable
from tests.client.scripted_service import PROBLEM, Answering, Content, Hanging, Raising
from tests.client.test_writes import CASES, behind

KEY: Final = Key("exe-1.settlement.0.payments.execute_transfer")
PATHS: Final = {
    "inventory.release": "/reservations/",
    "payments.reverse_transfer": "/transfers/",
    "accounts.reverse_posting": "/postings/",
    "orders.cancel": "/orders/",
}


def test_every_write_that_can_be_undone_finds_its_undo_by_name() -> None:
    undos = behind(Answering()).undos

    assert {name: undo.name for name, undo in undos.items()} == {name: name for name in PATHS}
    assert {case.undo for case in CASES} == {*PATHS, None}


@pytest.mark.parametrize("name", PATHS)
async def test_an_undo_deletes_what_its_key_has_made(name: str) -> None:
    transport = Answering(httpx.Response(204))
    result = await behind(transport).undos[name].attempt(KEY)
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
async def test_a_key_is_one_segment_of_the_path_whatever_is_in_it(key: str, sent: bytes) -> None:
    transport = Answering(httpx.Response(204))
    await behind(transport).orders.cancel.attempt(Key(key))
    (request,) = transport.requests

    assert request.url.raw_path == b"/orders/" + sent
    assert unquote(sent.decode()) == key


@pytest.mark.parametrize("content", [b"", b"{}", b'{"status": "reversed"}', b"null"])
@pytest.mark.parametrize("status", [200, 202, 204, 299])
async def test_every_2xx_says_that_it_is_undone_whatever_else_is_said(status: int, content: bytes) -> None:
    body = Content([content])
    result = await behind(Answering(httpx.Response(status, stream=body))).orders.cancel.attempt(KEY)

    assert result == Ok(None)
    assert body.is_closed


@pytest.mark.parametrize("content", [b"<!doctype html>", b"{", b" "])
async def test_a_page_of_somebody_in_between_says_nothing(content: bytes) -> None:
    transport = Answering(httpx.Response(200, content=content))
    result = await behind(transport).orders.cancel.attempt(KEY)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "orders.cancel")


async def test_an_answer_that_breaks_off_says_nothing_either() -> None:
    body = Content([b"{", httpx.ReadError("reset")])
    result = await behind(Answering(httpx.Response(200, stream=body))).orders.cancel.attempt(KEY)

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
async def test_no_other_status_says_so(name: str, status: int, kind: type[Fault]) -> None:
    transport = Answering(httpx.Response(status, json={"detail": "SECRET"}, headers=PROBLEM))
    result = await behind(transport).undos[name].attempt(KEY)

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
async def test_an_undo_that_is_not_answered_has_failed(
    transport: httpx.AsyncBaseTransport, kind: type[Fault]
) -> None:
    result = await behind(transport).orders.cancel.attempt(KEY)

    assert isinstance(result, Err)
    assert type(result.error) is kind


async def test_an_undo_can_be_made_again() -> None:
    transport = Answering(httpx.Response(204))
    cancel = behind(transport).orders.cancel

    assert await cancel.attempt(KEY) == await cancel.attempt(KEY) == Ok(None)
    assert len(transport.requests) == 2
