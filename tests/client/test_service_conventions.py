"""Conventions of a service: default headers, credentials, error bodies and idempotency keys."""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from gateway.client.answers.problems import ReadError
from gateway.client.operations.conventions import Conventions
from gateway.client.operations.request_body import ABSENT
from gateway.client.service import Service
from gateway.client.service_client import ServiceClient
from gateway.railway import Err, Key, NotFound, Ok
from tests.client.scripted_service import LAMP, PROBLEM, Answering, Content, Thing
from tests.service_clients import CONVENTIONS, service_client

SECRET: Final = "s3cret"  # noqa: S105 - of this test only
KEY_IN_FIELD: Final = Conventions(key_field="reference")
GENERIC: Final = "charges.fetch was refused: not found"
KEY: Final = Key("exe-1.pay.0.charges.make")


class Charges:
    def __init__(self, client: ServiceClient) -> None:
        self.client = client
        self.fetch = client.get("charges.fetch", "/charges", answer=Thing, declared={404: NotFound})
        self.make = client.write.post("charges.make", "/charges", answer=Thing, undo=None)


def connect(transport: httpx.AsyncBaseTransport, conventions: Conventions = CONVENTIONS) -> Charges:
    return Charges(service_client("charge", "http://charges.test", transport, conventions=conventions))


async def fetch_headers(conventions: Conventions, headers: Mapping[str, str] | None = None) -> httpx.Headers:
    """Return the headers of a call with *headers* to a service with *conventions*."""
    transport = Answering()
    await connect(transport, conventions).fetch(headers=headers)
    return transport.requests[0].headers


async def read_detail(response: httpx.Response, read_error: ReadError | None) -> str:
    """Return the detail that a caller gets if the service answers with *response*."""
    result = await connect(Answering(response), Conventions(read_error=read_error)).fetch()
    assert isinstance(result, Err)
    return result.error.detail


def read_error(body: object) -> str | None:
    match body:
        case {"detail": str(text)} | {"error": {"message": str(text)}}:
            return text
        case _:
            return None


def return_number(_: object) -> Any:  # noqa: ANN401 - not the declared type
    return 3


def raise_error(_: object) -> str:
    raise KeyError


async def test_default_headers_are_sent_and_replaced() -> None:
    defaults = {"X-Version": "2", "Accept": "text/a", "User-Agent": "theirs/1"}
    headers = await fetch_headers(Conventions(headers=defaults), {"x-version": "3"})

    assert headers.get_list("x-version") == ["3"]
    assert headers.get_list("accept") == ["text/a"]
    assert headers.get_list("user-agent") == ["theirs/1"]


async def test_default_content_type_applies_to_json_only() -> None:
    transport = Answering()
    charges = connect(transport, Conventions(headers={"Content-Type": "application/vnd.api+json"}))
    find = charges.client.post("charges.find", "/found", answer=Thing)
    for call in (find({}), find(form={}), find()):
        await call

    assert [request.headers.get("content-type") for request in transport.requests] == [
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        None,
    ]


@pytest.mark.parametrize(
    ("token", "header", "value"),
    [
        (SECRET, "Authorization", f"Bearer {SECRET}"),
        ("Basic dXNlcjpwYXNz", "authorization", "Basic dXNlcjpwYXNz"),
        (SECRET, "X-Api-Key", SECRET),
    ],
)
async def test_token_is_sent_in_its_header(token: str, header: str, value: str) -> None:
    headers = await fetch_headers(Conventions(token=SecretStr(token), token_header=header))

    assert headers.get_list(header) == [value]


async def test_connected_token_precedes_registered_token() -> None:
    transport = Answering()
    service = Service("charge", Charges, url="http://charges.test", token=SecretStr("registered"))
    connection = service.connect(
        transport, url=service.url, timeout=1.0, max_concurrency=9, token=SecretStr("connected")
    )
    await connection.client.get("charges.fetch", "/", answer=Thing)()

    assert transport.requests[0].headers["authorization"] == "Bearer connected"


async def test_header_of_call_replaces_token() -> None:
    headers = await fetch_headers(Conventions(token=SecretStr(SECRET)), {"Authorization": "Bearer caller"})

    assert headers.get_list("authorization") == ["Bearer caller"]


async def test_token_and_headers_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service = Service(
        "charge", Charges, url="http://a.test", token=SecretStr(SECRET), headers={"X-Key": SECRET}
    )
    connection = service.connect(
        Answering(httpx.Response(500)), url=service.url, timeout=1, max_concurrency=9
    )
    call = connection.client.get("charges.fetch", "/", answer=Thing)()
    result = await call

    assert SECRET not in f"{service!r} {connection!r} {call!r} {result!r} {caplog.text}"


