"""What the headers of a request say."""

import pytest

from gateway.api.headers import build_propagated_headers, parse_bearer_token, parse_timeout, read_fields
from gateway.api.problems.refusal import Refusal

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_repeated_header_is_one_list() -> None:
    scope = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]}

    assert read_fields(scope) == {b"a": b"1, 3", b"b": b"2"}


@pytest.mark.parametrize(
    ("asked", "seconds"), [(b"1", 0.001), (b"2500", 2.5), (b"9" * 5000, float("inf")), (None, float("inf"))]
)
def test_patience_is_a_whole_number_of_milliseconds(asked: bytes | None, seconds: float) -> None:
    assert parse_timeout({} if asked is None else {b"x-request-timeout-ms": asked}) == seconds


@pytest.mark.parametrize(
    "asked",
    [b"", b"0", b"-1", b"+1", b"1.5", b"1e3", b"1 000", b"1, 2", b"0x1", "\u0661".encode(), b"1_0", b"01"],
)
def test_patience_of_any_other_form_is_refused(asked: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_timeout({b"x-request-timeout-ms": asked})

    assert refused.value.code == "invalid-header"


def test_a_trace_is_passed_on_with_its_state() -> None:
    sent = {b"traceparent": PARENT, b"tracestate": b"a=1, b=2"}

    assert build_propagated_headers(sent, "request-1") == {
        "X-Request-Id": "request-1",
        "traceparent": PARENT.decode(),
        "tracestate": "a=1, b=2",
    }


@pytest.mark.parametrize("parent", [PARENT, b"01" + PARENT[2:], b"01" + PARENT[2:] + b"-more"])
def test_a_traceparent_is_passed_on_alone(parent: bytes) -> None:
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
def test_a_trace_that_is_not_valid_is_dropped_with_its_state(parent: bytes) -> None:
    assert build_propagated_headers({b"traceparent": parent, b"tracestate": b"a=1"}, "r") == {
        "X-Request-Id": "r"
    }


@pytest.mark.parametrize("state", [b"", b"a=\xe4", b"a=1\r\nx: y"])
def test_a_trace_state_that_is_not_plain_text_is_dropped_alone(state: bytes) -> None:
    assert "tracestate" not in build_propagated_headers({b"traceparent": PARENT, b"tracestate": state}, "r")


@pytest.mark.parametrize(
    ("sent", "token"),
    [
        (b"Bearer token-user-123", "token-user-123"),
        (b"bearer a", "a"),
        (b"BEARER  a", "a"),
        (b"Bearer aZ09-._~+/==", "aZ09-._~+/=="),
    ],
)
def test_a_bearer_token_is_read_whatever_the_case_of_its_scheme(sent: bytes, token: str) -> None:
    assert parse_bearer_token({b"authorization": sent}) == token


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"Bearer", b"Bearer ", b"Bearera", b"Basic a", b"a", b"Bearer a b", b"Bearer a, Bearer a",
        b"Bearer a=b", b"Bearer =", b"Bearer a\n", b"Bearer\ta", "Bearer ä".encode(), b"Bearer a,b",
    ],
)  # fmt: skip
def test_what_is_no_bearer_token_is_none(sent: bytes) -> None:
    assert parse_bearer_token({b"authorization": sent}) is None


def test_without_authorization_there_is_no_token() -> None:
    assert parse_bearer_token({}) is None
