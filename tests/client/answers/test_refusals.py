"""Provenance of refusals: a declared status counts only if the response is recognizably the service's."""

import logging
import re
from collections.abc import Mapping
from typing import Final, cast

import httpx
import pytest

from gateway.client.answers.refusals import Refusals, choose_refusal_check
from gateway.client.operations.conventions import Conventions
from gateway.client.service import Service
from gateway.client.service_client import ServiceClient
from gateway.railway import (
    BadAnswer,
    Conflict,
    Err,
    Fault,
    Forbidden,
    Key,
    NotFound,
    RateLimited,
    Result,
    TimedOut,
    Unauthorized,
    Unavailable,
)
from tests.client.scripted_service import LATE, PROBLEM, UNAVAILABLE, UNUSABLE, Answering, Content, Thing
from tests.service_clients import CONVENTIONS, service_client

SOURCE: Final = "things.fetch"
PAGE: Final = b"<!doctype html><title>404 Not Found</title>"
BAD_ANSWER: Final = Err(BadAnswer(UNUSABLE, source=SOURCE))
GENERIC: Final = Err(NotFound("things.fetch was refused: not found", source=SOURCE))

FOREIGN: Final = [
    pytest.param({"content-type": "text/html"}, PAGE, id="HTML"),
    pytest.param({"content-type": "text/html; charset=utf-8"}, PAGE, id="HTML with a charset"),
    pytest.param({"content-type": "application/xhtml+xml"}, PAGE, id="XHTML"),
    pytest.param({"content-type": "text/plain"}, b"default backend - 404", id="plain text"),
    pytest.param({"content-type": "text/plain"}, b'{"detail": "No"}', id="JSON as plain text"),
    pytest.param({}, b"", id="no type and no body"),
    pytest.param({"content-type": ""}, b"", id="empty type"),
    pytest.param({}, b'{"detail": "No"}', id="JSON without a type"),
    pytest.param({"content-type": "application/xml"}, b"<Error/>", id="XML"),
    pytest.param({"content-type": "application/problem+xml"}, b"<problem/>", id="XML problem"),
    pytest.param({"content-type": "application/octet-stream"}, b"\x00", id="bytes"),
    pytest.param({"content-type": "application/json, text/html"}, PAGE, id="two types"),
    pytest.param({"content-type": "application/json"}, PAGE, id="page labelled as JSON"),
    pytest.param({"content-type": "application/problem+json"}, b"\n<html>", id="page labelled as a problem"),
    pytest.param({"content-type": "application/json"}, b"<!-- nginx --><html>", id="page after a comment"),
    pytest.param({"content-type": "application/jsonp"}, b"no()", id="like JSON"),
    pytest.param({"content-type": "json"}, b"{}", id="no media type"),
]


def connect(
    response: httpx.Response, conventions: Conventions = CONVENTIONS
) -> tuple[ServiceClient, Answering]:
    transport = Answering(response)
    return service_client("things", "http://things.test", transport, conventions=conventions), transport


async def fetch(
    response: httpx.Response,
    kind: type[Fault] = NotFound,
    *,
    service: Refusals = "json",
    operation: Refusals | None = None,
) -> Result[Thing, Fault]:
    client, _ = connect(response, Conventions(refusals=service))
    declared = {response.status_code: kind}
    return await client.get(SOURCE, "/things", answer=Thing, declared=declared, refusals=operation)()


@pytest.mark.parametrize(("headers", "content"), FOREIGN)
@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (403, Forbidden), (404, NotFound), (409, Conflict)]
)
async def test_foreign_refusal_is_bad_answer(
    status: int, kind: type[Fault], headers: Mapping[str, str], content: bytes
) -> None:
    body = Content([content])
    result = await fetch(httpx.Response(status, headers=headers, stream=body), kind)

    assert result == BAD_ANSWER
    assert body.is_closed


@pytest.mark.parametrize(
    "media_type",
    [
        "application/problem+json",
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/vnd.api+json",
        "application/hal+json;profile=x",
        "text/json",
    ],
)
async def test_refusal_in_any_json_type_counts(media_type: str) -> None:
    response = httpx.Response(404, headers={"content-type": media_type}, content=b"{}")

    assert await fetch(response) == GENERIC


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (408, TimedOut(LATE, source=SOURCE)),
        (429, Unavailable(UNAVAILABLE, source=SOURCE)),
        (503, Unavailable(UNAVAILABLE, source=SOURCE)),
        (504, TimedOut(LATE, source=SOURCE)),
        (202, BadAnswer(UNUSABLE, source=SOURCE)),
    ],
)
async def test_foreign_status_counts_as_not_declared(status: int, error: Fault) -> None:
    response = httpx.Response(status, headers={"content-type": "text/html"}, content=PAGE)

    assert await fetch(response, RateLimited) == Err(error)