@pytest.mark.parametrize(
    ("conventions", "message"),
    [
        ({"headers": {"X Y": "a"}}, "invalid name of a header: 'X Y'"),
        ({"headers": {"X-Key": "s3cret\n"}}, "invalid value of header X-Key: expected visible ASCII"),
        ({"headers": {"Host": "a"}}, "the header Host cannot be set: the client sets it itself"),
        ({"token": SecretStr("s3crét")}, "invalid value of header Authorization: expected visible"),
        ({"token_header": ""}, "invalid name of a header: ''"),
        ({"key_header": "a:"}, "invalid name of a header: 'a:'"),
        ({"key_field": ""}, "key_field must not be empty"),
        ({"refusals": "html"}, "invalid refusals 'html': expected 'json', 'any' or a function"),
        ({"settling_ms": -1}, "settling_ms must be a whole number of at least 0, got -1"),
    ],
)
def test_invalid_convention_is_refused(conventions: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^service 'charge': ") as refused:
        Service("charge", Charges, url="http://a.test", **conventions)

    assert message in str(refused.value)
    assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"detail": "No such charge"}, "No such charge"),
        ({"error": {"message": " No\nsuch\u202e charge "}}, "No such charge"),
        ({"error": {"message": "a" * 500}}, "a" * 199 + "…"),
        ({"error": "no"}, GENERIC),
        (["no"], GENERIC),
        ({"detail": ""}, GENERIC),
    ],
)
async def test_read_error_returns_detail_for_caller(body: object, detail: str) -> None:
    assert await read_detail(httpx.Response(404, json=body), read_error) == detail


async def test_without_read_error_detail_is_generic() -> None:
    assert await read_detail(httpx.Response(404, json={"detail": "No"}), None) == GENERIC


async def test_read_error_is_not_called_for_problem() -> None:
    response = httpx.Response(404, json={"detail": "No charge"}, headers=PROBLEM)

    assert await read_detail(response, lambda _: "other") == "No charge"


async def test_read_error_is_not_called_without_json() -> None:
    response = httpx.Response(404, content=b"No", headers={"content-type": "application/json"})

    assert await read_detail(response, lambda _: "other") == GENERIC


async def test_read_error_is_not_called_for_undeclared_status() -> None:
    body = Content([AssertionError("the body must not be read")])
    response = httpx.Response(400, stream=body)

    assert await read_detail(response, read_error) == "The charge service sent an unusable answer"


@pytest.mark.parametrize("wrong", [return_number, raise_error])
async def test_bug_in_read_error_is_logged(wrong: ReadError, caplog: pytest.LogCaptureFixture) -> None:
    assert await read_detail(httpx.Response(404, json={}), wrong) == GENERIC
    assert re.fullmatch(
        r"read_error raised an exception; the detail of the error is left out: \w+Error in .+, line \d+",
        caplog.text.partition("ERROR")[2].split(maxsplit=1)[1].strip(),
    )
    assert caplog.records[0].exc_info is None


async def make(
    conventions: Conventions, body: object = ABSENT, form: Mapping[str, str] | None = None
) -> httpx.Request:
    """Make a write under `KEY`; return its request."""
    transport = Answering()
    write = connect(transport, conventions).make(body, form=form)
    assert await write.attempt(KEY) == Ok(LAMP)
    return transport.requests[0]


async def test_key_is_sent_in_header_of_service() -> None:
    request = await make(Conventions(key_header="X-Request-Key"), {})

    assert request.headers.get_list("x-request-key") == [KEY]
    assert "idempotency-key" not in request.headers


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (ABSENT, {"reference": KEY}),
        (dict[str, str](), {"reference": KEY}),
        ({"amount": "1.00"}, {"reference": KEY, "amount": "1.00"}),
        (Thing(name="lamp"), {"reference": KEY, "name": "lamp", "size": 0}),
    ],
)
async def test_key_is_sent_in_json_field(body: object, sent: object) -> None:
    request = await make(KEY_IN_FIELD, body)

    assert json.loads(request.content) == sent
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(request.content))
    assert "idempotency-key" not in request.headers


@pytest.mark.parametrize("form", [dict[str, str](), {"amount": "1.00"}])
async def test_key_is_sent_in_form_field(form: dict[str, str]) -> None:
    request = await make(KEY_IN_FIELD, form=form)

    assert dict(parse_qsl(request.content.decode())) == {**form, "reference": KEY}


def test_key_field_needs_object() -> None:
    with pytest.raises(TypeError, match="the body must be a JSON object, since the service takes the key"):
        connect(Answering(), KEY_IN_FIELD).make([1])


@pytest.mark.parametrize(
    ("conventions", "arguments", "place"),
    [
        (CONVENTIONS, {"headers": {"idempotency-KEY": "a"}}, "the header idempotency-key"),
        (KEY_IN_FIELD, {"form": {"reference": "a"}}, "the field 'reference'"),
    ],
)
def test_write_must_not_set_its_key(conventions: Conventions, arguments: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=f"^charges.make must not set {place}: the idempotency key is sent"):
        connect(Answering(), conventions).make(**arguments)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_write_has_method_of_its_declaration(method: str) -> None:
    transport = Answering()
    declare = getattr(connect(transport).client.write, method)
    result = await declare("charges.x", "/charges/{charge}", answer=Thing, undo=None)(charge=7).attempt(KEY)

    assert result == Ok(LAMP)
    assert (transport.requests[0].method, transport.requests[0].url.path) == (method.upper(), "/charges/7")
