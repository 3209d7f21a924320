"""Reads of a service: methods, bodies, headers, answers and statuses."""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest
from pydantic import TypeAdapter

from gateway import NO_CONTENT
from gateway.client.operations.endpoint import Answer
from gateway.client.operations.request_body import ABSENT, Form
from gateway.railway import BadAnswer, Err, NotFound, Ok, RunContext, change_context
from tests.client.scripted_service import (
    LAMP,
    LAMP_JSON,
    PROBLEM,
    UNUSABLE,
    Answering,
    Thing,
    Wish,
    client,
)

METHODS: Final = ("get", "post", "put", "patch", "delete")
BAD_ANSWER: Final = Err(BadAnswer(UNUSABLE, source="things.find"))


def answering(content: bytes, status: int = 200) -> Answering:
    return Answering(httpx.Response(status, content=content))


async def send(
    body: object = ABSENT, *, form: Form | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Request:
    """Make a call with these arguments; return its request."""
    transport = Answering()
    find = client(transport).post("things.find", "/things", answer=Thing)
    await find(body, form=form, headers=headers)
    return transport.requests[0]


@pytest.mark.parametrize("method", METHODS)
async def test_read_has_method_of_its_declaration(method: str) -> None:
    transport = Answering()
    result = await getattr(client(transport), method)("things.find", "/things", answer=Thing)()

    assert result == Ok(LAMP)
    assert transport.requests[0].method == method.upper()


@pytest.mark.parametrize("method", METHODS)
async def test_empty_request_has_length_if_expected(method: str) -> None:
    transport = Answering()
    await getattr(client(transport), method)("things.find", "/things", answer=Thing)()
    headers = transport.requests[0].headers

    assert headers.get("content-length") == (None if method in {"get", "delete"} else "0")
    assert "content-type" not in headers


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (Wish(text="é"), '{"text":"é"}'.encode()),
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        ([Wish(text="a")], b'[{"text":"a"}]'),
        ("text", b'"text"'),
        (None, b"null"),
    ],
)
async def test_body_is_sent_as_json(body: object, content: bytes) -> None:
    request = await send(body)

    assert request.content == content
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(content))


@pytest.mark.parametrize("form", [{"a": "b c", "d": 1}, [("a", "b c"), ("d", 1)]])
async def test_form_is_sent_url_encoded(form: Form) -> None:
    request = await send(form=form)

    assert request.content == b"a=b+c&d=1"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["content-length"] == "9"


def test_body_and_form_together_are_refused() -> None:
    find = client(Answering()).post("things.find", "/things", answer=Thing)

    with pytest.raises(TypeError, match=r"^things\.find takes a body or a form, not both$"):
        _ = find({}, form={})


def test_body_that_is_no_json_is_refused() -> None:
    find = client(Answering()).post("things.find", "/things", answer=Thing)

    with pytest.raises(ValueError, match="Unable to serialize unknown type"):
        _ = find(object())


async def test_header_of_call_replaces_default() -> None:
    request = await send({}, headers={"ACCEPT": "text/x", "Content-Type": "application/merge-patch+json"})

    assert request.headers.get_list("accept") == ["text/x"]
    assert request.headers.get_list("content-type") == ["application/merge-patch+json"]


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "Connection", "Accept-Encoding"]
)
def test_headers_of_the_connection_are_refused(name: str) -> None:
    find = client(Answering()).get("things.find", "/things", answer=Thing)

    with pytest.raises(ValueError, match=f"^the header {name} cannot be set: the client sets it itself$"):
        _ = find(headers={name: "a"})


@pytest.mark.parametrize("name", ["", "a b", "a:", "é", "a\n"])
def test_invalid_header_name_is_refused(name: str) -> None:
    find = client(Answering()).get("things.find", "/things", answer=Thing)

    with pytest.raises(ValueError, match=r"^invalid name of a header: "):
        _ = find(headers={name: "a"})


