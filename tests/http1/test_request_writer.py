"""Requests as bytes."""

from collections.abc import Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http1.request_writer import format_headers, parse_headers, write_request

URL = "http://users.test:8101/users/a%2Fb?c=d"


def write(method: str, content: bytes = b"", **headers: str) -> bytes:
    return write_request(httpx.Request(method, URL, headers=headers, stream=httpx.ByteStream(b"")), content)


def test_request_has_target_and_host() -> None:
    assert write("GET") == b"GET /users/a%2Fb?c=d HTTP/1.1\r\nHost: users.test:8101\r\n\r\n"
    assert write("GET", host="other") == b"GET /users/a%2Fb?c=d HTTP/1.1\r\nhost: other\r\n\r\n"


def test_body_has_its_length() -> None:
    assert write("POST", b"{}").endswith(b"\r\nContent-Length: 2\r\n\r\n{}")


def test_given_length_is_not_repeated() -> None:
    request = httpx.Request("POST", URL, content=b"{}")

    assert write_request(request, b"{}").lower().count(b"content-length: 2\r\n") == 1


@pytest.mark.parametrize(("content", "chunks"), [(b"{}", b"2\r\n{}\r\n0\r\n\r\n"), (b"", b"0\r\n\r\n")])
def test_transfer_encoding_makes_chunks(content: bytes, chunks: bytes) -> None:
    data = write_request(httpx.Request("POST", URL, headers={"Transfer-Encoding": "chunked"}), content)

    assert data.endswith(b"Transfer-Encoding: chunked\r\n\r\n" + chunks)


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Length", "1")],
        [("Content-Length", "3")],
        [("Content-Length", "+2")],
        [("Content-Length", "2"), ("content-length", "2")],
        [("Content-Length", "2"), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "gzip")],
        [("Transfer-Encoding", "gzip, chunked")],
    ],
)
def test_headers_that_end_another_body_are_refused(headers: Sequence[tuple[str, str]]) -> None:
    request = httpx.Request("POST", URL, headers=headers, stream=httpx.ByteStream(b""))

    with pytest.raises(httpx.LocalProtocolError, match="the Content-Length or Transfer-Encoding"):
        write_request(request, b"{}")


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b"])
def test_value_with_another_line_is_refused(value: str) -> None:
    with pytest.raises(httpx.LocalProtocolError, match="the value of a header of the request is invalid"):
        write("GET", other=value)


@pytest.mark.parametrize("name", ["a b", "a:", "a\r\n", ""])
def test_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(httpx.LocalProtocolError, match="the name of a header of the request is invalid"):
        write_request(httpx.Request("GET", URL, headers=[(name.encode(), b"a")]), b"")


@pytest.mark.parametrize("method", ["G ET", "GET\r\n", "", "GÉT"])
def test_invalid_method_is_refused(method: str) -> None:
    with pytest.raises(httpx.LocalProtocolError, match="the method or the target of the request is invalid"):
        write(method)


@given(
    st.lists(
        st.tuples(
            st.text("abcXYZ-!~0", min_size=1).map(str.encode),
            st.binary().filter(lambda value: not set(b"\r\n\0") & set(value)),
        )
    )
)
def test_formatted_headers_are_parsed_again(headers: Sequence[tuple[bytes, bytes]]) -> None:
    assert parse_headers(format_headers(headers)) == headers
