"""Heads of requests: limits, and the form in which the parser reads them."""

import pytest

from gateway.server.protocol.request_head import (
    MAX_FIELDS,
    MAX_HEAD,
    MAX_LINE,
    RequestError,
    check_fields,
    check_start,
    prepare_head,
)

LINE = b"GET /a HTTP/1.1\r\n"
HOST = b"Host: g\r\n"
HEAD = LINE + HOST + b"\r\n"


def pad(size: int) -> bytes:
    """Return a head of *size* bytes."""
    return LINE + HOST + b"X: " + b"a" * (size - len(HEAD) - len(b"X: \r\n")) + b"\r\n\r\n"


def find_code(head: bytes) -> str:
    with pytest.raises(RequestError) as raised:
        prepare_head(head)
    return raised.value.code


def test_usual_head_is_parsed_as_it_is() -> None:
    head = prepare_head(HEAD)

    assert (head.method, head.version, head.data) == (b"GET", b"1.1", HEAD)


@pytest.mark.parametrize(
    ("target", "origin_form"),
    [
        (b"http://h/b", b"/b"),
        (b"HTTPS://h/b?c=d", b"/b?c=d"),
        (b"http://h", b"/"),
        (b"http://h?c", b"/?c"),
        (b"http://h//b", b"//b"),
    ],
)
def test_absolute_form_becomes_origin_form(target: bytes, origin_form: bytes) -> None:
    head = prepare_head(b"GET %b HTTP/1.1\r\nA: b\r\nhost: other\r\n\r\n" % target)

    assert head.data == b"GET %b HTTP/1.1\r\nA: b\r\nHost: h\r\n\r\n" % origin_form


@pytest.mark.parametrize(
    "target", [b"a", b"h:80", b"*", b"ftp://h/a", b"http:///a", b"http://u:p@h/a", b"http:/a", b"?a"]
)
def test_other_target_is_malformed(target: bytes) -> None:
    assert find_code(b"GET %b HTTP/1.1\r\nHost: g\r\n\r\n" % target) == "malformed"


def test_asterisk_form_is_for_options() -> None:
    head = b"OPTIONS * HTTP/1.1\r\nHost: g\r\n\r\n"

    assert prepare_head(head).data == head


@pytest.mark.parametrize("method", [b"BREW", b"get", b"CONNECT", b"M-SEARCH"])
def test_other_method_has_stand_in_for_parser(method: bytes) -> None:
    head = prepare_head(HEAD.replace(b"GET", method))

    assert (head.method, head.data) == (method, HEAD.replace(b"GET", b"POST"))


@pytest.mark.parametrize("name", [b"Upgrade", b"upgrade", b"UPGRADE"])
def test_upgrade_is_left_out(name: bytes) -> None:
    offer = b"Connection: Upgrade\r\n%b: h2c\r\nA: Upgrade: b\r\n%b: other\r\n" % (name, name)

    head = prepare_head(LINE + offer + HOST + b"\r\n")

    assert head.data == LINE + b"Connection: Upgrade\r\nA: Upgrade: b\r\n" + HOST + b"\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"GET /a",
        b"GET /a HTTP/1.2",
        b"GET /a HTTP/2.0",
        b"GET /a http/1.1",
        b"GET  /a HTTP/1.1",
        b"GET /a  HTTP/1.1",
        b"GET /a HTTP/1.1 ",
        b" GET /a HTTP/1.1",
        b"GET /a\tHTTP/1.1",
        b"GET /\x80 HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b"G@T /a HTTP/1.1",
    ],
)
def test_other_request_line_is_malformed(line: bytes) -> None:
    assert find_code(line + b"\r\nHost: g\r\n\r\n") == "malformed"


def test_limits_are_exact() -> None:
    fields = b"A: b\r\n" * (MAX_FIELDS - 1)
    longest_target = b"/" + b"a" * (MAX_LINE - len(b"GET / HTTP/1.1\r\n"))
    line = b"GET %b HTTP/1.1\r\n" % longest_target

    assert prepare_head(pad(MAX_HEAD)).data == pad(MAX_HEAD)
    assert find_code(pad(MAX_HEAD + 1)) == "headers-too-large"
    assert prepare_head(LINE + HOST + fields + b"\r\n").method == b"GET"
    assert find_code(LINE + HOST + HOST + fields + b"\r\n") == "headers-too-large"
    assert prepare_head(line + HOST + b"\r\n").method == b"GET"
    assert find_code(line.replace(b"/a", b"/aa") + HOST + b"\r\n") == "uri-too-long"


@pytest.mark.parametrize("end", range(1, len(HEAD)))
def test_start_of_valid_head_may_go_on(end: int) -> None:
    check_start(HEAD[:end])


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (b"\x16\x03\x01", "malformed"),
        (b"GET /a HTTP/1.1\n", "malformed"),
        (b"PRI * HTTP/2.0\r\n", "malformed"),
        (b"GET /" + b"a" * MAX_LINE, "uri-too-long"),
        (b"a" * MAX_LINE, "uri-too-long"),
        (LINE + b"A: b\r\n" * MAX_FIELDS + b"A: b\r\n", "headers-too-large"),
        (LINE + b"a" * MAX_HEAD, "headers-too-large"),
    ],
)
def test_end_of_invalid_head_is_not_awaited(start: bytes, code: str) -> None:
    with pytest.raises(RequestError) as raised:
        check_start(start)

    assert raised.value.code == code


@pytest.mark.parametrize(
    ("fields", "version", "length"),
    [
        ([], b"1.0", 0),
        ([(b"host", b"g")], b"1.1", 0),
        ([(b"content-length", b"07"), (b"host", b"g")], b"1.1", 7),
        ([(b"host", b"g"), (b"transfer-encoding", b"Chunked ")], b"1.1", None),
    ],
)
def test_length_of_body(fields: list[tuple[bytes, bytes]], version: bytes, length: int | None) -> None:
    assert check_fields(fields, version) == length


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ([], b"1.1"),
        ([(b"host", b"g"), (b"host", b"g")], b"1.1"),
        ([(b"host", b"g"), (b"host", b"g")], b"1.0"),
        ([(b"host", b"g/a")], b"1.1"),
        ([(b"host", b"user@g")], b"1.1"),
        ([(b"host", b"g h")], b"1.0"),
        ([(b"host", b"g"), (b"transfer-encoding", b"gzip, chunked")], b"1.1"),
        ([(b"host", b"g"), (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], b"1.1"),
        ([(b"host", b"g"), (b"transfer-encoding", b"chunked")], b"1.0"),
    ],
)
def test_other_framing_or_host_is_malformed(fields: list[tuple[bytes, bytes]], version: bytes) -> None:
    with pytest.raises(RequestError):
        check_fields(fields, version)