@pytest.mark.parametrize(
    ("answer", "content", "value"),
    [
        (list[Thing], b'[{"name": "lamp", "size": 3}]', [LAMP]),
        (dict[str, Thing], b'{"a": {"name": "lamp", "size": 3}}', {"a": LAMP}),
        (int, b"3", 3),
        (TypeAdapter(int | None), b"null", None),
        (Thing, LAMP_JSON, LAMP),
    ],
)
async def test_answer_may_be_any_type(answer: Answer[Any], content: bytes, value: object) -> None:
    assert await client(answering(content)).get("things.find", "/things", answer=answer)() == Ok(value)


@pytest.mark.parametrize(
    ("status", "content"), [(204, b""), (200, b""), (200, b'{"deleted": true}'), (200, b"OK"), (200, b"{")]
)
async def test_no_content_is_none(status: int, content: bytes) -> None:
    result = await client(answering(content, status)).delete("things.find", "/things", answer=NO_CONTENT)()

    assert result == Ok(None)


async def test_no_content_refuses_page() -> None:
    assert await client(answering(b"<html>")).get("things.find", "/things", answer=NO_CONTENT)() == BAD_ANSWER


async def test_status_204_is_none_if_answer_allows_it() -> None:
    optional = TypeAdapter(Thing | None)

    assert await client(answering(b"", 204)).get("things.find", "/things", answer=optional)() == Ok(None)
    assert await client(answering(b"", 204)).get("things.find", "/things", answer=Thing)() == BAD_ANSWER
    assert await client(answering(b"", 200)).get("things.find", "/things", answer=optional)() == BAD_ANSWER


@pytest.mark.parametrize(
    ("status", "is_success"),
    [(200, True), (201, False), (204, False), (304, True), (404, True), (500, False)],
)
async def test_success_statuses_can_be_set(status: int, *, is_success: bool) -> None:
    transport = answering(LAMP_JSON, status)
    result = await client(transport).get("things.find", "/things", answer=Thing, success={200, 304, 404})()

    assert result == (Ok(LAMP) if is_success else BAD_ANSWER)


async def test_declared_status_precedes_success() -> None:
    response = httpx.Response(200, json={"detail": "ignored"}, headers=PROBLEM)
    find = client(Answering(response)).get("things.find", "/things", answer=Thing, declared={200: NotFound})

    assert await find() == Err(NotFound("things.find was refused: not found", source="things.find"))


@pytest.mark.parametrize("status", [99, 600, 0, -200])
def test_impossible_status_is_refused(status: int) -> None:
    things = client(Answering())

    with pytest.raises(ValueError, match=r"^things\.find: -?\d+ is no HTTP status$"):
        things.get("things.find", "/things", answer=Thing, success={status})
    with pytest.raises(ValueError, match=r"^things\.find: -?\d+ is no HTTP status$"):
        things.get("things.find", "/things", answer=Thing, declared={status: NotFound})


async def test_unfitting_answer_is_bad_answer(caplog: pytest.LogCaptureFixture) -> None:
    find = client(Answering()).get("things.find", "/things", answer=Thing)

    assert await find(fits=lambda thing: thing.size == 3) == Ok(LAMP)
    assert await find(fits=lambda thing: thing.size == 4) == BAD_ANSWER
    assert caplog.messages == ["things.find: bad-answer: the answer does not fit the request"]


async def test_each_attempt_sends_same_request() -> None:
    transport = Answering(httpx.Response(503))
    change_context(RunContext(baggage={"X-Request-Id": "req-1"}))
    await client(transport).post("things.find", "/things", answer=Thing)({"a": 1}, query={"b": 2})

    assert len(transport.requests) == 3
    assert {(str(sent.url), sent.content) for sent in transport.requests} == {
        ("http://things.test/api/things?b=2", b'{"a":1}')
    }


async def test_call_repr_hides_its_request() -> None:
    find = client(Answering()).post("things.find", "/things/{name}", answer=Thing)
    call = find({"a": "SECRET"}, query={"key": "SECRET"}, headers={"X-Key": "SECRET"}, name="SECRET")

    assert await call == Ok(LAMP)
    assert "SECRET" not in repr(call)