@pytest.mark.parametrize("content", [b"", b"No", b"{", b'"No"', b"[]", b"<error/>"])
async def test_body_of_json_refusal_does_not_matter(content: bytes) -> None:
    response = httpx.Response(404, headers={"content-type": "application/json"}, content=content)

    assert await fetch(response) == GENERIC


def accept(_: httpx.Response) -> bool:
    return True


@pytest.mark.parametrize("refusals", ["any", accept])
async def test_page_labelled_as_json_counts_by_setting(refusals: Refusals) -> None:
    response = httpx.Response(404, headers={"content-type": "application/json"}, content=PAGE)

    assert await fetch(response, operation=refusals) == GENERIC


async def test_foreign_refusal_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await fetch(httpx.Response(404, html="SECRET"))

    line = "things.fetch: bad-answer: status 404, not recognizably from the service"
    assert caplog.record_tuples == [("gateway.client", logging.WARNING, line)]


async def test_write_refused_by_a_proxy_is_unknown() -> None:
    """A `BadAnswer` leaves the outcome of a write open, so that its commit undoes it without repeating it."""
    client, transport = connect(httpx.Response(409, html="<h1>Conflict</h1>"))
    write = client.write.post("things.make", "/things", answer=Thing, undo=None, declared={409: Conflict})
    result = await write({}).attempt(Key("key"))

    assert result == Err(BadAnswer(UNUSABLE, source="things.make"))
    assert len(transport.requests) == 1


@pytest.mark.parametrize(("headers", "content"), FOREIGN)
async def test_any_refusal_counts_where_set(headers: Mapping[str, str], content: bytes) -> None:
    response = httpx.Response(404, headers=headers, content=content)

    assert await fetch(response, service="any") == GENERIC
    assert await fetch(response, operation="any") == GENERIC


async def test_operation_precedes_its_service() -> None:
    response = httpx.Response(404, html="")

    assert await fetch(response, service="any", operation="json") == BAD_ANSWER
    assert await fetch(response, service="json", operation="any") == GENERIC


def has_mark(response: httpx.Response) -> bool:
    return "x-things" in response.headers


@pytest.mark.parametrize(("headers", "result"), [({"x-things": "1"}, GENERIC), (PROBLEM, BAD_ANSWER)])
async def test_function_recognizes_refusals(headers: Mapping[str, str], result: object) -> None:
    assert await fetch(httpx.Response(404, headers=headers), service=has_mark) == result
    assert await fetch(httpx.Response(404, headers=headers), operation=has_mark) == result


async def test_exception_in_function_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(response: httpx.Response) -> bool:
        return bool(response.headers["x-absent"])

    assert await fetch(httpx.Response(404, json={}), operation=fail) == BAD_ANSWER
    assert re.fullmatch(
        r"refusals raised an exception; the response does not count as a refusal: KeyError in .+, line \d+",
        caplog.messages[0],
    )


async def test_exception_in_function_is_quoted_at_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: httpx.Response) -> bool:
        raise ValueError("SECRET")  # noqa: EM101

    caplog.set_level(logging.DEBUG, "gateway.client")
    await fetch(httpx.Response(404, json={}), operation=fail)

    assert "SECRET" not in "".join(caplog.messages)
    assert [record.levelname for record in caplog.records if record.exc_info] == ["DEBUG"]


async def test_unset_function_result_is_false() -> None:
    def find(_: httpx.Response) -> None:
        return None

    result = await fetch(httpx.Response(404, json={}), operation=cast("Refusals", find))

    assert result == BAD_ANSWER


def test_async_function_is_refused() -> None:
    async def check(_: httpx.Response) -> bool:
        raise AssertionError

    with pytest.raises(TypeError, match=r"^refusals must not be an async function: <function"):
        choose_refusal_check(cast("Refusals", check))


def test_unknown_word_is_refused() -> None:
    client, _ = connect(httpx.Response(200))

    with pytest.raises(ValueError, match=r"^invalid refusals 'html': expected 'json', 'any' or a function$"):
        client.get("a.b", "/", answer=Thing, refusals=cast("Refusals", "html"))


class Things:
    def __init__(self, client: ServiceClient) -> None:
        self.fetch = client.get(SOURCE, "/things", answer=Thing, declared={404: NotFound})


async def test_registration_sets_refusals_of_service() -> None:
    service = Service("things", Things, url="http://things.test", refusals="any")
    transport = Answering(httpx.Response(404))
    connection = service.connect(transport, url=service.url, timeout=1.0, max_concurrency=9)
    assert isinstance(connection.instance, Things)

    assert await connection.instance.fetch() == GENERIC
