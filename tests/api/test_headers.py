"""Request headers that the gateway reads."""

import pytest

from gateway.api.headers import build_propagated_headers, parse_bearer_token, parse_timeout, read_fields
from gateway.api.problems.refusal import Refusal

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_repeated_headers_are_joined() -> None:
    scope = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]}

    assert read_fields(scope) == {b"a": b"1, 3", b"b": b"2"}


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"1", 0.001), (b"2500", 2.5), (b"9" * 5000, float("inf")), (None, float("inf"))]
)
def test_timeout_is_parsed_as_milliseconds(value: bytes | None, seconds: float) -> None:
    assert parse_timeout({} if value is None else {b"x-request-timeout-ms": value}) == seconds


@pytest.mark.parametrize(
    "value",
    [b"", b"0", b"-1", b"+1", b"1.5", b"1e3", b"1 000", b"1, 2", b"0x1", "\u0661".encode(), b"1_0", b"01"],
)
def test_malformed_timeout_is_refused(value: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_timeout({b"x-request-timeout-ms": value})

    assert refused.value.code == "invalid-header"


def test_trace_context_is_propagated() -> None:
    fields = {b"traceparent": PARENT, b"tracestate": b"a=1, b=2"}

    assert build_propagated_headers(fields, "request-1") == {
        "X-Request-Id": "request-1",
        "traceparent": PARENT.decode(),
        "tracestate": "a=1, b=2",
    }


@pytest.mark.parametrize("parent", [PARENT, b"01" + PARENT[2:], b"01" + PARENT[2:] + b"-more"])
def test_traceparent_needs_no_tracestate(parent: bytes) -> None:
    assert build_propagated_headers({b"traceparent": parent}, "r") == {
        "X-Request-Id": "r",
        "traceparent": parent.decode(),
    }


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"ff" + PARENT[2:],
        PARENT + b"-more",
        PARENT.upper(),
        b"00-" + b"0" * 32 + PARENT[35:],
        PARENT[:36] + b"0" * 16 + b"-01",
        PARENT[:-1],
        b"01" + PARENT[2:] + b"more",
        PARENT + b", " + PARENT,
    ],
)
def test_invalid_traceparent_drops_tracestate(parent: bytes) -> None:
    assert build_propagated_headers({b"traceparent": parent, b"tracestate": b"a=1"}, "r") == {
        "X-Request-Id": "r"
    }


@pytest.mark.parametrize("state", [b"", b"a=\xe4", b"a=1\r\nx: y"])
def test_invalid_tracestate_is_dropped_alone(state: bytes) -> None:
    assert "tracestate" not in build_propagated_headers({b"traceparent": PARENT, b"tracestate": state}, "r")


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"Bearer token-user-123", "token-user-123"),
        (b"bearer a", "a"),
        (b"BEARER  a", "a"),
        (b"Bearer aZ09-._~+/==", "aZ09-._~+/=="),
    ],
)
def test_bearer_scheme_is_case_insensitive(value: bytes, token: str) -> None:
    assert parse_bearer_token({b"authorization": value}) == token


@pytest.mark.parametrize(
    "value",
    [
        b"", b"Bearer", b"Bearer ", b"Bearera", b"Basic a", b"a", b"Bearer a b", b"Bearer a, Bearer a",
        b"Bearer a=b", b"Bearer =", b"Bearer a\n", b"Bearer\ta", "Bearer ä".encode(), b"Bearer a,b",
    ],
)  # fmt: skip
def test_malformed_bearer_token_is_none(value: bytes) -> None:
    assert parse_bearer_token({b"authorization": value}) is None


def test_missing_authorization_is_no_token() -> None:
    assert parse_bearer_token({}) is None
