"""Headers of requests, encoded as they are sent."""

from collections.abc import Mapping

import httpx
import pytest

from gateway.client.operations.request_body import FORM, JSON, RequestBody
from gateway.client.operations.request_headers import ForwardedHeaders, ServiceHeaders, format_forwarded

TRACE = {"X-Request-Id": "req-1", "tracestate": "a=\xe9"}


@pytest.mark.parametrize("headers", [TRACE, ForwardedHeaders(TRACE)], ids=["dict", "forwarded"])
def test_forwarded_headers_are_lines(headers: Mapping[str, str]) -> None:
    assert format_forwarded(headers) == b"X-Request-Id: req-1\r\ntracestate: a=\xe9\r\n"


def test_forwarded_headers_are_a_mapping() -> None:
    headers = ForwardedHeaders(TRACE)

    assert headers == TRACE
    assert format_forwarded(headers) is headers.lines


def test_forwarded_header_with_another_line_is_refused() -> None:
    with pytest.raises(httpx.LocalProtocolError):
        format_forwarded({"X-Request-Id": "a\r\nHost: b"})


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (None, b""),
        (RequestBody(b"{}", JSON), b"content-type: application/vnd.api+json\r\n"),
        (RequestBody(b"a=b", FORM), b"content-type: application/x-www-form-urlencoded\r\n"),
    ],
)
def test_headers_of_usual_requests_are_encoded_once(body: RequestBody | None, lines: bytes) -> None:
    headers = ServiceHeaders(b"things.test", {"Content-Type": "application/vnd.api+json"})
    built = headers.build(None, body)

    assert built.lines == b"host: things.test\r\naccept-encoding: identity\r\n" + lines
    assert headers.build({}, body) is built
    assert headers.build({"X-Colour": "red"}, body).lines == built.lines + b"x-colour: red\r\n"
